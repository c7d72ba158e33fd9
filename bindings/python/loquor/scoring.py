"""Log probabilities of given texts, contexts that begin alike computed once. What the adapters for lm-evaluation-harness and Ray score with."""

from __future__ import annotations

from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List, Sequence, Tuple

    from .model import Model

_ROWS = 64  # rows of logits held at once where it must be known whether they are greedy: 64 * 49,152 * 4 bytes = 12 MiB


class Scorer:
    """Scores continuations of contexts, both lists of token ids. One thread at a time.

        scorer = loquor.scoring.Scorer(loquor.Model("smollm2"))
        scorer.score(*scorer.encode("The capital of France is", " Paris"))      # (-0.9, False)

    Contexts that begin like the one before are only computed from where they differ: sort what is to be scored (order()).

    n_ctx   tokens that a context and its continuation may have together; 0 = as trained, at most 4096
    """

    def __init__(self, model: Model, n_ctx: int = 0):
        self.model = model
        self.n_ctx = n_ctx or min(model.info()["n_ctx_train"], 4096)
        self._session = model.session(self.n_ctx)
        self._context: List[int] = []
        self._row = None  # log probabilities after _context, float32 (n_vocab,)

    @property
    def prefix_token(self) -> int:
        """What stands before a text without a context: the model's token for a beginning, or else for an end."""
        token = self.model.special_token("bos")
        token = self.model.special_token("eos") if token is None else token
        return 0 if token is None else token

    def encode(self, context: str, continuation: str) -> Tuple[List[int], List[int]]:
        """Token ids of both, cut where the context ends when both are written together; white space at the context's end goes to the
        continuation, as lm-evaluation-harness does it."""
        kept = context.rstrip()
        if not kept:
            return [self.prefix_token], [int(t) for t in self.model.tokenize(context + continuation)]
        whole = self.model.tokenize(context + continuation, add_special=True)
        n = len(self.model.tokenize(kept, add_special=True))
        return [int(t) for t in whole[:n]], [int(t) for t in whole[n:]]

    def score(self, context: Sequence[int], continuation: Sequence[int]) -> Tuple[float, bool]:
        """The sum of the continuation's log probabilities, and whether each of its tokens is the most probable one.

        A context that is too long loses its beginning. Errors: InvalidArgument (no context, or a continuation without room).
        """
        if not continuation:
            return 0.0, True
        room = self.n_ctx - len(continuation)
        if not context or room < 1:
            raise InvalidArgument(f"a context of {len(context)} tokens and a continuation of {len(continuation)}: expected at least 1, and at most {self.n_ctx} together")
        context = list(context[-room:])
        if self._row is None or context != self._context:
            self._row = None
            self._session.set_prompt(context)
            self._row, self._context = _log_softmax(self._session.logits[None])[0], context
        first, rest = int(continuation[0]), list(continuation[1:])
        total, greedy = float(self._row[first]), int(self._row.argmax()) == first
        if not rest:
            return total, greedy
        self._session.set_prompt(context + [first])
        while greedy and rest:  # rare beyond a few tokens; otherwise the scores of all tokens need not be kept
            now, rest = rest[:_ROWS], rest[_ROWS:]
            total, greedy = self._add_rows(now, total)
        return total + (self._session.score(rest)[0] if rest else 0.0), greedy

    def _add_rows(self, tokens: List[int], total: float) -> Tuple[float, bool]:
        import numpy

        rows = _log_softmax(numpy.concatenate([self._session.logits[None], self._session.eval_logits(tokens)])[:-1])
        return total + float(rows[numpy.arange(len(tokens)), tokens].sum(dtype=numpy.float64)), bool((rows.argmax(axis=1) == tokens).all())

    def order(self, pairs: Sequence[Tuple[Sequence[int], Sequence[int]]]) -> List[int]:
        """Indices of pairs of context and continuation, such that those with a common beginning follow each other."""
        return sorted(range(len(pairs)), key=lambda i: (list(pairs[i][0]), list(pairs[i][1])))

    def score_all(self, pairs: Sequence[Tuple[Sequence[int], Sequence[int]]], progress=None) -> List[Tuple[float, bool]]:
        """score() of each pair, computed in the order that shares most; progress is called after each."""
        out: List[Tuple[float, bool]] = [(0.0, True)] * len(pairs)
        for i in self.order(pairs):
            out[i] = self.score(*pairs[i])
            if progress is not None:
                progress()
        return out


def _log_softmax(rows):
    """Log probabilities of float32 rows (n, n_vocab); the sums in float64, as the library forms them."""
    import numpy

    rows = rows - rows.max(axis=1, keepdims=True)
    return rows - numpy.log(numpy.exp(rows).sum(axis=1, keepdims=True, dtype=numpy.float64)).astype(numpy.float32)
