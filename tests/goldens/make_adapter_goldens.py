#!/usr/bin/env python3
"""Writes adapters.json: what PEFT computes with LoRA adapters of random numbers on some of the checkpoints of
hf_families.json, for tests/models/test_adapter.cpp, which makes the same checkpoints and adapters by the same recipe.

    pip install torch transformers peft
    python tests/goldens/make_adapter_goldens.py
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import peft
import torch
import transformers
from make_hf_goldens import fnv, rounded, uniform
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
# case: checkpoint, target modules, rank, alpha, rank-stabilised
CASES = {"llama, all": ("llama", ALL, 4, 6, False), "llama, two": ("llama", ["q_proj", "v_proj"], 3, 5, True),
         "qwen2": ("qwen2", ALL, 4, 6, False)}


def base(golden, folder):
    tensors = {}
    for name, shape, offset, scale in golden["tensors"]:
        values = np.float32(offset) + np.float32(scale) * uniform(fnv(name), int(np.prod(shape)))
        tensors[name] = torch.from_numpy(values).view(shape)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(golden["config"]))
    return transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


def gradients(adapted, ids, names):
    """The loss of the tokens after the first 20, and what its gradients are: norm, and product with a known direction."""
    adapted.train()
    for name, p in adapted.named_parameters():
        p.requires_grad = "lora_" in name
    labels = torch.tensor([[-100] * 21 + ids[21:]])
    loss = adapted(torch.tensor([ids]), labels=labels).loss
    loss.backward()
    found = {name.replace(".default", ""): p.grad.flatten() for name, p in adapted.named_parameters() if p.grad is not None}
    direction = {name: torch.from_numpy(uniform(fnv("direction " + name), found[name].numel())) for name in names}
    return {"loss": float(loss), "tensors": {n: [float(found[n].norm()), float(found[n].double() @ direction[n].double())] for n in names}}


def case(golden, targets, rank, alpha, stable):
    with tempfile.TemporaryDirectory() as tmp:
        folder = pathlib.Path(tmp)
        model = base(golden, folder)
        plain = model(torch.tensor([golden["ids"]])).logits[0, -1].detach()
        config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=targets, use_rslora=stable, task_type="CAUSAL_LM")
        peft.get_peft_model(model, config).save_pretrained(folder / "adapter")
        saved = load_file(folder / "adapter" / "adapter_model.safetensors")
        shapes = {name: list(value.shape) for name, value in sorted(saved.items())}
        filled = {name: torch.from_numpy(np.float32(0.25) * uniform(fnv(name), int(np.prod(s)))).view(s) for name, s in shapes.items()}
        save_file(filled, folder / "adapter" / "adapter_model.safetensors", metadata={"format": "pt"})
        adapted = peft.PeftModel.from_pretrained(base(golden, folder), folder / "adapter").eval()
        logits = adapted(torch.tensor([golden["ids"]])).logits[0].detach()
        learnt = gradients(adapted, golden["ids"], shapes)
        kept = json.loads((folder / "adapter" / "adapter_config.json").read_text())
    print(f"moves the last logits by up to {float((logits[-1] - plain).abs().max()):.3f}", file=sys.stderr)
    keys = ("peft_type", "r", "lora_alpha", "use_rslora", "use_dora", "bias", "fan_in_fan_out", "modules_to_save", "alpha_pattern", "target_modules")
    return {"config": {k: kept.get(k) for k in keys}, "tensors": list(shapes.items()), "gradients": learnt,
            "logits": {str(p): rounded(logits[p].tolist()) for p in (5, 40, 95)}}


def main():
    goldens = json.loads((HERE / "hf_families.json").read_text())["decoders"]
    out = {"made_by": "tests/goldens/make_adapter_goldens.py",
           "versions": {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0]}, "cases": {}}
    for name, (checkpoint, *rest) in CASES.items():
        out["cases"][name] = {"checkpoint": checkpoint, **case(goldens[checkpoint], *rest)}
    (HERE / "adapters.json").write_text(json.dumps(out, separators=(",", ":")).replace('],["', '],\n["') + "\n")


if __name__ == "__main__":
    main()
