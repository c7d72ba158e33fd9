"""Sessions: a list of tokens with its KV cache, and the generation that extends it."""

from __future__ import annotations

import os

from . import _native
from .errors import InvalidArgument

TYPE_CHECKING = False  # typing itself takes longer to import than the rest of the package
if TYPE_CHECKING:
    from typing import Iterator, List, Optional, Sequence, Tuple, Union

    import numpy

    from .grammar import Grammar
    from .model import Model
    from .sampling import Sampler

_NO_BUDGET = 0xFFFFFFFFFFFFFFFF
_KINDS = ("working", "token", "done")


class _Record:
    __slots__: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{n}={getattr(self, n)!r}' for n in self.__slots__)})"

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


class Event(_Record):
    """One step of a generation. kind: "working" (the budget is used up), "token" or "done".

    `token` is -1 unless kind is "token"; `text` is what became complete with it, maybe "". `logprob` and `top` need
    logprobs > 0. `finish_reason` comes with "done". `prompt_done` of `prompt_total` tokens of the prompt are computed.
    """

    __slots__ = ("kind", "token", "text", "logprob", "top", "finish_reason", "prompt_done", "prompt_total")

    def __init__(
        self,
        kind: str,
        token: int,
        text: str,
        logprob: float,
        top: List[Tuple[int, float]],
        finish_reason: Optional[str],
        prompt_done: int,
        prompt_total: int,
    ):
        self.kind, self.token, self.text, self.logprob, self.top = kind, token, text, logprob, top
        self.finish_reason, self.prompt_done, self.prompt_total = finish_reason, prompt_done, prompt_total


class Result(_Record):
    """A finished generation.

    `timings`: load_ms, prefill_ms, decode_ms, first_token_ms, prefill_tps, decode_tps; drafted_tokens that prompt lookup
    guessed and computed ahead, accepted_tokens of them that came.
    """

    __slots__ = ("text", "tokens", "finish_reason", "prompt_tokens", "reused_tokens", "timings", "logprobs")

    def __init__(
        self,
        text: str,
        tokens: List[int],
        finish_reason: str,
        prompt_tokens: int,
        reused_tokens: int,
        timings: dict,
        logprobs: Optional[List[dict]] = None,
    ):
        self.text, self.tokens, self.finish_reason = text, tokens, finish_reason
        self.prompt_tokens, self.reused_tokens, self.timings = prompt_tokens, reused_tokens, timings
        self.logprobs: List[dict] = [] if logprobs is None else logprobs

    def __str__(self) -> str:
        return self.text


def token_limit(max_tokens: Optional[int]) -> int:
    """None, 0 and less: no limit (0 in the C interface)."""
    return max(0, int(max_tokens or 0))


def lookup_limit(lookup: Optional[int]) -> int:
    """None: the library's choice (0 in the C interface); 0 and less: none (-1)."""
    return 0 if lookup is None else int(lookup) if lookup > 0 else -1


class PrefixCache:
    """What sessions of one model share of prompts that begin alike: pages of 64 tokens, in at most `max_bytes`.

    Made by Model.prefix_cache(), given to Model.session() or Session.use_prefix_cache(); no other session takes part.
    Results are the same with it and without. Usable from any thread.
    """

    def __init__(self, native: "_native.PrefixCache"):
        self._native = native

    @property
    def stats(self) -> dict:
        """lookups, hits, reused_tokens, entries, bytes, max_bytes, evicted."""
        return self._native.stats()

    def resize(self, max_bytes: int) -> None:
        """Changes max_bytes; what was used least recently goes first."""
        self._native.resize(max_bytes)

    def clear(self) -> None:
        self._native.clear()


class Adapter:
    """A LoRA adapter of a model: a GGUF file of the type "adapter", or a folder as PEFT saves it.

        session.set_adapters([(loquor.Adapter(model, "my-adapter"), 1.0)])
    """

    def __init__(self, model: Model, path):
        self._native = _native.Adapter(model._m, os.fspath(path))

    @property
    def targets(self) -> int:
        """How many matrices it changes."""
        return self._native.targets


