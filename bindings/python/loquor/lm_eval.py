"""A model for lm-evaluation-harness, under the name "loquor".

    python -m loquor.lm_eval run --model loquor --model_args model=smollm2,n_ctx=2048 --tasks arc_easy --limit 100

    import lm_eval, loquor.lm_eval
    lm_eval.simple_evaluate(model="loquor", model_args="model=smollm2", tasks=["arc_easy"], limit=100)

The harness finds the name once this module is imported; `python -m loquor.lm_eval` is its command line with that done.
Needs the package lm-eval (pip install 'loquor[lm-eval]').
"""

from __future__ import annotations

import os

import lm_eval.models  # noqa: F401  The harness fills its own names in only while there are none: before ours.
from lm_eval.api.model import TemplateLM
from lm_eval.api.registry import register_model
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from .errors import InvalidArgument
from .model import Model
from .sampling import make_sampler
from .scoring import Scorer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional, Tuple


@register_model("loquor")
class LoquorLM(TemplateLM):
    """Scores and generates for lm-evaluation-harness.

    model         a Model, a name of loquor.models(), or the path of a GGUF file or a Hugging Face folder
    n_ctx         tokens of the context, 0 = as trained, at most 4096; longer prompts lose their beginning, as in the harness's other models
    threads       computing threads, 0 = the CPUs this process may use
    max_gen_toks  most tokens generated, where a task does not say

    Requests are put in order by their tokens: what contexts have in common (the examples of a few-shot task, the question of several
    answers) is computed once. batch_size, max_batch_size and device are accepted and mean nothing here.
    """

    def __init__(self, model="smollm2", n_ctx=0, threads=0, max_gen_toks=256, batch_size=None, max_batch_size=None, device=None):
        super().__init__()
        self.model = model if isinstance(model, Model) else Model(str(model), threads=int(threads))
        self.scorer = Scorer(self.model, int(n_ctx))
        self._generating = None
        self.max_length, self.max_gen_toks = self.scorer.n_ctx, int(max_gen_toks)

    # -- what the harness asks about the model

    @property
    def eot_token_id(self) -> int:
        token = self.model.special_token("eos")
        return self.scorer.prefix_token if token is None else token

    @property
    def prefix_token_id(self) -> int:
        return self.scorer.prefix_token

    @property
    def tokenizer_name(self) -> str:
        return os.path.basename(self.model.source.rstrip("/")).replace("/", "__")

    def chat_template(self, chat_template=False) -> Optional[str]:
        return self.model.metadata.get("tokenizer.chat_template", "") if chat_template else None

    def apply_chat_template(self, chat_history, add_generation_prompt: bool = True) -> str:
        return self.model.render(list(chat_history), add_generation_prompt=add_generation_prompt)

    def tok_encode(self, string: str, add_special_tokens: Optional[bool] = None, **kwargs) -> List[int]:
        """Text that spells a control token is that token, as with Hugging Face's tokenizers: chat templates write them."""
        if add_special_tokens is None:
            bos = self.model.special_token("bos")
            add_special_tokens = bos is None or not string.startswith(self.model.token_text(bos))
        return [int(t) for t in self.model.tokenize(string, add_special=add_special_tokens, parse_special=True)]

    # -- what it asks the model

    def _loglikelihood_tokens(self, requests, disable_tqdm: bool = False, **kwargs) -> List[Tuple[float, bool]]:
        pairs = [(context, continuation) for _, context, continuation in requests]
        with tqdm(total=len(pairs), desc="Log likelihoods", disable=disable_tqdm) as bar:
            out = self.scorer.score_all(pairs, progress=bar.update)
        for (strings, _, _), answer in zip(requests, out):
            if strings is not None:
                self.cache_hook.add_partial("loglikelihood", strings, answer)
        return out

    def loglikelihood_rolling(self, requests, disable_tqdm: bool = False) -> List[float]:
        out = []
        for (text,) in tqdm([r.args for r in requests], desc="Log likelihoods of documents", disable=disable_tqdm):
            # One token less than the context has: the library holds the last token of a window too.
            windows = get_rolling_token_windows(self.tok_encode(text, add_special_tokens=False), self.prefix_token_id, self.max_length - 1, context_len=1)
            total = sum(self.scorer.score(*make_disjoint_window(w))[0] for w in windows)
            out.append(total)
            self.cache_hook.add_partial("loglikelihood_rolling", (text,), total)
        return out

    def generate_until(self, requests, disable_tqdm: bool = False) -> List[str]:
        """Greedy unless a task's gen_kwargs have do_sample or a temperature; temperature, top_k, top_p, min_p, seed, until and max_gen_toks
        are followed, the rest is not. Sampling has the seed 0 if none is given."""
        if self._generating is None:
            self._generating = self.model.session(self.max_length)
        prompts = [self.tok_encode(r.args[0]) for r in requests]
        out = [""] * len(requests)
        for i in tqdm(sorted(range(len(requests)), key=lambda i: prompts[i]), desc="Generating", disable=disable_tqdm):
            out[i] = self._generate(prompts[i], dict(requests[i].args[1]))
            self.cache_hook.add_partial("generate_until", requests[i].args, out[i])
        return out

    def _generate(self, prompt: List[int], options: dict) -> str:
        limit = int(options.get("max_gen_toks") or options.get("max_new_tokens") or options.get("max_tokens") or self.max_gen_toks)
        if not 0 < limit < self.max_length:
            raise InvalidArgument(f"max_gen_toks is {limit}, expected 1 to {self.max_length - 1}, one less than the context")
        until = options.get("until") or []
        until = [until] if isinstance(until, str) else [u for u in until if u]
        temperature = float(options.get("temperature") or 0.0)
        if options.get("do_sample") is False:
            temperature = 0.0
        elif options.get("do_sample") and options.get("temperature") is None:
            temperature = 1.0
        sampler = make_sampler(
            temperature, int(options.get("top_k") or 0), float(options.get("top_p") or 1.0), float(options.get("min_p") or 0.0), 1.0, 1.0, 0.0, 0.0, None,
            int(options.get("seed") or 0),
        )
        session: Any = self._generating
        session.start((prompt or [self.prefix_token_id])[-(self.max_length - limit):], max_tokens=limit, stop=until, sampler=sampler)
        return "".join(e.text for e in session.events())


def main() -> None:
    from lm_eval.__main__ import cli_evaluate

    cli_evaluate()


if __name__ == "__main__":
    main()
