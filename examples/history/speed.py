#!/usr/bin/env python3
"""How many characters a second nets of one size learn from, as the sequences grow: a recurrent net goes through them token
by token, a Transformer takes all at once.

    python examples/history/speed.py [TEXT]         needs loquor, numpy, matplotlib; a minute on a quiet machine
"""

import sys
import time

import numpy as np
from common import COLOURS, bodies, cpu, picture, plt, report, table

import loquor
import loquor.nn as nn

LENGTHS, TOKENS, PARAMETERS, WIDTH, SECONDS = (16, 64, 256, 1024), 4096, 200_000, 64, 1.0


def characters(path):
    if not path:
        return np.random.default_rng(0).integers(0, 65, 200_000), 65
    text = open(path, encoding="utf-8").read()
    known = {c: i for i, c in enumerate(sorted(set(text)))}
    return np.array([known[c] for c in text], np.int32), len(known)


def rate(text, ids, length, threads):
    net = nn.Network(text, threads=threads)
    trainer = nn.Trainer(net)
    n = TOKENS // length
    x, y = ids[:TOKENS].reshape(n, length), ids[1:TOKENS + 1].reshape(n, length)
    trainer.step(x, y)
    best, end = 0.0, time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.perf_counter()
        trainer.step(x, y)
        best = max(best, TOKENS / (time.perf_counter() - start))
    return best, net.size


def main():
    ids, n = characters(sys.argv[1] if len(sys.argv) > 1 else None)
    rows = []
    for name, (body, width) in bodies(WIDTH, PARAMETERS).items():
        text = f"embedding {n} {WIDTH} | {body} | linear {width} {n}"
        for threads, style in ((1, "o--"), (2, "o-")):
            rates = [rate(text, ids, length, threads) for length in LENGTHS]
            rows.append([name, f"{rates[0][1]:,}", threads, *(f"{r:,.0f}" for r, _ in rates)])
            plt.semilogx(LENGTHS, [r for r, _ in rates], style, color=COLOURS[name], label=f"{name}, {threads} thread{'s' * (threads > 1)}")
    plt.xticks(LENGTHS, LENGTHS)
    plt.minorticks_off()
    plt.xlabel("characters in a sequence")
    plt.ylabel("characters/s")
    plt.ylim(0, None)
    plt.legend(fontsize=8)
    report("speed", f"""
Characters a second in training (forwards, backwards, AdamW), {TOKENS:,} characters an update whatever the length of the sequences: with long ones the
batch is small, and a recurrent net has less to do at once. The best update of {SECONDS:.0f} s. {cpu()}, {loquor.isas()[0]}:

{table(["network", "parameters", "threads", *LENGTHS], rows)}

{picture("speed")}

On two cores a recurrent net loses nothing as its sequences grow, until there are too few of them (four of 1,024) to fill the products of a step;
a Transformer needs no batch for that, but its attention grows with the square of the length. Its famous advantage is one of machines with
thousands of lanes.
""")


if __name__ == "__main__":
    main()
