"""How the next token is chosen."""

from __future__ import annotations

import os

from . import _native
from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Callable, Dict, Optional, Sequence, Union

    import numpy.typing


class Sampler:
    """A chain of stages, run in the order they are added; then a token is drawn. Empty: greedy.

        Sampler(seed=1).add("top_k", 40).add("temperature", 0.7)

    `names()` lists the stages. A stage of your own is a function (tokens, logits, history) of NumPy arrays: it changes
    `logits` in place; what it sets to -inf is dropped.
    """

    def __init__(self, seed: int = 0):
        self._native = _native.Sampler()
        self._native.seed(seed & 0xFFFFFFFFFFFFFFFF)

    @staticmethod
    def names() -> list:
        """The stages that add() knows by name."""
        return _native.sampler_names().split(",")

    def add(self, stage: Union[str, Callable[..., object]], *values: float) -> "Sampler":
        """Appends a stage: a name with its parameters, or a function."""
        if callable(stage):
            self._native.add_callback(stage)
        else:
            self._native.add(stage, [float(v) for v in values])
        return self

    def bias(self, token: int, value: float) -> "Sampler":
        """Adds `value` to the token's logit; -inf forbids it."""
        self._native.bias(token, value)
        return self

    def sample(self, logits: numpy.typing.ArrayLike, history: Sequence[int] = (), position: int = 0) -> int:
        """The token that the chain chooses from these scores, float32 (n_vocab,)."""
        return self._native.sample(logits, list(history), position)


def make_sampler(
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    typical_p: float,
    repeat_penalty: float,
    frequency_penalty: float,
    presence_penalty: float,
    logit_bias: Optional[Dict[int, float]],
    seed: Optional[int],
    stage: Optional[Callable] = None,
) -> Sampler:
    """The usual chain: penalties, top-k, typical-p, top-p, min-p, temperature. Stages that would do nothing are left out."""
    s = Sampler(int.from_bytes(os.urandom(8), "little") if seed is None or seed < 0 else seed)
    for token, value in (logit_bias or {}).items():
        try:
            number, amount = int(token), float(value)
        except (TypeError, ValueError):
            raise InvalidArgument(f"logit_bias: {token!r}: {value!r}, expected a token id and a number") from None
        s.bias(number, amount)
    if repeat_penalty != 1.0:
        s.add("repeat_penalty", repeat_penalty)
    if frequency_penalty != 0.0:
        s.add("frequency_penalty", frequency_penalty)
    if presence_penalty != 0.0:
        s.add("presence_penalty", presence_penalty)
    if stage is not None:
        s.add(stage)
    if temperature == 0:
        return s.add("greedy")
    if top_k > 0:
        s.add("top_k", top_k)
    if typical_p < 1.0:
        s.add("typical_p", typical_p)
    if top_p < 1.0:
        s.add("top_p", top_p)
    if min_p > 0.0:
        s.add("min_p", min_p)
    return s.add("temperature", temperature)
