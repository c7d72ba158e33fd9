#!/usr/bin/env python3
"""Stages of Ray Data (loquor.ray) against a plain loop in one process, on the CPUs of this machine.

    pip install . 'ray[data]'
    python examples/bench/bench_ray.py [--workers 2] [--rows 96] [--rounds 3] [--tasks generate,embed,score]

Each round runs, one after the other: the loop with one computing thread, the loop with as many as there are workers, and Ray with so many
workers of one thread each. "in all" is the time from the call to the last row, with the start of the workers and the loading of their models
(the loop's model is loaded before: a program has it anyway); "rows/s" is that of the loop, and for Ray that after the first batch has come back.
Medians of the rounds. The three must make the same rows.
"""

import argparse
import json
import logging
import os
import platform
import statistics
import time

import numpy
import ray

import loquor
import loquor.ray as stages

WORDS = "river stone cloud lamp train paper window garden music engine winter market".split()


def rows_of(task, n):
    """The input rows: dicts of the same columns."""
    if task == "generate":
        return [{"id": i, "prompt": f"Write a sentence about a {WORDS[i % 12]} and a {WORDS[(i * 5 + 3) % 12]}."} for i in range(n)]
    if task == "embed":
        return [{"id": i, "text": " ".join(WORDS[(i * 7 + j * j) % 12] for j in range(20 + i % 60))} for i in range(4 * n)]
    head = "Questions about everyday things, each with a short answer.\n\n"
    return [{"id": i, "prompt": f"{head}Question: Is a {WORDS[i % 12]} larger than a {WORDS[(i // 12) % 12]}?\nAnswer:", "continuation": " " + c} for i in range(n) for c in ("yes", "no, it is not")]


STAGES = {
    "generate": (stages.Generate, dict(model="smollm2", max_tokens=48, n_ctx=1024)),
    "embed": (stages.Embed, dict(model="minilm")),
    "score": (stages.Score, dict(model="smollm2", n_ctx=1024)),
}


def loop(stage, options, data, batch, threads):
    worker = stage(threads=threads, **options)
    out, begin = [], time.perf_counter()
    for i in range(0, len(data), batch):
        part = data[i : i + batch]
        columns = {k: numpy.array([r[k] for r in part], dtype=object if isinstance(part[0][k], str) else None) for k in part[0]}
        out += list(zip(*worker(columns).values()))
    seconds = time.perf_counter() - begin
    return out, seconds, len(data) / seconds


def cluster(stage, options, data, batch, workers):
    rows = ray.data.from_items(data, override_num_blocks=max(workers, len(data) // batch))
    begin, first, late, out = time.perf_counter(), None, 0, []
    for got in stages.run(rows, stage, workers=workers, batch_size=batch, **options).iter_batches(batch_size=None):
        if first is None:
            first = time.perf_counter()
        else:
            late += len(got["id"])
        out += list(zip(*got.values()))
    end = time.perf_counter()
    return out, end - begin, late / (end - first) if late else float("nan")


def same(a, b):
    a, b = (sorted(x, key=lambda row: row[0]) for x in (a, b))
    return len(a) == len(b) and all(numpy.array_equal(x, y) for p, q in zip(a, b) for x, y in zip(p, q))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    ap.add_argument("--rows", type=int, default=96, help="prompts, a quarter of the texts, half of the scored pairs")
    ap.add_argument("--batch", type=int, default=8)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--tasks", default="generate,embed,score")
    ap.add_argument("--json", action="store_true")
    args = ap.parse_args()
    ray.init(num_cpus=args.workers, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    print(f"ray {ray.__version__}, loquor {loquor.__version__}, {loquor.isas()[0]}, {os.cpu_count()} CPUs, {platform.processor() or platform.machine()}; {args.workers} workers, batches of {args.batch}")
    report = {}
    for task in args.tasks.split(","):
        stage, options = STAGES[task]
        data = rows_of(task, args.rows)
        for i, row in enumerate(data):
            row["id"] = i
        figures = {}
        for _ in range(args.rounds):
            runs = {
                "loop, 1 thread": loop(stage, options, data, args.batch, 1),
                f"loop, {args.workers} threads": loop(stage, options, data, args.batch, args.workers),
                f"ray, {args.workers} workers": cluster(stage, options, data, args.batch, args.workers),
            }
            reference = runs["loop, 1 thread"][0]
            for name, (out, seconds, rate) in runs.items():
                if not same(out, reference):
                    raise SystemExit(f"{task}: {name} made other rows than the loop")
                figures.setdefault(name, []).append((seconds, rate))
        report[task] = {name: {"seconds": statistics.median(s for s, _ in f), "rows_per_second": statistics.median(r for _, r in f)} for name, f in figures.items()}
        for name, f in report[task].items():
            print(f"{task:9} {len(data):4} rows  {name:16} {f['seconds']:7.2f} s in all  {f['rows_per_second']:8.1f} rows/s")
    if args.json:
        print(json.dumps(report))


if __name__ == "__main__":
    main()
