#!/usr/bin/env python3
"""A GPT over characters from scratch: bits per character of held-out text, against the same network in torch, which starts
from the same parameters and sees the same number of windows.

    python examples/history/small_gpt.py TEXT [--steps N] [--no-torch]
                                    needs loquor, numpy, matplotlib, safetensors and torch; a few minutes
"""

import argparse
import math
import pathlib
import tempfile
import time

import numpy as np
from common import picture, plt, report, table

import loquor.nn as nn

C, HEADS, LAYERS, T, BATCH, RATE, WARMUP = 128, 4, 4, 128, 16, 2e-3, 50


def load(path):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    known = {c: i for i, c in enumerate(sorted(set(text)))}
    ids = np.array([known[c] for c in text], np.int32)
    cut = len(ids) * 9 // 10
    return ids[:cut], ids[cut:], sorted(known, key=known.get)


def description(n):
    return (f"embedding {n} {C} std=0.02 | positions {T} {C} | transformer {C} heads={HEADS} layers={LAYERS} ff={4 * C} causal pre_norm gelu | "
            f"layer_norm {C} | linear {C} {n}")


def ours(net, train, held_out, steps, seed):
    trainer = nn.Trainer(net, learning_rate=RATE, schedule="cosine", min_rate=RATE / 10, warmup=WARMUP, batch=BATCH, steps=steps, clip=1.0,
                         weight_decay=0.1, seed=seed)
    losses, start = [], time.monotonic()
    trainer.fit(nn.Text(train, T, T // 2), progress=lambda p: losses.append(p["loss"]))
    seconds = time.monotonic() - start
    return trainer.evaluate(nn.Text(held_out, T)) / math.log(2), seconds, losses


def theirs(net, train, held_out, steps, seed, n):
    import torch
    from torch import nn as tn

    class Positions(tn.Module):
        def __init__(self):
            super().__init__()
            self.weight = tn.Parameter(torch.zeros(T, C))

        def forward(self, x):
            return x + self.weight[: x.shape[1]]

    class Blocks(tn.Module):
        def __init__(self):
            super().__init__()
            self.layers = tn.ModuleList(
                tn.TransformerEncoderLayer(C, HEADS, 4 * C, 0.0, "gelu", batch_first=True, norm_first=True) for _ in range(LAYERS))

        def forward(self, x):
            mask = tn.Transformer.generate_square_subsequent_mask(x.shape[1])
            for layer in self.layers:
                x = layer(x, src_mask=mask, is_causal=True)
            return x

    torch.set_num_threads(2)
    model = tn.Sequential(tn.Embedding(n, C), Positions(), Blocks(), tn.LayerNorm(C), tn.Linear(C, n))
    names = dict(model.named_parameters())
    for name, values in net.parameters().items():
        target = names.get(name, names.get(name.replace("2.", "2.layers.", 1)))
        target.data.copy_(torch.from_numpy(values.copy()))
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=0.1)
    random = np.random.default_rng(seed)
    windows = np.arange(0, len(train) - T - 1, T // 2)
    order = np.concatenate([random.permutation(windows) for _ in range(steps * BATCH // len(windows) + 1)])
    losses, start = [], time.monotonic()
    for step in range(steps):
        at = order[step * BATCH:(step + 1) * BATCH, None] + np.arange(T + 1)
        block = torch.from_numpy(train[at].astype(np.int64))
        rate = RATE * (step + 1) / WARMUP if step < WARMUP else RATE / 10 + 0.9 * RATE * (1 + math.cos(
            math.pi * (step - WARMUP) / (steps - 1 - WARMUP))) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad()
        loss = tn.functional.cross_entropy(model(block[:, :-1]).flatten(0, 1), block[:, 1:].flatten())
        loss.backward()
        tn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(float(loss))
    seconds = time.monotonic() - start
    model.eval()
    total = []
    with torch.no_grad():
        for i in range(0, len(held_out) - T, T):
            block = torch.from_numpy(held_out[i:i + T + 1].astype(np.int64))[None]
            total.append(float(tn.functional.cross_entropy(model(block[:, :-1]).flatten(0, 1), block[:, 1:].flatten())))
    return np.mean(total) / math.log(2), seconds, losses


def write(net, letters, length, seed):
    random, ids = np.random.default_rng(seed), [letters.index("\n")]
    while len(ids) < length:
        p = np.exp(net([ids[-T:]])[0, -1].astype(np.float64) / 0.8)
        ids.append(int(random.choice(len(letters), p=p / p.sum())))
    return "".join(letters[i] for i in ids).strip()


def smooth(losses):
    return np.convolve(losses, np.ones(25) / 25, "valid") / math.log(2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("text")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--no-torch", action="store_true")
    a = parser.parse_args()
    train, held_out, letters = load(a.text)
    rows = []
    for seed in (1, 2):
        net = nn.Network(description(len(letters)), seed=seed, threads=2)
        start = tempfile.NamedTemporaryFile(suffix=".safetensors")
        net.save(start.name)
        bits, seconds, losses = ours(net, train, held_out, a.steps, seed)
        rows.append(["Loquor", seed, f"{bits:.3f}", f"{seconds:.0f} s"])
        print(rows[-1], flush=True)
        plt.plot(smooth(losses), color="#4c72b0", label="Loquor" if seed == 1 else None)
        if not a.no_torch:
            bits, seconds, losses = theirs(nn.Network.load(start.name), train, held_out, a.steps, seed, len(letters))
            rows.append(["torch", seed, f"{bits:.3f}", f"{seconds:.0f} s"])
            print(rows[-1], flush=True)
            plt.plot(smooth(losses), color="#c44e52", linestyle="--", label="torch" if seed == 1 else None)
    plt.ylim(None, 4)
    plt.xlabel("update")
    plt.ylabel("bits per character, learnt text")
    plt.legend()
    sample = write(net, letters, 300, 1).replace("\n", "\n    ")
    report("small gpt", f"""
{LAYERS} layers of {C}, {HEADS} heads, {net.size:,} parameters, windows of {T} characters of {pathlib.Path(a.text).name}, {BATCH} an update, {a.steps:,} updates of AdamW. Both start
from the same parameters; the order of the windows differs. Bits per character of the last tenth of the text, which was not learnt from:

{table(["", "seed", "held out, bits per character", "time (on a shared machine)"], rows)}

{picture("small_gpt")}

What it writes after that (temperature 0.8):

    {sample}
""")


if __name__ == "__main__":
    main()
