"""Vectors of texts, by a text encoder."""

from __future__ import annotations

from . import _native

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Sequence, Union

    from .model import Model


class Embedder:
    """Vectors of texts by a text encoder (a model of the architecture "bert"). One thread at a time.

        embedder = loquor.Embedder(loquor.Model("all-MiniLM-L6-v2"))
        embedder.embed(["How tall is it?", "Its height is 30 m."])      # (2, 384) float32

    max_tokens    longer texts are cut; 0 = as the model says
    batch_tokens  about how many tokens are computed at once; 0 = 1024
    normalize     vectors of length 1, so that a dot product is the cosine
    pooling       "mean", "cls", "last"; default: as the model says
    """

    def __init__(self, model: Model, *, max_tokens: int = 0, batch_tokens: int = 0, normalize: bool = True, pooling: str = ""):
        self._e = _native.Embedder(model._m, max_tokens, batch_tokens, normalize, pooling)

    @property
    def dimension(self) -> int:
        return self._e.dimension

    @property
    def max_tokens(self) -> int:
        return self._e.max_tokens

    def embed(self, texts: Union[str, bytes, Sequence[Union[str, bytes]]]):
        """A float32 array: (dimension) for one text, (n, dimension) for a list of them."""
        single = isinstance(texts, (str, bytes))
        raw = [t.encode("utf-8", "surrogatepass") if isinstance(t, str) else bytes(t) for t in ([texts] if single else texts)]
        out = self._e.embed(raw)
        return out[0] if single else out
