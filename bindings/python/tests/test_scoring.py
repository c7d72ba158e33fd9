"""Log probabilities of given texts against the rows of logits they follow from."""

import numpy as np
import pytest

import loquor
from loquor.scoring import Scorer


def reference(model, context, continuation):
    with model.session(1024) as s:
        rows = s.eval_logits(list(context) + list(continuation)).astype(float)[len(context) - 1 : -1]
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    picked = np.asarray(continuation)
    return rows[np.arange(len(picked)), picked].sum(), bool((rows.argmax(axis=1) == picked).all())


def test_scores_are_sums_of_log_probabilities(model):
    scorer = Scorer(model, 512)
    texts = [("The capital of France is", " Paris"), ("The capital of France is", " London"), ("The capital of France is", " the city of light"), ("", "Once upon a time"),
             ("The capital of Italy is ", "Rome"), ("One two three four", " five six seven eight nine ten")]
    greedy = model.generate("The capital of France is", raw=True, temperature=0, max_tokens=90)
    pairs = [scorer.encode(*t) for t in texts] + [([int(t) for t in model.tokenize("The capital of France is")], greedy.tokens)]
    out = scorer.score_all(pairs)
    for pair, (total, is_greedy) in zip(pairs, out):
        want, want_greedy = reference(model, *pair)
        assert total == pytest.approx(want, abs=2e-3, rel=1e-5) and is_greedy == want_greedy
    assert out[-1][1] and not out[1][1]
    # The order and what was computed before change nothing, to the last bit.
    assert [scorer.score(*p) for p in reversed(pairs)] == out[::-1]
    assert [Scorer(model, 512).score(*p) for p in pairs] == out
    assert scorer.score([1, 2], []) == (0.0, True)


def test_white_space_goes_to_the_continuation(model):
    scorer = Scorer(model, 64)
    context, continuation = scorer.encode("Rome is in ", "Italy")
    assert context == list(model.tokenize("Rome is in")) and model.detokenize(continuation) == b" Italy"
    assert scorer.encode("", "x")[0] == [scorer.prefix_token]


def test_long_contexts_lose_their_beginning(model):
    scorer = Scorer(model, 16)
    tokens = [int(t) for t in model.tokenize("one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen")]
    total, _ = scorer.score(tokens[:-2], tokens[-2:])
    assert total == pytest.approx(reference(model, tokens[-16:-2], tokens[-2:])[0], abs=2e-3)
    with pytest.raises(loquor.InvalidArgument, match="at most 16"):
        scorer.score(tokens, tokens[:16])
    with pytest.raises(loquor.InvalidArgument):
        scorer.score([], tokens[:2])
