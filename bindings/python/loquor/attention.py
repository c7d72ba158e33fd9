"""Attention scores one can look at."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional


class AttentionScores:
    """What Model.attention() gives.

    tokens  (T) int32
    pieces  the text of each token
    scores  (n_layers, n_head, T, T) float32: scores[l, h, i] is how token i weighs the tokens it sees; each such row sums to 1
    first   the layer that scores[0] is of
    """

    def __init__(self, tokens: Any, pieces: List[str], scores: Any, first: int):
        self.tokens, self.pieces, self.scores, self.first = tokens, pieces, scores, first

    def plot(self, path: str, *, layer: int = -1, head: Optional[int] = None, heads: bool = False) -> None:
        """Writes a heat map (.png, .svg or .pdf; by matplotlib) with the tokens on both axes.

        layer  counted as in `scores`; -1 is the last one
        head   one head; otherwise the mean of all heads, or with heads=True one map for each
        """
        from .attention_plot import draw

        of = self.scores[layer]
        name = f"layer {self.first + (layer if layer >= 0 else len(self.scores) + layer)}"
        if heads:
            panels = [(f"{name}, head {h}", m) for h, m in enumerate(of)]
        elif head is not None:
            panels = [(f"{name}, head {head}", of[head])]
        else:
            panels = [(f"{name}, mean of {len(of)} heads", of.mean(axis=0))]
        draw(self.pieces, panels, path)
