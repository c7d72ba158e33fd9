#!/usr/bin/env python3
"""Training steps against torch on the same networks, shapes and threads, in turn in one run.

    python examples/bench/train [--rows R1,R2] [--threads 2] [--seconds S] [--compile]
                                    needs loquor, numpy and torch; on a machine that does nothing else

R1  MLP, RNN, LSTM, GRU with widths of 64 to 256     R2  a GPT of 10 million parameters, T = 256
A step is forwards, backwards and AdamW. Figures are medians of the rounds; each round times both.
"""

import argparse
import math
import pathlib
import re
import statistics
import time

import numpy as np
import torch
from torch import nn as tn

import loquor
import loquor.nn as nn


class First(tn.Module):
    """A recurrent module's outputs alone."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class Last(tn.Module):
    def forward(self, x):
        return x[:, -1]


class GPT(tn.Module):
    def __init__(self, ids, c, heads, layers, t):
        super().__init__()
        self.table, self.positions = tn.Embedding(ids, c), tn.Embedding(t, c)
        self.layers = tn.ModuleList(
            tn.TransformerEncoderLayer(c, heads, 4 * c, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(layers))
        self.norm, self.head = tn.LayerNorm(c), tn.Linear(c, ids)
        self.register_buffer("mask", tn.Transformer.generate_square_subsequent_mask(t))
        self.register_buffer("at", torch.arange(t))

    def forward(self, x):
        x = self.table(x) + self.positions(self.at)
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return self.head(self.norm(x)).flatten(0, 1)


def mlp(width, batch):
    text = f"linear 64 {width} | relu | linear {width} {width} | relu | linear {width} 10"
    module = tn.Sequential(tn.Linear(64, width), tn.ReLU(), tn.Linear(width, width), tn.ReLU(), tn.Linear(width, 10))
    return f"MLP {width}, batch {batch}", text, module, np.random.default_rng(0).standard_normal((batch, 64), np.float32), 10, batch


def recurrent(kind, width, batch, length):
    text = f"{kind} 32 {width} | last | linear {width} 10"
    module = tn.Sequential(First({"rnn": tn.RNN, "lstm": tn.LSTM, "gru": tn.GRU}[kind](32, width, batch_first=True)), Last(), tn.Linear(width, 10))
    x = np.random.default_rng(0).standard_normal((batch, length, 32), np.float32)
    return f"{kind.upper()} {width}, batch {batch}, T {length}", text, module, x, 10, batch


def gpt(batch):
    ids, c, heads, layers, t = 65, 384, 6, 6, 256
    text = (f"embedding {ids} {c} std=0.02 | positions {t} {c} | transformer {c} heads={heads} layers={layers} ff={4 * c} causal pre_norm gelu | "
            f"layer_norm {c} | linear {c} {ids}")
    x = np.random.default_rng(0).integers(0, ids, (batch, t), dtype=np.int32)
    return f"GPT of 10.8 M, batch {batch}, T {t}", text, GPT(ids, c, heads, layers, t), x, ids, batch * t


ROWS = {
    "R1": [lambda: mlp(64, 32), lambda: mlp(256, 128)]
    + [lambda k=k, w=w, b=b, t=t: recurrent(k, w, b, t) for k in ("rnn", "lstm", "gru") for w, b, t in ((64, 16, 50), (256, 32, 50))],
    "R2": [lambda: gpt(4)],
}


def stepper(module, x, y):
    optimizer = torch.optim.AdamW(module.parameters(), 1e-3, weight_decay=0.01)
    tx, ty = torch.from_numpy(x if x.dtype == np.float32 else x.astype(np.int64)), torch.from_numpy(y.astype(np.int64))

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = tn.functional.cross_entropy(module(tx), ty)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def timed(step, seconds):
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end or not times:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(row, make, a):
    name, text, module, x, classes, targets = make()
    y = np.random.default_rng(1).integers(0, classes, targets, dtype=np.int32)
    net = nn.Network(text, threads=a.threads)
    trainer = nn.Trainer(net, learning_rate=1e-3, weight_decay=0.01)
    shaped = y.reshape(x.shape) if x.dtype == np.int32 else y
    sides = {"Loquor": lambda: trainer.step(x, shaped), "torch": stepper(module, x, y)}
    if a.compile:
        sides["torch.compile"] = stepper(torch.compile(make()[2]), x, y)
    for step in sides.values():
        for _ in range(3):
            loss = step()
            assert math.isfinite(loss)
    rounds = [{k: timed(step, a.seconds) for k, step in sides.items()} for _ in range(a.rounds)]
    ours = statistics.median(r["Loquor"] for r in rounds)
    cells = [row, name, f"{1e3 * ours:.2f} ms"]
    for side in list(sides)[1:]:
        ratios = [r[side] / r["Loquor"] for r in rounds]
        cells += [f"{1e3 * statistics.median(r[side] for r in rounds):.2f} ms",
                  f"{statistics.median(ratios):.1f}x ({min(ratios):.1f}-{max(ratios):.1f})"]
    print("| " + " | ".join(cells) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="R1,R2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compile", action="store_true", help="torch.compile too (needs a C++ compiler and minutes)")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    print(f"{cpu}, {loquor.isas()[0]}, {a.threads} threads, torch {torch.__version__}\n")
    head = ["", "step", "Loquor", "torch", "ratio"] + ["torch.compile", "ratio"] * a.compile
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    for row in a.rows.split(","):
        for make in ROWS[row]:
            measure(row, make, a)


if __name__ == "__main__":
    main()
