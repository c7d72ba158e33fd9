"""worker.py ENGINE --model FILE --threads N [--cpus 0,1] [--ctx N] ...: one engine; a JSON job a line in, its result out."""

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))


def make_engine(args):
    if args.engine == "loquor":
        from peers.loquor_engine import Loquor

        return Loquor(args.model, args.threads, args.ctx)
    if args.engine == "llama.cpp":
        from peers.llama_engine import LlamaCpp

        return LlamaCpp(args.model, args.threads, args.ctx, args.n_seq)
    raise SystemExit(f"unknown engine {args.engine}")


def measure(engine, job):
    what = job["what"]
    if what == "logits":
        logits = engine.all_logits(job["tokens"])
        logits.tofile(job["path"])
        return logits.shape[1]
    raise SystemExit(f"unknown job {what}")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("engine")
    ap.add_argument("--model")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--cpus", default="")
    ap.add_argument("--ctx", type=int, default=1024)
    ap.add_argument("--n-seq", type=int, default=1)
    args = ap.parse_args()
    if args.cpus:
        os.sched_setaffinity(0, {int(c) for c in args.cpus.split(",")})
    engine = make_engine(args)
    print(json.dumps(engine.version()), flush=True)
    for line in sys.stdin:
        print(json.dumps(measure(engine, json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
