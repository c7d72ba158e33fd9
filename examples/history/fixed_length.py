#!/usr/bin/env python3
"""A window against recurrence: is the sum of a sequence of -1 and 1 positive? An MLP sees its last ten values, a
recurrent net all of them; both learn from lengths up to 41 and are asked about longer ones as well.

    python examples/history/fixed_length.py         needs loquor, numpy, matplotlib; a minute
"""

import numpy as np
from common import COLOURS, bodies, picture, plt, report, table

import loquor.nn as nn

WINDOW, BATCH, STEPS, SEEDS, PARAMETERS = 10, 64, 1500, 3, 2000
LEARNT, ASKED = (5, 11, 21, 41), (5, 11, 21, 41, 81, 161)


def batch(random, length, n):
    x = random.choice(np.array([-1, 1], np.float32), (n, length, 1))
    return x, (x.sum(axis=(1, 2)) > 0).astype(np.int32)


def window(x):
    out = np.zeros((len(x), WINDOW), np.float32)
    seen = x[:, -WINDOW:, 0]
    out[:, WINDOW - seen.shape[1]:] = seen
    return out


def networks():
    hidden = max(n for n in range(2, 999) if n * (WINDOW + 1) + n * (n + 1) + 2 * (n + 1) <= PARAMETERS)
    nets = {"MLP": f"linear {WINDOW} {hidden} | tanh | linear {hidden} {hidden} | tanh | linear {hidden} 2"}
    for name, (text, width) in bodies(1, PARAMETERS).items():
        if name != "Transformer":
            nets[name] = f"{text} | last | linear {width} 2"
    return nets


def learn(name, text, seed):
    net = nn.Network(text, seed=seed, threads=1)
    trainer = nn.Trainer(net, learning_rate=5e-3, schedule="cosine", steps=STEPS, clip=1.0)
    random = np.random.default_rng(seed)
    for i in range(STEPS):
        x, y = batch(random, LEARNT[i % len(LEARNT)], BATCH)
        trainer.step(window(x) if name == "MLP" else x, y)
    held_out = np.random.default_rng(999)
    scores = []
    for length in ASKED:
        x, y = batch(held_out, length, 1000)
        scores.append(float((net(window(x) if name == "MLP" else x).argmax(axis=1) == y).mean()))
    return net.size, scores


def main():
    rows = []
    for name, text in networks().items():
        runs = [learn(name, text, seed) for seed in range(SEEDS)]
        mean = 100 * np.mean([scores for _, scores in runs], axis=0)
        rows.append([name, f"{runs[0][0]:,}", *(f"{m:.1f} %" for m in mean)])
        plt.plot(ASKED, mean, "o-", color=COLOURS[name], label=name)
    plt.axvline(max(LEARNT), color="grey", linestyle=":", label="longest learnt")
    plt.xscale("log")
    plt.xticks(ASKED, ASKED)
    plt.minorticks_off()
    plt.xlabel("length of the sequence")
    plt.ylabel("accuracy, %")
    plt.legend()
    report("fixed length", f"""
Is the sum of a sequence of -1 and 1 positive? An MLP sees the last {WINDOW} values, recurrent nets see all. {STEPS:,} batches of {BATCH} with
lengths {", ".join(map(str, LEARNT))}; accuracy on 1,000 new sequences of each length, mean of {SEEDS} seeds:

{table(["network", "parameters", *ASKED], rows)}

{picture("fixed_length")}
""")


if __name__ == "__main__":
    main()
