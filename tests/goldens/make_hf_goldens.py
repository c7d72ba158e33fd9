#!/usr/bin/env python3
"""Writes hf_families.json: what transformers computes with small checkpoints of random weights, one or more of each
family that Loquor loads from Hugging Face folders.

    pip install torch transformers
    python tests/goldens/make_hf_goldens.py [NAME ...]      (only those are made anew)

The weights are not kept: each tensor is offset + scale * u, with u from a recipe that tests/hf_checkpoint.hpp has too, so
that the test writes the same config.json and model.safetensors and loads them. Kept are the configuration, the tensors'
names and shapes, and of the results: logits at some positions of a text and 64 greedy tokens after it, or for encoders
the hidden states of a text's first and last tokens and the mean of all.
"""

import json
import math
import pathlib
import sys

import numpy as np
import torch
import transformers
from hf_configs import DECODERS, ENCODERS

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1
N_IDS, N_GREEDY, POSITIONS = 96, 64, (5, 40, 95)


def fnv(text):
    h = 0xCBF29CE484222325
    for b in text.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def uniform(seed, n):
    """SplitMix64: n numbers k / 2^23 in [-1, 1)."""
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return ((z >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) / np.float32(1 << 23)


def recipe(name, shape, gemma):
    """offset and scale (a power of two, so that the sum is exact)."""
    if len(shape) == 1:
        norm = "norm" in name.lower() or ".ln_" in name or name.endswith(("ln_f.weight", "layernorm.weight"))
        return (0.0 if gemma else 1.0, 0.25) if norm and name.endswith("weight") else (0.0, 0.25)
    if "embed" in name or "wte" in name or "wpe" in name:
        return 0.0, 0.125 if gemma else 1.0  # gemma multiplies by the root of the width
    return 0.0, 2.0 ** round(math.log2(math.sqrt(3 / shape[-1]))) * (2 if "lm_head" in name or "embed_out" in name else 1)


def checkpoint_names(model):
    """As save_pretrained names them: transformers 5 keeps some models under other names in memory."""
    import tempfile

    from safetensors import safe_open

    with tempfile.TemporaryDirectory() as tmp:
        model.save_pretrained(tmp)
        with safe_open(pathlib.Path(tmp) / "model.safetensors", "pt") as f:
            saved = {k: f.get_tensor(k) for k in f.keys()}
        config = json.loads((pathlib.Path(tmp) / "config.json").read_text())
    return saved, config


def rounded(values):
    return [float(f"{v:.6g}") for v in values]


def tidy(config):
    return {k: v for k, v in config.items() if k not in ("transformers_version", "architectures", "dtype", "torch_dtype")}


def fill_saved(saved, model, config):
    """Weights by their saved names: the recipe goes into the file, and the model is loaded from it."""
    import tempfile

    from safetensors.torch import save_file

    tensors, out = [], {}
    for name, value in sorted(saved.items()):
        shape = list(value.shape)
        offset, scale = recipe(name, shape, config.model_type.startswith("gemma"))
        data = np.float32(offset) + np.float32(scale) * uniform(fnv(name), value.numel())
        out[name] = torch.from_numpy(data).view(shape)
        tensors.append([name, shape, offset, scale])
    with tempfile.TemporaryDirectory() as tmp:
        save_file(out, pathlib.Path(tmp) / "model.safetensors", metadata={"format": "pt"})
        config.save_pretrained(tmp)
        filled = type(model).from_pretrained(tmp, attn_implementation="eager", dtype=torch.float32)
    return filled.eval(), tensors


def make(name, config, auto):
    torch.manual_seed(0)
    config._attn_implementation = "eager"
    model = auto.from_config(config)
    saved, kept = checkpoint_names(model)
    return (*fill_saved(saved, model, config), tidy(kept))


def ids_of(name, n_vocab):
    return [int(x) for x in (uniform(fnv("ids of " + name), N_IDS) + 1) / 2 * (n_vocab - 8) + 4]


@torch.no_grad()
def decoder(name, config):
    model, tensors, kept = make(name, config, transformers.AutoModelForCausalLM)
    ids = ids_of(name, config.vocab_size)
    logits = model(torch.tensor([ids])).logits[0]
    greedy, margins = [], []
    row = logits[-1]
    while len(greedy) < N_GREEDY:
        top = row.topk(2)
        margins.append(float(top.values[0] - top.values[1]) / float(row.std()))
        greedy.append(int(top.indices[0]))
        row = model(torch.tensor([ids + greedy])).logits[0, -1]
    print(f"{name}: least margin {min(margins):.2g} of the spread", file=sys.stderr)
    return {"config": kept, "tensors": tensors, "ids": ids, "greedy": greedy,
            "logits": {str(p): rounded(logits[p].tolist()) for p in POSITIONS}}


@torch.no_grad()
def encoder(name, config):
    model, tensors, kept = make(name, config, transformers.AutoModel)
    ids = ids_of(name, config.vocab_size)
    hidden = model(torch.tensor([ids])).last_hidden_state[0]
    return {"config": kept, "tensors": tensors, "ids": ids, "first": rounded(hidden[0].tolist()),
            "last": rounded(hidden[-1].tolist()), "mean": rounded(hidden.mean(0).tolist())}


def main():
    path = HERE / "hf_families.json"
    old = json.loads(path.read_text()) if path.exists() else {"decoders": {}, "encoders": {}}
    wanted = set(sys.argv[1:])
    out = {"made_by": "tests/goldens/make_hf_goldens.py",
           "versions": {"transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}}
    for kind, configs, run in (("decoders", DECODERS, decoder), ("encoders", ENCODERS, encoder)):
        out[kind] = {}
        for name, config in configs.items():
            keep = wanted and name not in wanted and name in old[kind]
            out[kind][name] = old[kind][name] if keep else run(name, config())
    text = json.dumps(out, separators=(",", ":")).replace('],["', '],\n["').replace('},"', '},\n"')
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
