"""The figures that are kept: a JSON list of entries, one for each part of a row, file, instruction set and CPU.

An entry: row, file, isa, part, what, peer, unit, ours, theirs, ratio (times better than the peer, median of the rounds'
ratios), ratio_min, ratio_max, score (what gate and aim are about), kind ("ratio", "fraction", "at most", "kept"), gate, aim, rounds,
note, cpu, date, commit, versions. theirs and ratio are absent where there is no peer; missing says why.
"""

import json
import pathlib
import statistics

from . import env

# The rows of the table, in its order.
WHAT = {
    "D1": "decode, depth 0, batch 1", "D2": "decode, depth 512 and 2048", "D4": "fraction of B in D1", "P1": "prefill 512, same file",
    "P2": "prefill 512, llama.cpp's best file", "O1": "prefill ~450 and decode", "B1": "batch-8 decode, all tokens",
    "T1": "first token, cold process", "S1": "sampling", "K1": "tokenizer", "X1": "peak RSS, 2k context chat",
    "X2": "speed kept beside a busy thread", "X3": "frame loop, 2 ms budget", "Q1": "quality against fp32",
}
KEY = ("cpu", "row", "file", "isa")  # all parts of a row are measured together


def load(path):
    path = pathlib.Path(path)
    return json.loads(path.read_text())["entries"] if path.exists() else []


def save(path, entries):
    pathlib.Path(path).write_text(json.dumps({"entries": entries}, indent=1, sort_keys=True) + "\n")


def merge(entries, new):
    """`new` takes the place of what has the same key."""
    keys = {tuple(e.get(k) for k in KEY) for e in new}
    return [e for e in entries if tuple(e.get(k) for k in KEY) not in keys] + new


def compared(ours, theirs, higher_is_better):
    ratios = [a / b if higher_is_better else b / a for a, b in zip(ours, theirs)]
    return {"ours": statistics.median(ours), "theirs": statistics.median(theirs), "ratio": statistics.median(ratios),
            "ratio_min": min(ratios), "ratio_max": max(ratios)}


def entry(row, part, what, unit, ours, theirs=None, higher_is_better=True, kind="ratio", gate=None, aim=None, **more):
    """From the values of all rounds. kind "ratio" scores the ratio; the others score our own figure."""
    e = {"row": row, "part": part, "what": what, "unit": unit, "kind": kind, "gate": gate, "aim": aim, "rounds": len(ours),
         **env.stamp(), **more}
    if theirs:
        e.update(compared(ours, theirs, higher_is_better))
    else:
        e["ours"] = statistics.median(ours)
        e["ours_min"], e["ours_max"] = min(ours), max(ours)
    e["score"] = e.get("ratio") if kind == "ratio" else e["ours"]
    return e


def absent(row, part, what, reason, **more):
    """A row that could not be measured."""
    return {"row": row, "part": part, "what": what, "missing": str(reason), **env.stamp(), **more}


def verdict(e):
    """"met", "aim met", "missed", "not measured" or "" (no gate)."""
    if e.get("gate") is None:
        return ""
    if e.get("score") is None:
        return "not measured"
    good = (lambda limit: e["score"] <= limit) if e["kind"] == "at most" else (lambda limit: e["score"] >= limit)
    if e.get("aim") is not None and good(e["aim"]):
        return "aim met"
    return "met" if good(e["gate"]) else "missed"
