"""Attention scores: properties, and that they are drawn where matplotlib is there."""

import numpy as np
import pytest

import loquor


def test_scores_of_a_language_model_are_weights_of_what_a_token_sees(model):
    found = model.attention("The cat sat on the mat.")
    info = model.info()
    n = len(found.tokens)
    assert found.scores.shape == (info["n_layer"], info["n_head"], n, n) and found.scores.dtype == np.float32
    assert found.pieces[:2] == ["The", " cat"]
    np.testing.assert_allclose(found.scores.sum(-1), 1, atol=1e-5)
    assert not np.triu(found.scores, 1).any()
    part = model.attention(found.tokens, first_layer=3, n_layers=2)
    np.testing.assert_array_equal(part.scores, found.scores[3:5])


def test_what_cannot_be_is_refused(model):
    for text, options in (("", {}), ("a", {"first_layer": 1000}), ("a", {"first_layer": -1}), ([10**6], {})):
        with pytest.raises(loquor.InvalidArgument):
            model.attention(text, **options)


def test_a_heat_map_is_drawn(model, tmp_path):
    pytest.importorskip("matplotlib")
    found = model.attention("One $ two\n", n_layers=1)
    for name, options in (("mean.png", {}), ("one.svg", {"head": 1}), ("all.png", {"heads": True})):
        found.plot(str(tmp_path / name), **options)
        assert (tmp_path / name).stat().st_size > 1000
