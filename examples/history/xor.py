#!/usr/bin/env python3
"""XOR and handwritten digits: what a perceptron cannot and a multi-layer perceptron can.

    python examples/history/xor.py          needs loquor, numpy, matplotlib, scikit-learn; seconds
"""

import numpy as np
from common import picture, plt, report, table
from sklearn.datasets import load_digits

import loquor.nn as nn

X, Y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 0])
PERCEPTRON, MLP = "linear 2 2", "linear 2 8 | tanh | linear 8 2"


def accuracy(net, x, y):
    return float((net(x).argmax(axis=1) == y).mean())


def xor():
    results, nets = {}, {}
    for name, text in (("perceptron", PERCEPTRON), ("MLP", MLP)):
        results[name] = []
        for seed in range(20):
            net = nn.Network(text, seed=seed, threads=1)
            nn.Trainer(net, learning_rate=0.05, epochs=500, seed=seed).fit((X, Y))
            results[name].append(accuracy(net, X, Y))
        nets[name] = net
    return results, nets


def draw(nets):
    grid = np.stack(np.meshgrid(np.linspace(-0.5, 1.5, 120), np.linspace(-0.5, 1.5, 120)), -1).astype(np.float32)
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
    for axis, (name, net) in zip(axes, nets.items()):
        out = net(grid.reshape(-1, 2))
        p = 1 / (1 + np.exp(out[:, 0] - out[:, 1]))
        shown = axis.imshow(p.reshape(120, 120), origin="lower", extent=(-0.5, 1.5, -0.5, 1.5), vmin=0, vmax=1, cmap="coolwarm")
        axis.scatter(*X[Y == 0].T, c="white", edgecolors="black", s=60, label="0")
        axis.scatter(*X[Y == 1].T, c="black", edgecolors="white", s=60, label="1")
        axis.set_title(name)
        axis.legend(loc="center")
        figure.colorbar(shown, ax=axis, label="probability of 1", fraction=0.046)
    return picture("xor")


def digits():
    data = load_digits()
    x, y = (data.data / 16).astype(np.float32), data.target.astype(np.int32)
    order = np.random.default_rng(0).permutation(len(x))
    train, test = order[:1400], order[1400:]
    nets = {"perceptron": "linear 64 10", "1 hidden layer of 128": "linear 64 128 | relu | linear 128 10",
            "2 hidden of 66": "linear 64 66 | relu | linear 66 66 | relu | linear 66 10",
            "4 hidden of 46": "linear 64 46 | relu" + " | linear 46 46 | relu" * 3 + " | linear 46 10",
            "8 hidden of 34": "linear 64 34 | relu" + " | linear 34 34 | relu" * 7 + " | linear 34 10"}
    rows = []
    for name, text in nets.items():
        scores = []
        for seed in range(5):
            net = nn.Network(text, seed=seed)
            nn.Trainer(net, learning_rate=3e-3, epochs=40, seed=seed, weight_decay=0.01, schedule="cosine").fit((x[train], y[train]))
            scores.append(accuracy(net, x[test], y[test]))
        rows.append([name, f"{net.size:,}", f"{100 * np.mean(scores):.1f} %", f"{100 * min(scores):.1f}-{100 * max(scores):.1f} %"])
    return rows


def main():
    results, nets = xor()
    shown = draw(nets)
    rows = [[name, f"`{text}`".replace("|", "\\|"), f"{100 * max(results[key]):.0f} %", f"{sum(a == 1 for a in results[key])} of 20"]
            for name, text, key in (("perceptron", PERCEPTRON, "perceptron"), ("MLP", MLP, "MLP"))]
    report("xor", f"""
A perceptron draws one straight line; XOR needs two. 500 updates by AdamW from each of 20 seeds:

{table(["network", "description", "best accuracy", "all four right"], rows)}

{shown}

Digits (scikit-learn's 8x8 set, 1,400 to learn from, 397 held out), 40 epochs, five seeds, about 10,000 parameters however deep:

{table(["network", "parameters", "held out, mean", "range"], digits())}
""")


if __name__ == "__main__":
    main()
