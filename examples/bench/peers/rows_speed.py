"""Rows D1, D2, D4, P1, P2, B1: speed against llama.cpp on the same tokens, and decode against the memory's speed."""

import json

from . import results
from .bench import RANDOM, weights
from .drive import Absent, interleave

# Gates and aims of the model's own file; other files: at least 1.2x decode and 2x prefill over llama.cpp.
GATES = {"D1": (1.6, 2.5), "D2": (2.0, 3.0), "D4": (0.75, 0.92), "P1": (7.0, 12.0), "P2": (3.0, 5.0), "B1": (4.0, 8.0)}
OTHER_GATES = {"D1": (1.2, None), "D2": (1.2, None), "P1": (2.0, None), "B1": (1.2, None)}
BATCH = 8


def tokens(file, n):
    """How many tokens a measurement makes: a quarter with the large files, whose every token takes long enough."""
    return n // 4 if file in RANDOM else n


def gates(b, row, file):
    if b.isa:
        return {}  # no gate is set for another instruction set than the CPU's best
    gate, aim = (GATES if file == "Q4_1" else OTHER_GATES)[row]
    return {"gate": gate, "aim": aim}


def against_llama(b, row, part, what, file, job, ctx, flash=None, llama_file=None, peer="llama.cpp", **more):
    """One entry; job: (name, arguments) for both workers. Without llama.cpp our figure stands alone."""
    base = {**b.base(file), "peer": peer, **gates(b, row, file), **more}
    options = {} if flash is None else {"flash_attn": flash}
    ours = b.worker("loquor", file, ctx=ctx)
    try:
        theirs = b.worker("llama.cpp", llama_file or file, ctx=ctx, **options)
    except Absent as e:
        got = interleave(b.args.rounds, {"ours": lambda: ours.ask(job[0], **job[1])})
        return results.entry(row, part, what, "tokens/s", got["ours"], missing=str(e), **base)
    got = interleave(b.args.rounds, {"ours": lambda: ours.ask(job[0], **job[1]), "theirs": lambda: theirs.ask(job[0], **job[1])})
    return results.entry(row, part, what, "tokens/s", got["ours"], got["theirs"], versions=[ours.info, theirs.info], **base)


def decode_0(b, file="Q4_1"):
    bytes_, _ = weights(b.file(file))
    return [against_llama(b, "D1", "depth 0", "decode, depth 0, batch 1", file, ("decode", dict(depth=0, n=tokens(file, 128))), 2304,
                          bytes_per_token=bytes_)]


def decode_deep(b, file="Q4_1", depths=(512, 2048)):
    n = tokens(file, 64)
    return [against_llama(b, "D2", f"depth {d}", f"decode, depth {d}", file, ("decode", dict(depth=d, n=n)), 2304) for d in depths]


def decode_512(b, file):
    return decode_deep(b, file, (512,))


def fraction_of_memory(b, file="Q4_1"):
    """Decode and the memory's read speed in turn, so that both see the same state of the machine."""
    bytes_, _ = weights(b.file(file))
    ours = b.worker("loquor", file, ctx=2304)
    got = interleave(b.args.rounds, {"ours": lambda: ours.ask("decode", depth=0, n=128),
                                     "memory": lambda: b.roofline("read96", rounds=1)["read96"]["value"]})
    parts = [v * bytes_ / 1e9 / m for v, m in zip(got["ours"], got["memory"])]
    memory = sorted(got["memory"])[len(parts) // 2]
    return [results.entry("D4", "", "fraction of B in D1", "", parts, kind="fraction", peer="roofline", **gates(b, "D4", file),
                          note=f"{bytes_ / 1e6:.1f} MB a token; B = {memory:.1f} GB/s in the same rounds", **b.base(file))]


def prefill(b, file="Q4_1"):
    _, layers = weights(b.file(file))
    return [against_llama(b, "P1", "", "prefill 512, same file", file, ("prefill", dict(n=512)), 2304, macs_per_token=layers)]


def prefill_best(b, file="Q4_1"):
    """Our speed on the model's file against llama.cpp's on each of its own quantisations; the fastest one is the row."""
    found = []
    for kind in ("Q4_0", "Q8_0"):
        found.append(against_llama(b, "P2", "", "prefill 512, llama.cpp's best file", file, ("prefill", dict(n=512)), 2304,
                                   llama_file=kind, peer=f"llama.cpp, {kind}"))
    best = max(found, key=lambda e: e.get("theirs", 0))
    best["note"] = "; ".join(f"{e['peer']}: {e['theirs']:.0f} tokens/s" for e in found if "theirs" in e)
    return [best]


def batch(b, file="Q4_1"):
    what = f"batch-{BATCH} decode, all tokens"
    base, n = {**b.base(file), "peer": "llama.cpp", **gates(b, "B1", file)}, tokens(file, 64)

    def ours():
        out = b.tool("loquor", "bench", "--model", b.file(file), "--threads", b.args.threads, "--prompt-tokens", 0, "--gen-tokens",
                     n, "--batch", BATCH, "--reps", 1, "--json")
        return json.loads(out)["decode_tps"]

    try:
        theirs = b.worker("llama.cpp", file, ctx=BATCH * 256, n_seq=BATCH)
    except Absent as e:
        return [results.entry("B1", "", what, "tokens/s", interleave(b.args.rounds, {"ours": ours})["ours"], missing=str(e), **base)]
    got = interleave(b.args.rounds, {"ours": ours, "theirs": lambda: theirs.ask("batch", n_seq=BATCH, n=n)})
    return [results.entry("B1", "", what, "tokens/s", got["ours"], got["theirs"], versions=[theirs.info], **base)]
