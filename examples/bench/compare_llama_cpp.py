#!/usr/bin/env python3
"""Loquor against llama.cpp on the same file, threads and tokens, in turn in one run.

    python examples/bench/compare_llama_cpp.py [--model FILE] [--threads 2] [--rounds 7] [--json FILE]

Needs `loquor` and `llama-cpp-python` in the environment; build the latter for this CPU:
    CMAKE_ARGS="-DGGML_NATIVE=ON" pip install --no-binary llama-cpp-python llama-cpp-python

Each engine lives in a process of its own, pinned to the same CPUs; only one of them works at a time. Every round measures
one engine and then the other, the order alternating; a row shows the medians and the median of the per-round ratios.
llama.cpp is driven through its C functions (llama_decode), so no Python is inside its timed loops.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

PROMPT = "You are a helpful assistant. Answer briefly. Why do the leaves of many trees turn red and yellow in autumn before they fall?"


def default_model():
    cache = os.environ.get("LOQUOR_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loquor"
    )
    return os.path.join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf")


def bench_tokens(n):
    """n token ids that both engines get: fixed, ordinary (no control tokens), not repeating."""
    return [100 + (i * 7919 + 13) % 40000 for i in range(n)]


class Loquor:
    def __init__(self, model, threads, ctx):
        import loquor

        self.model = loquor.Model(model, threads=threads)
        self.session = self.model.session(ctx=ctx)

    def reset(self):
        self.session.rewind(0)

    def eval(self, tokens):
        self.session.eval(tokens)

    def tokenize(self, text):
        return [int(t) for t in self.model.tokenize(text)]

    def argmax(self):
        return int(self.session.logits.argmax())


class LlamaCpp:
    def __init__(self, model, threads, ctx, flash_attn=None):
        import ctypes

        import llama_cpp
        import numpy

        self.lib, self.np, self.ctypes = llama_cpp, numpy, ctypes
        quiet = llama_cpp.llama_log_callback(lambda level, text, user: None)
        self.quiet = quiet  # the library keeps a pointer to it
        llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        mp = llama_cpp.llama_model_default_params()
        self.m = llama_cpp.llama_model_load_from_file(model.encode(), mp)
        cp = llama_cpp.llama_context_default_params()
        cp.n_ctx, cp.n_batch, cp.n_ubatch = ctx, 512, 512
        cp.n_threads = cp.n_threads_batch = threads
        if flash_attn is not None and hasattr(cp, "flash_attn_type"):
            cp.flash_attn_type = 1 if flash_attn else 0
        self.c = llama_cpp.llama_init_from_model(self.m, cp)
        self.vocab = llama_cpp.llama_model_get_vocab(self.m)
        self.n_vocab = llama_cpp.llama_vocab_n_tokens(self.vocab)

    def reset(self):
        self.lib.llama_memory_clear(self.lib.llama_get_memory(self.c), False)

    def eval(self, tokens):
        arr = (self.lib.llama_token * len(tokens))(*tokens)
        if self.lib.llama_decode(self.c, self.lib.llama_batch_get_one(arr, len(tokens))) != 0:
            raise RuntimeError("llama_decode failed")

    def tokenize(self, text):
        raw = text.encode()
        out = (self.lib.llama_token * (len(raw) + 8))()
        n = self.lib.llama_tokenize(self.vocab, raw, len(raw), out, len(out), True, True)
        return list(out[:n])

    def argmax(self):
        p = self.lib.llama_get_logits_ith(self.c, -1)
        return int(self.np.ctypeslib.as_array(p, shape=(self.n_vocab,)).argmax())


def make_engine(name, args, ctx):
    if name == "loquor":
        return Loquor(args.model, args.threads, ctx)
    return LlamaCpp(args.model, args.threads, ctx)


def measure(engine, job):
    tokens = bench_tokens(job["prompt"])
    engine.reset()
    if job["what"] == "greedy":
        ids = engine.tokenize(PROMPT)
        engine.eval(ids)
        out = []
        for _ in range(job["n"]):
            out.append(engine.argmax())
            engine.eval(out[-1:])
        return out
    start = time.perf_counter()
    for i in range(0, len(tokens), 512):  # llama_decode ends the process when given more than n_batch tokens
        engine.eval(tokens[i : i + 512])
    if job["what"] == "prefill":
        return job["prompt"] / (time.perf_counter() - start)
    if not tokens:
        engine.eval([1])
    start = time.perf_counter()
    for t in bench_tokens(job["n"]):
        engine.eval([t])
    return job["n"] / (time.perf_counter() - start)


def worker(args):
    if args.pin:
        os.sched_setaffinity(0, args.pin)
    if args.worker_job == "serve":
        engine = make_engine(args.worker, args, 1024)
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            print(json.dumps(measure(engine, json.loads(line))), flush=True)
    elif args.worker_job == "first-token":
        started = time.perf_counter()  # after the interpreter's start, before any import of the engine
        engine = make_engine(args.worker, args, 512)
        engine.eval(engine.tokenize(PROMPT))
        token = engine.argmax()
        print(json.dumps({"token": token, "in_process_ms": (time.perf_counter() - started) * 1e3}), flush=True)
        os._exit(0)
    elif args.worker_job == "rss":
        import resource

        engine = make_engine(args.worker, args, 2048)
        measure(engine, {"what": "decode", "prompt": 1800, "n": 64})
        print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024), flush=True)
        os._exit(0)


def spawn(name, job, args, **kwargs):
    cmd = [sys.executable, __file__, "--worker", name, "--worker-job", job, "--model", args.model, "--threads", str(args.threads)]
    cmd += ["--cpus", ",".join(map(str, sorted(args.pin)))] if args.pin else []
    return subprocess.Popen(cmd, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kwargs)


def one_shot(name, job, args):
    start = time.perf_counter()
    p = spawn(name, job, args)
    line = p.stdout.readline()
    elapsed = time.perf_counter() - start
    p.stdin.close()
    p.wait()
    if not line:
        raise SystemExit(f"{name}: the {job} run failed")
    return json.loads(line), elapsed * 1e3


def interleave(rounds, run):
    """run(name) for both engines each round, alternating who goes first."""
    got = {"loquor": [], "llama.cpp": []}
    for r in range(rounds):
        for name in ("loquor", "llama.cpp") if r % 2 == 0 else ("llama.cpp", "loquor"):
            got[name].append(run(name))
    return got


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def row(what, unit, got, higher_is_better, gate):
    ours, theirs = got["loquor"], got["llama.cpp"]
    ratios = [a / b if higher_is_better else b / a for a, b in zip(ours, theirs)]
    return {
        "what": what,
        "unit": unit,
        "loquor": statistics.median(ours),
        "llama.cpp": statistics.median(theirs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "gate": gate,
    }


def compare(args):
    rows = []
    servers = {name: spawn(name, "serve", args) for name in ("loquor", "llama.cpp")}
    for name, p in servers.items():
        if not p.stdout.readline():
            raise SystemExit(f"{name}: could not start")

    def ask(name, **job):
        servers[name].stdin.write(json.dumps(job) + "\n")
        servers[name].stdin.flush()
        return json.loads(servers[name].stdout.readline())

    greedy = {name: ask(name, what="greedy", prompt=0, n=32) for name in servers}
    same = next((i for i, (a, b) in enumerate(zip(greedy["loquor"], greedy["llama.cpp"])) if a != b), 32)
    print(f"greedy continuation of the same prompt: the first {same} of 32 tokens are equal", file=sys.stderr)

    jobs = [
        ("prefill 512", dict(what="prefill", prompt=512, n=0), 2.0),
        ("decode 128, depth 0", dict(what="decode", prompt=0, n=128), 1.1),
        ("decode 128, depth 512", dict(what="decode", prompt=512, n=128), 1.1),
    ]
    for what, job, gate in jobs:
        for name in servers:
            ask(name, **job)  # warm-up
        rows.append(row(what, "tokens/s", interleave(args.rounds, lambda name: ask(name, **job)), True, gate))
        print_row(rows[-1])
    for p in servers.values():
        p.stdin.close()
        p.wait()

    first = interleave(args.rounds, lambda name: one_shot(name, "first-token", args))
    whole = {k: [ms for _, ms in v] for k, v in first.items()}
    inside = {k: [r["in_process_ms"] for r, _ in v] for k, v in first.items()}
    rows.append(row("first token, cold process (Python to Python)", "ms", whole, False, 1.0))
    print_row(rows[-1])
    rows.append(row("  of which import, load and prompt", "ms", inside, False, 1.0))
    print_row(rows[-1])
    rss = interleave(2, lambda name: one_shot(name, "rss", args)[0])
    rows.append(row("peak RSS, 2k context", "MiB", rss, False, 1 / 1.2))
    print_row(rows[-1])
    return rows, greedy


def print_row(r):
    mark = "ok" if r["ratio"] >= r["gate"] else "MISSED"
    print(
        f"| {r['what']:<46} | {r['loquor']:9.1f} | {r['llama.cpp']:9.1f} | {r['unit']:<8} | "
        f"{r['ratio']:5.2f}x ({r['ratio_min']:.2f}-{r['ratio_max']:.2f}) | {r['gate']:.2f}x {mark} |",
        flush=True,
    )


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--model", default=default_model())
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--rounds", type=int, default=7)
    ap.add_argument("--cpus", default="", help="CPU ids to pin both engines to, e.g. 0,1 (default: the first --threads allowed)")
    ap.add_argument("--json", help="also write the rows to this file")
    ap.add_argument("--worker", help=argparse.SUPPRESS)
    ap.add_argument("--worker-job", help=argparse.SUPPRESS)
    args = ap.parse_args()
    allowed = sorted(os.sched_getaffinity(0))
    args.pin = {int(c) for c in args.cpus.split(",")} if args.cpus else set(allowed[: args.threads])
    if args.worker:
        return worker(args)
    print(f"{cpu_name()}, {args.threads} threads on CPUs {sorted(args.pin)}, {args.rounds} interleaved rounds, medians")
    print(f"| {'':<46} | {'Loquor':>9} | {'llama.cpp':>9} | unit     | ratio (min-max)     | at least |")
    print("|---|---|---|---|---|---|")
    rows, greedy = compare(args)
    if args.json:
        with open(args.json, "w") as f:
            json.dump({"cpu": cpu_name(), "threads": args.threads, "rounds": args.rounds, "rows": rows, "greedy": greedy}, f, indent=1)


if __name__ == "__main__":
    main()
