"""Text encoders, over a small random checkpoint whose results transformers computed (tests/goldens)."""

import json
import pathlib
import struct

import numpy as np
import pytest

import loquor

GOLDENS = pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"
MASK = (1 << 64) - 1


def uniform(name, n):
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) / np.float32(1 << 23)


def tokenizer():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocab = {w: i for i, w in enumerate(words)}
    for c in "abcdefghijklmnopqrstuvwxyz":
        vocab[c] = len(vocab)
        vocab["##" + c] = len(vocab)
    return {"added_tokens": [{"id": i, "content": w, "special": True} for i, w in enumerate(words)],
            "normalizer": {"type": "BertNormalizer", "lowercase": True}, "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]"}},
                                                                        {"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "[SEP]"}}]},
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "vocab": vocab}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    golden = json.loads((GOLDENS / "hf_families.json").read_text())["encoders"]["bert"]
    path = tmp_path_factory.mktemp("bert")
    (path / "config.json").write_text(json.dumps(golden["config"]))
    (path / "tokenizer.json").write_text(json.dumps(tokenizer()))
    (path / "tokenizer_config.json").write_text(json.dumps({"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}))
    header, data = {}, b""
    for name, shape, offset, scale in golden["tensors"]:
        values = (np.float32(offset) + np.float32(scale) * uniform(name, int(np.prod(shape)))).tobytes()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
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