class Session:
    """What the model has seen, and what it remembers of it.

    One thread at a time; cancel() from any. A second thread that uses it meanwhile gets InvalidArgument. Computing
    releases the GIL, so several sessions of one model, each in a thread of its own, work at the same time.

    Made by Model.session(). Use it in a `with` statement, or close() it, to free its memory at once.
    """

    def __init__(self, model: "Model", native: "_native.Session"):
        self.model = model
        self._handle: Optional[_native.Session] = native
        self._generation = 0  # counts start(), so that an iterator knows whether it is still its own

    @property
    def _s(self) -> "_native.Session":
        if self._handle is None:
            raise InvalidArgument("the session is closed")
        return self._handle

    def close(self) -> None:
        self._handle = None

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def __len__(self) -> int:
        return self._s.length

    @property
    def capacity(self) -> int:
        """The most tokens it can hold."""
        return self._s.capacity

    @property
    def memory(self) -> int:
        """Bytes it takes now; what forks share is counted in each."""
        return self._s.memory

    def start_profile(self) -> None:
        """From now on sums the time of its computations (not of a batch's) by parts of the network, beginning at nothing."""
        self._s.profile(True)

    def stop_profile(self) -> Dict[str, Dict[str, float]]:
        """What start_profile() has summed: for each part its calls, seconds, and the bytes of weights, keys and values
        that had to be read (each once in a pass); {} if it was not started."""
        parts = self._s.profile()
        self._s.profile(False)
        return parts

    @property
    def tokens(self) -> List[int]:
        """The tokens it holds."""
        return self._s.tokens()

    @property
    def logits(self) -> "numpy.ndarray":
        """Scores of the next token, float32 (n_vocab,): a copy."""
        return self._s.logits()

    def eval(self, tokens: Sequence[int]) -> None:
        """Appends tokens and computes them."""
        self._s.feed(tokens)

    def eval_logits(self, tokens: Sequence[int]) -> "numpy.ndarray":
        """Appends tokens; the scores after each of them, float32 (len(tokens), n_vocab)."""
        return self._s.eval_logits(list(tokens))

    def logits_of(self, ids: Sequence[int], prompt: Optional[Sequence[int]] = None) -> "numpy.ndarray":
        """Scores of the next token for these ids alone, float32 (len(ids),): as logits[ids], without computing the others.

        prompt: the session first holds exactly these tokens, as after set_prompt(). For the letters of a multiple-choice
        question, or any answer among a few.
        """
        return self._s.logits_of([int(i) for i in ids], None if prompt is None else [int(t) for t in prompt])

    def use_prefix_cache(self, cache: Optional[PrefixCache]) -> None:
        """From now on takes over what others have computed of a prompt, and shares what it computes; None: no longer."""
        self._s.use_prefix_cache(None if cache is None else cache._native)

    def set_adapters(self, adapters: Sequence[Tuple[Adapter, float]]) -> None:
        """From now on computes with these adapters times their scales, instead of those before; []: with none.

        The tokens stay; what was computed of them otherwise is computed again. A session with adapters takes no part in
        a prefix cache, and its saved state loads only with the same ones.
        """
        self._s.set_adapters([(a._native, float(scale)) for a, scale in adapters])

    def score(self, tokens: Sequence[int]) -> Tuple[float, int]:
        """Appends tokens; the sum of their log probabilities, and how many of them that is."""
        return self._s.score(list(tokens))

    def set_prompt(self, tokens: Sequence[int]) -> int:
        """Holds exactly these tokens afterwards; returns how many of them were in the cache already."""
        return self._s.set_prompt(list(tokens))

    def rewind(self, n_tokens: int = 0) -> None:
        """Forgets all but the first n_tokens."""
        self._s.rewind(n_tokens)

    def fork(self) -> "Session":
        """A second session with the same tokens; the cache is shared until one of them writes."""
        return Session(self.model, self._s.fork())

    def save(self, path: Union[str, os.PathLike, None] = None) -> Optional[bytes]:
        """Tokens and cache to a file, or as bytes if no path is given."""
        if path is None:
            return self._s.save()
        self._s.save_file(os.fspath(path))
        return None

    def load(self, state: Union[bytes, str, os.PathLike]) -> None:
        """Replaces the contents by a saved state, from bytes or a file."""
        if isinstance(state, (bytes, bytearray, memoryview)):
            self._s.load(bytes(state))
        else:
            self._s.load_file(os.fspath(state))

    def start(
        self,
        prompt: Union[str, Sequence[int], None],
        *,
        max_tokens: Optional[int] = None,
        sampler: Optional[Sampler] = None,
        stop: Sequence[str] = (),
        stop_tokens: Sequence[int] = (),
        logprobs: int = 0,
        ignore_end: bool = False,
        append: bool = False,
        parse_special: bool = False,
        messages: Optional[list] = None,
        tools_json: str = "",
        extra_json: str = "",
        cancel: Optional["_native.Cancel"] = None,
        lookup: Optional[int] = None,
        grammar: Optional["Grammar"] = None,
    ) -> None:
        """Begins a generation and gives up the one before; step() or events() does the work.

        prompt       text, tokens, or None: go on from what the session holds
        max_tokens   None or 0: until the model ends or the context is full
        sampler      None: greedy
        append       the prompt is appended; otherwise it replaces the contents, reusing the longest common prefix
        messages     instead of a prompt: [role, content, JSON of further members] for each, through the chat template
        cancel       a second way to stop, besides cancel()
        lookup       the most tokens that are guessed, from where the last few stood before, and computed ahead; only the
                     time depends on it. None: the library's choice; 0: none; at most 31
        grammar      what is generated is one of its texts; it ends by itself where that is whole and cannot go on
        """
        options = {
            "max_tokens": token_limit(max_tokens),
            "stop": [stop] if isinstance(stop, str) else list(stop or ()),
            "stop_tokens": [int(t) for t in stop_tokens or ()],
            "logprobs": int(logprobs or 0),
            "ignore_end": bool(ignore_end),
            "append": bool(append),
            "parse_special": bool(parse_special),
            "lookup": lookup_limit(lookup),
            "grammar": grammar._native if grammar is not None else None,
        }
        native = sampler._native if sampler is not None else None
        if messages is not None:
            self._s.start_chat(messages, options, native, cancel, tools_json, extra_json)
        elif isinstance(prompt, str):
            self._s.start_text(prompt, options, native, cancel)
        elif prompt is None:
            self._s.start_rest(options, native, cancel)
        else:
            self._s.start_tokens([int(t) for t in prompt], options, native, cancel)
        self._generation += 1

    def step(self, budget_us: Optional[int] = None) -> Event:
        """Works for at most about `budget_us` microseconds, or until the next token. A game calls this once a frame."""
        kind, token, text, logprob, top, finish, done, total = self._s.step(_NO_BUDGET if budget_us is None else int(budget_us))
        return Event(_KINDS[kind], token, text, logprob, top, None if finish == "none" else finish, done, total)

    def events(self) -> Iterator[Event]:
        """The events of the generation that was started, up to and with "done".

        Leaving the loop early stops the generation. If another one is started meanwhile, going on raises
        InvalidArgument, and the other one is not disturbed.
        """
        return self._events(self._generation)

    def _events(self, mine: int) -> Iterator[Event]:
        try:
            while True:
                if self._generation != mine:
                    raise InvalidArgument("this generation was given up: another one was started on its session")
                e = self.step()
                yield e
                if e.kind == "done":
                    return
        finally:
            if self._handle is not None and self._generation == mine:
                try:
                    self._handle.stop()
                except InvalidArgument:  # in use by another thread, whose generation it now is
                    pass

    def stop(self) -> None:
        """Gives up the generation that is going on, keeping what was made; step() then tells "done"."""
        self._s.stop()

    def cancel(self) -> None:
        """Stops what another thread is doing with this session: that call raises Cancelled."""
        self._s.cancel()

    def result(self) -> Result:
        """The last generation so far."""
        r = self._s.result()
        counted = ("finish", "prompt_tokens", "reused_tokens", "generated_tokens")
        timings = {k: v for k, v in r.items() if k not in counted}
        return Result(self._s.output(), self._s.output_tokens(), r["finish"], r["prompt_tokens"], r["reused_tokens"], timings)
