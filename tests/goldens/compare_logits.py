#!/usr/bin/env python3
"""Compares every logit of Loquor and of llama.cpp with transformers (fp32, on the dequantised weights of the same file)
over the 50 prompts of reference_model.py, and greedy continuations of 64 tokens (fewer and shorter ones if asked).

    python tests/goldens/compare_logits.py build/bin/dump_logits [MODEL.gguf] [--json OUT] [--longest N] [--continue N]

Prints, for each engine: mean KL(reference || engine) and top-1 agreement over all positions and over last positions, the
largest |logit difference|, and where each greedy continuation first leaves the reference, with the reference's distance
between its best two logits there: a difference is explained when that distance is within the engine's error.
Needs torch, transformers, gguf, llama-cpp-python. Exits 1 if a bound of the project is missed.
"""

import argparse
import json
import subprocess
import sys
import tempfile

import numpy as np
from reference_model import LlamaCpp, Transformers, find_model, prompts


class Ours:
    """dump_logits reads {"prompts": [[ids]...], "greedy": n} and streams all logits, then the continuations."""

    def __init__(self, tool, path, ids, mode, n):
        job = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump({"prompts": ids, "greedy": n}, job)
        job.flush()
        self.job = job
        self.process = subprocess.Popen([tool, path, job.name, *mode], stdout=subprocess.PIPE)
        self.n_vocab, self.n = None, n

    def read(self, count, dtype):
        data = self.process.stdout.read(4 * count)
        if len(data) != 4 * count:
            sys.exit("dump_logits ended early")
        return np.frombuffer(data, dtype)

    def logits(self, ids):
        if self.n_vocab is None:
            self.n_vocab = int(self.read(1, "<i4")[0])
        return self.read(len(ids) * self.n_vocab, "<f4").reshape(len(ids), self.n_vocab)

    def greedy(self):
        return self.read(self.n, "<i4").tolist()


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


class Tally:
    def __init__(self, name):
        self.name, self.kl, self.last_kl, self.same, self.last_same, self.worst = name, [], [], [], [], 0.0
        self.leaves = []

    def add(self, reference, ref_log, logits):
        kl = (np.exp(ref_log) * (ref_log - log_softmax(logits))).sum(axis=1)
        same = reference.argmax(axis=1) == logits.argmax(axis=1)
        self.kl += kl.tolist()
        self.same += same.tolist()
        self.last_kl.append(float(kl[-1]))
        self.last_same.append(bool(same[-1]))
        self.worst = max(self.worst, float(np.abs(reference - logits).max()))

    def add_greedy(self, case, expected, gaps, found):
        at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b), None)
        if at is not None:
            self.leaves.append({"prompt": case, "step": at, "gap": gaps[at]})

    def summary(self):
        gaps = [e["gap"] for e in self.leaves]
        return {"engine": self.name, "positions": len(self.kl), "mean_kl": float(np.mean(self.kl)),
                "max_kl": float(np.max(self.kl)), "top1": float(np.mean(self.same)),
                "mean_kl_last": float(np.mean(self.last_kl)), "top1_last": float(np.mean(self.last_same)),
                "max_dlogit": self.worst, "greedy_same": len(self.last_kl) - len(self.leaves),
                "greedy_largest_gap_at_difference": max(gaps, default=0.0), "greedy_differences": self.leaves}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("model", nargs="?")
    parser.add_argument("--json")
    parser.add_argument("--longest", type=int, default=512, help="leave out prompts of more tokens")
    parser.add_argument("--continue", type=int, default=64, dest="n", help="length of the greedy continuations")
    args = parser.parse_args()
    path = find_model(args.model)
    peer, reference = LlamaCpp(path), Transformers(path)
    ids = [p for p in prompts(peer.tokenize) if len(p) <= args.longest]
    modes = {"loquor": [], "loquor, Q8_0 cache": ["--kv", "Q8_0"], "loquor, reference mode": ["--reference", "--kv", "F32"]}
    ours = {name: Ours(args.tool, path, ids, mode, args.n) for name, mode in modes.items()}
    tallies = {name: Tally(name) for name in [*modes, "llama.cpp"]}
    expected = []
    for i, prompt in enumerate(ids):
        ref = reference.logits(prompt)
        ref_log = log_softmax(ref)
        for name, engine in [*ours.items(), ("llama.cpp", peer)]:
            tallies[name].add(ref, ref_log, engine.logits(prompt))
        expected.append(reference.greedy(prompt, args.n))
        tallies["llama.cpp"].add_greedy(i, *expected[-1], peer.greedy(prompt, args.n))
        print(f"{i + 1}/{len(ids)}", file=sys.stderr, end="\r")
    for name, engine in ours.items():
        for i in range(len(ids)):
            tallies[name].add_greedy(i, *expected[i], engine.greedy())
    report = [t.summary() for t in tallies.values()]
    for r in report:
        print({k: v for k, v in r.items() if k != "greedy_differences"})
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"versions": [reference.version, peer.version], "engines": report}, f, indent=1)
    ok = report[0]["mean_kl"] <= 1e-3 and report[0]["top1"] >= 0.98 and report[2]["max_dlogit"] <= 1e-3
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
