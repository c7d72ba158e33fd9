"""A small random BERT checkpoint as a Hugging Face folder; what it computes is in tests/goldens/hf_families.json.

    python tests/goldens/tiny_encoder.py FOLDER
"""

import json
import pathlib
import struct
import sys

import numpy as np

GOLDENS = pathlib.Path(__file__).resolve().parent
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


def write(path):
    """Writes it into the folder `path`, which exists."""
    golden = json.loads((GOLDENS / "hf_families.json").read_text())["encoders"]["bert"]
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


if __name__ == "__main__":
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder)
