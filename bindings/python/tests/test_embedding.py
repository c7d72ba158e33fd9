"""Text encoders, over a small random checkpoint whose results transformers computed (tests/goldens)."""

import pathlib
import sys

import numpy as np
import pytest

import loquor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
import tiny_encoder  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert")
    tiny_encoder.write(path)
    return path


def test_vectors_of_texts(folder):
    e = loquor.Embedder(loquor.Model(folder, threads=2))
    assert (e.dimension, e.max_tokens) == (64, 128)
    texts = ["Hello there", "the inner text", "", b"bytes too"]
    out = e.embed(texts)
    assert out.shape == (4, 64) and out.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1, rtol=1e-5)
    for row, text in zip(out, texts):
        assert np.array_equal(row, e.embed(text))
    assert np.array_equal(out[0], e.embed("HELLO THERE"))
    assert e.embed([]).shape == (0, 64)
    raw = loquor.Embedder(loquor.Model(folder), normalize=False, pooling="cls").embed("Hello there")
    assert abs(np.linalg.norm(raw) - 1) > 0.1


def test_what_cannot_embed_says_so(folder, tmp_path):
    model = loquor.Model(folder)
    with pytest.raises(loquor.InvalidArgument, match="pooling is 'most'"):
        loquor.Embedder(model, pooling="most")
    with pytest.raises(loquor.InvalidArgument, match="no weights to generate with"):
        model.session()
    assert model.info()["architecture"] == "bert" and model.info()["n_layer"] == 3
    assert loquor.inspect(folder)["tokenizer"] == "bert/bert"
    # A folder becomes a GGUF file, which gives the same vectors.
    loquor.quantize(folder, tmp_path / "bert.gguf", "F32")
    same = loquor.Embedder(loquor.Model(tmp_path / "bert.gguf")).embed("Hello there")
    assert np.array_equal(same, loquor.Embedder(model).embed("Hello there"))


def test_a_language_model_cannot_embed(model):
    with pytest.raises(loquor.Unsupported, match="no text encoder"):
        loquor.Embedder(model)
