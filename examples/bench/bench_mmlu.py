#!/usr/bin/env python3
"""MMLU against lm-evaluation-harness over transformers (weights dequantised to fp32) and llama.cpp with a cached prefix.

    python examples/bench/bench_mmlu.py LOQUOR-PROGRAM [--limit 20] [--shots 0] [--subjects a,b] [--model M.gguf]

Needs lm_eval, torch, transformers and gguf; llama-cpp-python where there is. The same first questions of each subject for all, in rounds of
`--group` subjects, one engine after the other within a round, all on the same CPUs. Prints how often the choices agree, the accuracies, and
the seconds each engine needed, loading not counted.
"""

import argparse
import contextlib
import csv
import json
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path += [str(HERE), str(HERE.parents[1] / "tests" / "goldens")]

from peers.env import default_data, default_model, stamp  # noqa: E402

LETTERS = "ABCD"


def read(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [{"question": r[0], "choices": r[1:5], "answer": LETTERS.index(r[5])} for r in csv.reader(file)]


class Loquor:
    name = "loquor"

    def __init__(self, args):
        self.args = args

    def run(self, subjects):
        a = self.args
        out = subprocess.run([a.program, "mmlu", "--model", a.model, "--data", a.data, "--threads", str(a.threads), "--format", "harness", "--json", "--answers",
                              "--shots", str(a.shots), "--limit", str(a.limit), "--subjects", ",".join(subjects)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        report = json.loads(out.stdout)
        return report["seconds"], {(x["subject"], x["index"]): (x["chosen"], x["probability"]) for x in report["answers"]}


class Harness:
    """lm_eval's own task files of MMLU, with the questions read from disk, and its own class for transformers models."""

    name = "lm-evaluation-harness"

    def __init__(self, args):
        import torch
        import transformers
        from lm_eval.models.huggingface import HFLM
        from reference_model import Transformers

        self.args = args
        torch.set_num_threads(args.threads)
        tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.dirname(args.model), gguf_file=os.path.basename(args.model))
        self.lm = HFLM(pretrained=Transformers(args.model).model, tokenizer=tokenizer, batch_size=args.batch, max_length=args.ctx)

    def tasks(self, subjects, folder):
        import lm_eval

        kept = pathlib.Path(lm_eval.__file__).parent / "tasks" / "mmlu" / "default"
        out = []
        for s in subjects:
            for part in ("dev", "test"):
                rows = read(f"{self.args.data}/{part}/{s}_{part}.csv")
                (folder / f"{s}_{part}.json").write_text("\n".join(map(json.dumps, rows[: self.args.limit] if part == "test" else rows)))
            files = json.dumps({p: str(folder / f"{s}_{p}.json") for p in ("dev", "test")})
            own = (kept / f"mmlu_{s}.yaml").read_text().replace('"include": "_default_template_yaml"', f'"include": "{kept}/_default_template_yaml"')
            own = own.replace(f'"dataset_name": "{s}"', f'"dataset_path": "json"\n"dataset_kwargs": {{"data_files": {files}}}')
            (folder / f"{s}.yaml").write_text(own.replace(f'"mmlu_{s}"', f'"local_{s}"'))
            out.append(f"local_{s}")
        return out

    def run(self, subjects):
        import lm_eval
        from lm_eval.tasks import TaskManager

        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
            names = self.tasks(subjects, pathlib.Path(folder))
            manager = TaskManager(include_path=folder, include_defaults=False)
            start = time.perf_counter()
            found = lm_eval.simple_evaluate(self.lm, tasks=names, num_fewshot=self.args.shots, task_manager=manager, log_samples=True, bootstrap_iters=0, verbosity="ERROR")
            seconds = time.perf_counter() - start
        out = {}
        for s, name in zip(subjects, names):
            for x in found["samples"][name]:
                logs = [r[0] for r in x["filtered_resps"]] if isinstance(x["filtered_resps"][0], (list, tuple)) else x["filtered_resps"]
                out[s, x["doc_id"]] = (max(range(4), key=lambda i: logs[i]), logs)
        return seconds, out


class LlamaCpp:
    """The examples' cache kept in llama.cpp's context, the scores of the four letters read."""

    name = "llama.cpp, prefix cached"

    def __init__(self, args):
        from peers.llama_engine import LlamaCpp as Engine

        self.args = args
        self.engine = Engine(args.model, args.threads, args.ctx)
        self.letters = [self.engine.tokenize("Answer: " + c)[-1] for c in LETTERS]

    def text(self, q):
        return q["question"].strip() + "".join(f"\n{LETTERS[i]}. {c}" for i, c in enumerate(q["choices"])) + "\nAnswer:"

    def run(self, subjects):
        out, e, held = {}, self.engine, []
        start = time.perf_counter()
        for s in subjects:
            head = f"The following are multiple choice questions (with answers) about {s.replace('_', ' ')}.\n\n"
            for x in read(f"{self.args.data}/dev/{s}_dev.csv")[: self.args.shots]:
                head += self.text(x) + " " + LETTERS[x["answer"]] + "\n\n"
            for i, q in enumerate(read(f"{self.args.data}/test/{s}_test.csv")[: self.args.limit]):
                ids = e.tokenize(head + self.text(q))
                same = next((k for k, (a, b) in enumerate(zip(held, ids)) if a != b), min(len(held), len(ids) - 1))
                e.rewind(same)
                e.eval(ids[same:])
                held = ids
                scores = e.lib.llama_get_logits_ith(e.c, -1)
                four = [scores[t] for t in self.letters]
                out[s, i] = (max(range(4), key=lambda k: four[k]), four)
        return time.perf_counter() - start, out


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--model", default=default_model())
    p.add_argument("--data", default=os.path.join(default_data(), "mmlu"))
    p.add_argument("--limit", type=int, default=20)
    p.add_argument("--shots", type=int, default=0)
    p.add_argument("--subjects", help="only these; all 57 if not given")
    p.add_argument("--group", type=int, default=8, help="subjects a round")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", type=int, default=1, help="of lm-evaluation-harness")
    p.add_argument("--ctx", type=int, default=4096)
    p.add_argument("--json", help="keep the figures in this file")
    args = p.parse_args()
    logging.disable(logging.WARNING)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])
    subjects = args.subjects.split(",") if args.subjects else sorted(f[: -len("_test.csv")] for f in os.listdir(args.data + "/test"))
    engines = []
    for kind in (Loquor, Harness, LlamaCpp):
        try:
            engines.append(kind(args))
        except ImportError as e:
            print(f"{kind.name}: left out: {e}", file=sys.stderr)
    right = {(s, i): q["answer"] for s in subjects for i, q in enumerate(read(f"{args.data}/test/{s}_test.csv")[: args.limit])}
    seconds, answers = {e.name: [] for e in engines}, {e.name: {} for e in engines}
    for begin in range(0, len(subjects), args.group):
        for e in engines if begin // args.group % 2 == 0 else engines[::-1]:
            took, found = e.run(subjects[begin : begin + args.group])
            seconds[e.name].append(took)
            answers[e.name].update(found)
        print(begin, {k: round(v[-1], 1) for k, v in seconds.items()}, file=sys.stderr)
    report(args, right, seconds, answers)


def report(args, right, seconds, answers):
    ours, kept = answers["loquor"], dict(stamp(), shots=args.shots, questions=len(right), engines={})
    print(f"{len(right)} questions, {args.shots} shots, {args.threads} threads, {kept['cpu']}")
    for name, found in answers.items():
        assert found.keys() == right.keys(), name
        row = {"accuracy": sum(found[k][0] == right[k] for k in right) / len(right), "seconds": sum(seconds[name]),
               "agree": sum(found[k][0] == ours[k][0] for k in right) / len(right)}
        ratios = sorted(a / b for a, b in zip(seconds[name], seconds["loquor"]))
        row["times"] = ratios[len(ratios) // 2]
        kept["engines"][name] = row
        print(f"  {name:26s} accuracy {100 * row['accuracy']:6.2f} %   same choice as loquor {100 * row['agree']:6.2f} %   {row['seconds']:8.1f} s   {row['times']:6.2f}x (median of {len(ratios)} rounds)")
        apart = [max(four) - four[ours[k][0]] for k, (chosen, four) in found.items() if chosen != ours[k][0]]
        if apart:
            print(f"  {'':26s} where they differ, its scores of the two are at most {max(apart):.4f} apart")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()
