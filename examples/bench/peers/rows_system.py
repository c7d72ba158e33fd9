"""Rows T1, X1, X2, X3: starting, memory, a busy neighbour, a frame loop."""

import json
import os
import statistics
import subprocess
import sys
import time

from . import results
from .drive import Absent, interleave

ENGINES = {"ours": "loquor", "theirs": "llama.cpp"}


def both(b, rounds, run):
    """interleave(run(engine)) for both engines, or ours alone and the reason."""
    try:
        run("llama.cpp")
    except Absent as e:
        return interleave(rounds, {"ours": lambda: run("loquor")}), {"missing": str(e)}
    return interleave(rounds, {k: lambda e=e: run(e) for k, e in ENGINES.items()}), {}


def first_token(b):
    got, more = both(b, b.args.rounds, lambda engine: b.once("first_token", engine, ctx=512))
    more |= {**b.base(), "peer": "llama.cpp", "gate": 1.5, "aim": 5.0}

    def row(part, what, pick):
        values = {k: [pick(v) for v in vs] for k, vs in got.items()}
        return results.entry("T1", part, what, "ms", values["ours"], values.get("theirs"), higher_is_better=False, **more)

    whole = row("process", "first token, cold process, Python to Python", lambda v: v[1])
    whole["note"] = command_line_note(b)
    return [whole, row("inside", "  of which import, load and prompt", lambda v: v[0]["in_process_ms"])]


def command_line_note(b):
    """Our command line's whole process, for comparison: llama.cpp's is not in its Python package."""
    def run():
        start = time.perf_counter()
        b.tool("loquor", "generate", "--model", b.args.model, "--threads", b.args.threads, "--max-tokens", 1, "--json",
               "--prompt", "Why do the leaves of many trees turn red and yellow in autumn?")
        return (time.perf_counter() - start) * 1e3

    try:
        return f"Loquor's command line: {statistics.median(run() for _ in range(5)):.0f} ms for the whole process"
    except Absent as e:
        return str(e)


def memory(b):
    got, more = both(b, min(b.args.rounds, 3), lambda engine: b.once("rss", engine, ctx=2048)[0])
    # gate 1.0: not more than llama.cpp; aim 0.8: a fifth less
    return [results.entry("X1", "", "peak RSS, 2k context chat", "MiB", got["ours"], got.get("theirs"), higher_is_better=False,
                          peer="llama.cpp", gate=1.0, aim=1 / 0.8, **b.base(), **more)]


class Spinner:
    """A foreign process that never stops computing."""

    def __init__(self, cpus):
        self.p = subprocess.Popen([sys.executable, "-c", "while True: pass"], preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        time.sleep(0.3)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.kill()
        self.p.wait()


def kept(b, engine, cpus, seconds=1.5):
    """Speed beside the foreign thread as a part of the quiet speed."""
    w = b.worker(engine, ctx=1024)
    quiet = w.ask("decode_for", seconds=seconds)
    with Spinner(cpus):
        disturbed = w.ask("decode_for", seconds=seconds)
    return disturbed / quiet


def neighbour(b):
    cases = {"pinned": ({b.args.pin[0]}, "speed kept beside a busy thread on one of our cores"),
             "free": (set(b.args.pin), "speed kept beside a busy thread that may use all our cores")}
    out = []
    for part, (cpus, what) in cases.items():
        got, more = both(b, b.args.rounds, lambda engine, cpus=cpus: kept(b, engine, cpus))
        out.append(results.entry("X2", part, what, "of quiet", got["ours"], got.get("theirs"), kind="kept", peer="llama.cpp",
                                 gate=0.45, aim=0.6, **b.base(), **more))
    return out


def frame_loop(b, seconds=45, budget_us=2000):
    """Beside it the same loop with a step that only watches the clock: what the machine itself adds."""
    def run(*more):
        return json.loads(b.tool("frame_loop", b.args.model, seconds, budget_us, *more, "--json", cpus=b.args.pin[:1]))

    out, control = run(), run("--control")
    over = out["over_ms"]
    clock = control["over_ms"]
    note = (f"{out['frames']} frames, {out['tokens']} tokens; over by p99 {over['p99']:.3f}, most {over['most']:.3f} ms; a step that only "
            f"watches the clock on this machine: p99 {clock['p99']:.3f}, p99.9 {clock['p999']:.3f}, most {clock['most']:.3f} ms")
    return [results.entry("X3", "", "frame loop, 2 ms budget, one core: p99.9 over the budget", "ms", [over["p999"]], kind="at most",
                          peer="none has it", gate=0.5, aim=0.2, note=note, **b.base())]
