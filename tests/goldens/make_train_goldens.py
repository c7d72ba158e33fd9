#!/usr/bin/env python3
"""Writes train.safetensors: a small network before and after six updates by torch's optimizers, for
tests/train/test_optimizer.cpp.

    python tests/goldens/make_train_goldens.py     needs torch and safetensors; the file's metadata names their versions

Tensors: x, t, p/NAME before, and CASE/NAME after. Metadata: for each case its options in words.
"""

import pathlib

import safetensors
import torch
from safetensors.torch import save_file
from torch import nn

torch.manual_seed(7)
net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 3))
x, t = torch.randn(6, 8, 5), torch.randint(0, 3, (6, 8), dtype=torch.int32)
before = {k: v.clone() for k, v in net.state_dict().items()}
tensors = {"x": x, "t": t, **{"p/" + k: v for k, v in before.items()}}
metadata = {"torch": torch.__version__.split("+")[0], "safetensors": safetensors.__version__}

CASES = {
    "sgd": (lambda p: torch.optim.SGD(p, 0.1), 0),
    "momentum": (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01), 0),
    "nesterov": (lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True), 0),
    "adam": (lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1), 0),
    "adamw": (lambda p: torch.optim.AdamW(p, 0.01, betas=(0.8, 0.99), weight_decay=0.1), 0),
    "clipped": (lambda p: torch.optim.SGD(p, 0.5), 0.1),
}
for name, (make, clip) in CASES.items():
    net.load_state_dict(before)
    optimizer = make(net.parameters())
    for i in range(6):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x[i]), t[i].long()).backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
    tensors.update({f"{name}/{k}": v.detach().clone() for k, v in net.state_dict().items()})

save_file(tensors, pathlib.Path(__file__).parent / "train.safetensors", metadata)
