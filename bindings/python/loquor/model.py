"""Models: loading, generating, chatting."""

from __future__ import annotations

import os

from . import _native
from .completions import Completions
from .errors import InvalidArgument
from .grammar import Grammar, chosen
from .sampling import Sampler, make_sampler
from .session import PrefixCache, Result, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Union

    from .attention import AttentionScores

    Messages = Union[str, Sequence[dict]]


def pack_json(value: Any) -> str:
    """As JSON, or "" for nothing. Errors: InvalidArgument for what JSON cannot say."""
    if not value:
        return ""
    import json

    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as e:
        raise InvalidArgument(f"cannot be written as JSON: {e}") from None


def pack_messages(messages: Messages, system: Optional[str] = None) -> List[list]:
    """[role, content, further members as JSON] for each message."""
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, (list, tuple)):
        raise InvalidArgument(f"messages: a {type(messages).__name__}, expected a str or a list of dicts")
    out = [["system", system, ""]] if system is not None else []
    for i, m in enumerate(messages):
        if not isinstance(m, dict) or not isinstance(m.get("role"), str):
            raise InvalidArgument(f"message {i} is not a dict with a 'role'")
        rest = {k: v for k, v in m.items() if k not in ("role", "content")}
        content = m.get("content")
        if not isinstance(content, str):  # a list of parts, None, or absent
            if "content" in m:
                rest["content"] = content
            content = ""
        out.append([m["role"], content, pack_json(rest)])
    return out


