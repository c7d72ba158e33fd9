#!/usr/bin/env python3
"""Writes tests/goldens/logits.json: what transformers (fp32, on the dequantised weights) and llama.cpp give for the 50
prompts of reference_model.py, at the last position and up to three inner ones of each, as the 64 best ids and logits,
the log-sum-exp, and eight signed sums over all logits (so that no part of the vector goes unseen), and transformers'
greedy continuation of 64 tokens with the distance to the second best at each step.

    python tests/goldens/make_logits_goldens.py [MODEL.gguf]     # needs torch, transformers, gguf, llama-cpp-python
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from reference_model import LlamaCpp, Transformers, find_model, prompts

TOP, SUMS, CONTINUE = 64, 8, 64


def positions(n):
    return sorted({0, n // 3, 2 * n // 3, n - 1})


def signs(n_vocab):
    """Row s, column i is +1 or -1 by bit s of (i * 2654435761 mod 2^32) >> 13."""
    h = (np.arange(n_vocab, dtype=np.uint64) * 2654435761 % (1 << 32)) >> 13
    return np.stack([1.0 - 2.0 * ((h >> s) & 1) for s in range(SUMS)])


def summary(row, sign):
    row = row.astype(np.float64)
    top = np.argsort(-row, kind="stable")[:TOP]
    peak = row.max()
    return {"lse": round(float(peak + np.log(np.exp(row - peak).sum())), 6), "ids": top.tolist(),
            "logits": [round(float(v), 5) for v in row[top]], "sums": [round(float(v), 3) for v in sign @ row]}


def main():
    path = find_model(sys.argv[1] if len(sys.argv) > 1 else None)
    peer, reference = LlamaCpp(path), Transformers(path)
    sign, cases = None, []
    for ids in prompts(peer.tokenize):
        ref, other = reference.logits(ids), peer.logits(ids)
        sign = signs(ref.shape[1]) if sign is None else sign
        at = positions(len(ids))
        greedy, gaps = reference.greedy(ids, CONTINUE)
        cases.append({"ids": ids, "at": at, "reference": [summary(ref[p], sign) for p in at],
                      "llama_cpp": [{k: v for k, v in summary(other[p], sign).items() if k != "sums"} for p in at],
                      "greedy": greedy, "gaps": [round(g, 5) for g in gaps]})
        print(f"{len(cases)}/50: {len(ids)} tokens", file=sys.stderr)
    sha = hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
    out = {"made_by": "tests/goldens/make_logits_goldens.py", "versions": [reference.version, peer.version],
           "model_sha256": sha, "cases": cases}
    target = pathlib.Path(__file__).with_name("logits.json")
    target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{target}: {target.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
