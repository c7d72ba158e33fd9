"""LoRA adapters, on a small checkpoint whose adapted logits PEFT computed (tests/goldens)."""

import json
import pathlib
import struct
import sys

import numpy as np
import pytest

import loquor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
from tiny_encoder import tokenizer, uniform  # noqa: E402

GOLDENS = pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"


def save(path, tensors):
    header, data = {}, b""
    for name, values in tensors.items():
        raw = values.astype(np.float32).tobytes()
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def test_pefts_logits(tmp_path):
    base = json.loads((GOLDENS / "hf_families.json").read_text())["decoders"]["llama"]
    golden = json.loads((GOLDENS / "adapters.json").read_text())["cases"]["llama, all"]
    (tmp_path / "config.json").write_text(json.dumps(base["config"]))
    words = {**tokenizer(), "normalizer": None, "post_processor": None, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}}
    words["model"] = {"type": "BPE", "merges": [], "vocab": {**{w["content"]: w["id"] for w in words["added_tokens"]}, **{chr(33 + i): 4 + i for i in range(94)}}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(words))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"unk_token": "[UNK]"}))
    save(tmp_path / "model.safetensors",
         {n: (np.float32(o) + np.float32(s) * uniform(n, int(np.prod(d)))).reshape(d) for n, d, o, s in base["tensors"]})
    folder = tmp_path / "adapter"
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(golden["config"]))
    save(folder / "adapter_model.safetensors", {n: (np.float32(0.25) * uniform(n, int(np.prod(d)))).reshape(d) for n, d in golden["tensors"]})
    model = loquor.Model(tmp_path, compute="f32")
    session = model.session(128, kv_type="f32")
    session.set_prompt(base["ids"])
    plain = session.logits.copy()
    adapter = loquor.Adapter(model, folder)
    assert adapter.targets == len(golden["tensors"]) // 2
    session.set_adapters([(adapter, 1.0)])
    expected = np.array(golden["logits"]["95"])
    assert np.abs(session.logits - expected).max() <= 1e-3 * expected.std()
    session.set_adapters([])
    assert np.array_equal(session.logits, plain)
    with pytest.raises(loquor.NotFound):
        loquor.Adapter(model, tmp_path / "none")