class Model(Completions):
    """A language model, ready to use. Shareable between threads; each thread needs a session of its own.

    generate(), chat() and the create_ methods use the model's own session unless they are given one: a second thread that
    calls them meanwhile gets InvalidArgument, and starting a second stream gives up the first.

    source        a name of loquor.models() ("smollm2"), or the path of a GGUF file or of a Hugging Face folder
    threads       computing threads, 0 = the CPUs this process may use
    compute       "quantized" (fast) or "f32" (reference)
    n_ctx         context of the sessions that generate() and chat() use; 0 = as trained, at most 4096
    progress      called with the loaded fraction; return False to stop
    memory_cap    bytes the weights may take; 0 = no cap
    isa           "avx512vnni", "avx512", "avx2", "scalar"; default: the best this CPU has
    """

    def __init__(
        self,
        source: Union[str, os.PathLike] = "smollm2",
        *,
        threads: int = 0,
        n_ctx: int = 0,
        compute: str = "quantized",
        kv_type: str = "f16",
        progress: Optional[Callable[[float], Optional[bool]]] = None,
        memory_cap: int = 0,
        vocab_only: bool = False,
        affinity: Sequence[int] = (),
        isa: str = "",
        cancel: Optional["_native.Cancel"] = None,
    ):
        self._handle: Optional[_native.Model] = None
        self._session: Optional[Session] = None
        self.source = os.fspath(source)
        self._handle = _native.Model(self.source, threads, list(affinity), isa, compute, vocab_only, memory_cap, progress, cancel)
        self._n_ctx, self._kv_type = n_ctx, kv_type

    @property
    def _m(self) -> "_native.Model":
        if self._handle is None:
            raise InvalidArgument("the model is closed")
        return self._handle

    def close(self) -> None:
        """Frees it at once; sessions that are still open keep what they need."""
        self._session = None
        self._handle = None

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    # -- what it is

    def info(self, n_ctx: int = 0, kv_type: str = "f16") -> dict:
        """Architecture, shapes, and memory at a context size."""
        return self._m.info(n_ctx, kv_type)

    @property
    def metadata(self) -> Dict[str, str]:
        return self._m.metadata()

    @property
    def isa(self) -> str:
        return self._m.isa

    @property
    def load_ms(self) -> float:
        return self._m.load_ms

    @property
    def n_vocab(self) -> int:
        return self._m.vocab_size

    # -- tokens

    def tokenize(self, text: Union[str, bytes], *, add_special: bool = False, parse_special: bool = False):
        """Token ids, int32 array. `parse_special`: text that spells a control token becomes that token."""
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text)
        return self._m.tokenize(raw, add_special, parse_special)

    def attention(self, text: Union[str, bytes, Sequence[int]], *, first_layer: int = 0, n_layers: int = 0) -> AttentionScores:
        """How the heads of each layer weigh the tokens of a text (or of token ids): AttentionScores, with an array and plot().

        n_layers  0: all from first_layer on. One layer of T tokens takes n_head * T * T floats
        For language models and text encoders. Raises InvalidArgument for a text of no token, of more than 4096 or than the model has positions.
        """
        import numpy

        from .attention import AttentionScores

        if first_layer < 0 or n_layers < 0:
            raise InvalidArgument(f"first_layer is {first_layer}, n_layers {n_layers}")
        tokens = self.tokenize(text, add_special=True) if isinstance(text, (str, bytes)) else numpy.asarray(text, dtype=numpy.int32)
        pieces = [self.detokenize([int(t)], special=True).decode("utf-8", "replace") for t in tokens]
        return AttentionScores(tokens, pieces, self._m.attention([int(t) for t in tokens], first_layer, n_layers), first_layer)

    def detokenize(self, tokens: Sequence[int], *, special: bool = False) -> bytes:
        """The bytes the tokens stand for."""
        return self._m.detokenize([int(t) for t in tokens], special)

    def token_text(self, token: int) -> str:
        return self._m.token_text(token)

    def find_token(self, text: str) -> Optional[int]:
        return self._m.find_token(text)

    def special_token(self, role: str) -> Optional[int]:
        """role: "bos", "eos", "eot", "unk", "pad"."""
        return self._m.special_token(role)

    def render(self, messages: Messages, *, add_generation_prompt: bool = True, tools=None, **variables) -> str:
        """The prompt that the model's chat template makes of a conversation."""
        return self._m.render(
            pack_messages(messages), add_generation_prompt, pack_json(tools), pack_json(variables)
        )

    # -- generating

    def session(self, ctx: int = 0, *, kv_type: str = "", overflow: str = "error", slide_keep: int = 0, prefill_chunk: int = 0, memory_cap: int = 0, prefix_cache: Optional[PrefixCache] = None) -> Session:
        """A session of `ctx` tokens (0 = as trained). kv_type: "f16", "q8_0", "f32". overflow: "error" or "slide"."""
        s = Session(self, _native.Session(self._m, ctx, kv_type or self._kv_type, overflow, slide_keep, prefill_chunk, memory_cap))
        if prefix_cache is not None:
            s.use_prefix_cache(prefix_cache)
        return s

    def prefix_cache(self, max_bytes: int) -> PrefixCache:
        """A cache of at most max_bytes by which sessions share the beginnings of prompts: session(prefix_cache=...)."""
        return PrefixCache(_native.PrefixCache(self._m, max_bytes))

    def _own_session(self) -> Session:
        if self._session is None:
            trained = self.info()["n_ctx_train"]
            self._session = self.session(self._n_ctx or min(trained, 4096))
        return self._session

    def generate(
        self,
        prompt: Messages,
        *,
        max_tokens: Optional[int] = 256,
        temperature: float = 0.7,
        top_k: int = 40,
        top_p: float = 0.95,
        min_p: float = 0.0,
        typical_p: float = 1.0,
        repeat_penalty: float = 1.0,
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
        logit_bias: Optional[Dict[int, float]] = None,
        seed: Optional[int] = None,
        stop: Union[str, Sequence[str]] = (),
        stop_tokens: Sequence[int] = (),
        logprobs: int = 0,
        system: Optional[str] = None,
        raw: bool = False,
        stream: bool = False,
        sampler: Optional[Sampler] = None,
        session: Optional[Session] = None,
        tools: Optional[Sequence[dict]] = None,
        cancel: Optional["_native.Cancel"] = None,
        lookup: Optional[int] = None,
        grammar: Union[Grammar, str, None] = None,
        json_schema: Any = None,
        regex: Optional[str] = None,
        choices: Optional[Sequence[str]] = None,
    ) -> Union[Result, Iterator[str]]:
        """Text for a prompt: through the model's chat template, or `raw`. stream=True gives an iterator of pieces of text.

        Prompts that begin like the one before are only computed from where they differ. Ctrl-C raises KeyboardInterrupt
        and leaves the model usable. Without a session the model's own is used: one thread at a time. max_tokens None or
        0: until the model ends or the context is full. `cancel` ends it with Cancelled when another thread triggers it.
        `lookup` is the most tokens guessed and computed ahead (see Session.start).

        One of these holds the text to a form: `grammar` (a Grammar, or GBNF), `json_schema` (a dict, its text, or a class of
        pydantic's), `regex`, or `choices`, a list of texts. max_tokens may still cut it short (finish_reason "length").
        """
        if sampler is None:
            sampler = make_sampler(
                temperature, top_k, top_p, min_p, typical_p, repeat_penalty, frequency_penalty, presence_penalty, logit_bias, seed
            )
        s = self._own_session() if session is None else session
        common: Dict[str, Any] = dict(max_tokens=max_tokens, sampler=sampler, stop=stop, stop_tokens=stop_tokens, logprobs=logprobs, cancel=cancel, lookup=lookup, grammar=chosen(grammar, json_schema, regex, choices))
        if raw:
            s.start(prompt, **common)  # type: ignore[arg-type]
        else:
            s.start(None, messages=pack_messages(prompt, system), tools_json=pack_json(tools), **common)
        if stream:
            return (e.text for e in s.events() if e.text)
        logs = []
        for e in s.events():
            if e.kind == "token" and logprobs:
                logs.append({"token": e.token, "logprob": e.logprob, "top": e.top})
        r = s.result()
        r.logprobs = logs
        return r

    def chat(self, messages: Messages, **options) -> Union[Result, Iterator[str]]:
        """generate() from a conversation: a list of {"role", "content"}, or what the user says."""
        return self.generate(messages, **options)

    def perplexity(self, text: Union[str, bytes, Sequence[int]], *, n_ctx: int = 512, stride: int = 0, progress=None) -> dict:
        """Perplexity of a text in windows of n_ctx tokens, the second half of each scored (as llama.cpp does); with a stride, windows
        that slide by so many tokens and score those that are new (as is done with Hugging Face models)."""
        tokens = self.tokenize(text) if isinstance(text, (str, bytes)) else text
        return self._m.perplexity([int(t) for t in tokens], n_ctx, stride, progress)


class Chat:
    """A conversation that remembers what was said.

        chat = loquor.Chat(model, system="You are a pirate.")
        print(chat.say("Hello"))
    """

    def __init__(self, model: Model, system: Optional[str] = None, ctx: int = 0, **options):
        self.messages: List[dict] = [{"role": "system", "content": system}] if system is not None else []
        self.model, self.options = model, options
        self.session = model.session(ctx or min(model.info()["n_ctx_train"], 4096))

    def say(self, text: str, **options) -> str:
        """Adds what the user says; returns the answer, which is remembered too."""
        return "".join(self.stream(text, **options))

    def stream(self, text: str, **options) -> Iterator[str]:
        asked = self.messages + [{"role": "user", "content": text}]
        pieces = []
        stream = self.model.generate(asked, stream=True, session=self.session, **{**self.options, **options})
        for piece in stream:  # type: ignore[union-attr]
            pieces.append(piece)
            yield piece
        self.messages = asked + [{"role": "assistant", "content": "".join(pieces)}]
