#!/usr/bin/env python3
"""Recall: the first token of a sequence is one of eight, noise follows, and the net says at the end which it was. And
the vanishing gradient: how strongly the loss at the end depends on each earlier token, before any training.

    python examples/history/long_dependencies.py        needs loquor, numpy, matplotlib; about five minutes
"""

import time

import numpy as np
from common import COLOURS, bodies, picture, plt, report, table

import loquor.nn as nn

KEYS, NOISE, WIDTH, BATCH, PARAMETERS = 8, 8, 16, 32, 12000
GAPS, SEEDS, STEPS = (10, 25, 50, 100, 200, 400), 3, 800
DISTANCE = 200
RATE = 1e8  # so large that the change is not lost in the rounding of the values


def batch(random, gap, n):
    x = random.integers(KEYS, KEYS + NOISE, (n, gap + 1), dtype=np.int32)
    x[:, 0] = random.integers(0, KEYS, n)
    return x, x[:, 0].copy()


def network(body, ids, classes):
    text, width = body
    return f"embedding {ids} {WIDTH} | {text} | last | linear {width} {classes}"


def open_gates(net, seed):
    """Biases with which gates keep the state for 1 to 400 tokens (Tallec & Ollivier 2018): of an LSTM's forget and input
    gates, of a GRU's update gate."""
    p = net.parameters()
    bias, lstm = p["1.bias_ih_l0"], net.description.split("|")[1].split()[0] == "lstm"
    size = len(bias) // (4 if lstm else 3)
    keep = np.log(np.random.default_rng(seed).uniform(1, max(GAPS), size))
    p["1.bias_hh_l0"][:] = 0
    bias[size:2 * size] = keep
    if lstm:
        bias[:size] = -keep
    return net


def make(name, body, ids, seed):
    net = nn.Network(network(body, ids, KEYS), seed=seed)
    return open_gates(net, seed) if "open" in name else net


def recall(name, body, gap, seed):
    """Accuracy at the end, and the updates until it was 95 % (None: never)."""
    net = make(name, body, KEYS + NOISE, seed)
    trainer = nn.Trainer(net, learning_rate=3e-3, clip=1.0, steps=STEPS)
    random, held_out = np.random.default_rng(seed), batch(np.random.default_rng(99), gap, 256)
    score = 0
    for step in range(1, STEPS + 1):
        trainer.step(*batch(random, gap, BATCH))
        if step % 50 == 0:
            score = float((net(held_out[0]).argmax(axis=1) == held_out[1]).mean())
            if score >= 0.95:
                return score, step
    return score, None


def gradients(name, body):
    """The norm of the loss's gradient at each distance: every position has an id of its own, so that the change of
    the table's rows by one update of plain SGD is the gradient."""
    norms = []
    for seed in range(8):
        net = make(name, body, DISTANCE, seed)
        table_ = net.parameters()["0.weight"]
        before = table_.copy()
        nn.Trainer(net, optimizer="sgd", learning_rate=RATE).step(np.arange(DISTANCE)[None], [seed % KEYS])
        norms.append(np.linalg.norm(table_ - before, axis=1)[::-1] / RATE)
    return np.exp(np.mean(np.log(np.maximum(norms, 1e-15)), axis=0))


def line(name):
    return "--" if "open" in name else "-"


def colour(name):
    return COLOURS[name.split(",")[0]]


def draw_gradients(nets):
    rows = []
    for name, body in nets.items():
        g = gradients(name, body)
        rows.append([name, *(f"{g[d]:.1e}" for d in (0, 10, 50, 199))])
        plt.semilogy(np.arange(DISTANCE), g, line(name), color=colour(name), label=name)
    plt.xlabel("distance from the end, tokens")
    plt.ylabel("norm of the gradient")
    plt.legend()
    return table(["network", "0", "10", "50", "199"], rows), picture("gradients")


def draw_recall(nets):
    rows = []
    for name, body in nets.items():
        cells, means = [], []
        for gap in GAPS:
            start = time.monotonic()
            runs = [recall(name, body, gap, seed) for seed in range(SEEDS)]
            mean, solved = 100 * np.mean([r[0] for r in runs]), [r[1] for r in runs if r[1]]
            means.append(mean)
            cells.append(f"{mean:.0f} %" + (f" ({int(np.median(solved))} updates)" if len(solved) == SEEDS else f" ({len(solved)} of {SEEDS})"))
            print(name, gap, cells[-1], f"{time.monotonic() - start:.0f} s", flush=True)
        rows.append([name, *cells])
        plt.plot(GAPS, means, "o" + line(name), color=colour(name), label=name)
    plt.axhline(100 / KEYS, color="grey", linestyle=":", label="chance")
    plt.xscale("log")
    plt.xticks(GAPS, GAPS)
    plt.minorticks_off()
    plt.xlabel("gap, tokens")
    plt.ylabel("accuracy, %")
    plt.legend()
    return table(["network", *GAPS], rows), picture("recall")


def main():
    made = bodies(WIDTH, PARAMETERS)
    transformer = made.pop("Transformer")
    nets = {**made, **{f"{name}, open gates": made[name] for name in ("LSTM", "GRU")}, "Transformer": transformer}
    recalled, recall_picture = draw_recall(nets)
    vanishing, gradient_picture = draw_gradients(nets)
    report("long dependencies", f"""
Recall: the first token is one of {KEYS}, a gap of noise follows, and at the end the net says which it was. About {PARAMETERS:,} parameters without
embedding and head, {BATCH} sequences an update, AdamW 0.003, at most {STEPS:,} updates, {SEEDS} seeds. Mean accuracy on 256 new sequences (median of
the updates it took to reach 95 %, or how many seeds reached it):

{recalled}

{recall_picture}

Why: the norm of the gradient of the loss at the end with respect to the token at each distance, in networks as they are made (geometric mean of 8;
1e-15 stands for less):

{vanishing}

{gradient_picture}

A recurrent net as it is made forgets within some tens of tokens, an LSTM or GRU no later than a plain one: their gates are half open and lose half
of the state with each token. "Open gates" have the same parameters but biases that make them keep their state for 1 to {max(GAPS)} tokens at
first; a plain RNN has no such thing to set. A Transformer sees every distance alike.
""")


if __name__ == "__main__":
    main()
