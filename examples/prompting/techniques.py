#!/usr/bin/env python3
"""Prompting techniques measured with a small model on public questions: zero-shot, role, few-shot, chain of thought, self-consistency.

    python examples/prompting/techniques.py [--model smollm2] [--data ../shared/data] [--tasks topic,mmlu,gsm8k] [--scale 1] [--json FILE]

Tasks: "topic", which of eight subjects a question of MMLU is from; "mmlu", questions of all 57 subjects, answered; "gsm8k", grade-school
problems, by the number they end with. Every technique gets the same questions; examples come from MMLU's dev files and from test questions that
are not asked. Printed: accuracy with its 95 % interval (Wilson), the difference to zero-shot with its interval (paired), tokens and seconds a question.
"""

import argparse
import csv
import json
import math
import pathlib
import random
import re
import time

import loquor
from loquor.evaluation import last_number

TOPICS = ["astronomy", "anatomy", "computer security", "high school us history", "marketing", "nutrition", "philosophy", "international law"]
LETTERS = "ABCD"


def read_csv(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def topic_task(data, n, rng):
    """{"questions", "examples", "options", "roles"}: the question alone, without its answers, and its subject."""
    asked, examples = [], []
    for topic in TOPICS:
        rows = [r for r in read_csv(data / "mmlu" / "test" / f"{topic.replace(' ', '_')}_test.csv") if len(r[0]) < 400]
        rng.shuffle(rows)
        asked += [{"input": r[0], "output": topic} for r in rows[: n // len(TOPICS)]]
        examples += [{"input": r[0], "output": topic} for r in rows[-8:]]
    rng.shuffle(examples)
    return {"questions": asked, "examples": examples, "options": {"choices": TOPICS},
            "instructions": "Name the subject of the question: " + ", ".join(TOPICS) + ".", "role": "You are a librarian who sorts exam questions by their subject."}


def with_choices(row):
    return row[0] + "".join(f"\n{LETTERS[i]}. {c}" for i, c in enumerate(row[1:5]))


def mmlu_task(data, n, rng):
    asked, examples = [], []
    for file in sorted((data / "mmlu" / "test").glob("*_test.csv")):
        rows = [r for r in read_csv(file) if len(with_choices(r)) < 1200]
        asked += [{"input": with_choices(r), "output": r[5]} for r in rng.sample(rows, max(1, n // 57))]
        examples += [{"input": with_choices(r), "output": r[5]} for r in read_csv(data / "mmlu" / "dev" / file.name.replace("_test", "_dev")) if len(with_choices(r)) < 1200]
    rng.shuffle(examples)
    return {"questions": asked, "examples": examples, "options": {"choices": list(LETTERS)},
            "instructions": "Answer the question with the letter of the right answer.", "role": "You are a professor who knows the answer to every exam question."}


def gsm8k_task(data, n, rng):
    rows = [json.loads(line) for line in open(data / "gsm8k" / "test.jsonl", encoding="utf-8")]
    rng.shuffle(rows)
    made = []
    for r in rows:
        reasoning, answer = r["answer"].split("####")
        made.append({"input": r["question"], "output": answer.strip().replace(",", ""), "reasoning": re.sub(r"<<.*?>>", "", reasoning).strip()})
    return {"questions": made[:n], "examples": made[-40:], "options": {"regex": "-?[0-9]{1,9}(\\.[0-9]{1,2})?"},
            "instructions": "Solve the problem. The answer is a number.", "role": "You are a teacher of mathematics who explains every step and never errs."}


TASKS = {"topic": (topic_task, 400), "mmlu": (mmlu_task, 285), "gsm8k": (gsm8k_task, 160)}


def techniques(task, encoder, thinks):
    """{name: options of Prompt}"""
    plain = [{k: v for k, v in e.items() if k != "reasoning"} for e in task["examples"]]
    shown = [e for e in task["examples"] if "reasoning" in e]
    cot = {"reasoning_tokens": thinks}
    out = {
        "zero-shot": {},
        "role": {"role": task["role"]},
        "4 examples, the first": {"examples": plain, "shots": 4},
        "8 examples, the first": {"examples": plain, "shots": 8},
        "4 examples, drawn": {"examples": plain, "shots": 4, "choice": "random", "seed": 1},
        "4 examples, the nearest": {"examples": plain, "shots": 4, "choice": "nearest", "encoder": encoder},
        "8 examples, the nearest": {"examples": plain, "shots": 8, "choice": "nearest", "encoder": encoder},
        "role, 8 nearest": {"examples": plain, "shots": 8, "choice": "nearest", "encoder": encoder, "role": task["role"]},
        "chain of thought": cot,
        "chain of thought, 5 votes": {**cot, "votes": 5, "temperature": 0.7},
    }
    if shown:
        out["chain of thought, 4 examples"] = {**cot, "examples": shown, "shots": 4}
        out["the same, 5 votes"] = {**cot, "examples": shown, "shots": 4, "votes": 5, "temperature": 0.7}
    return out


def wilson(k, n, z=1.96):
    p, d = k / n, 1 + z * z / n
    middle, half = (p + z * z / (2 * n)) / d, z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / d
    return middle - half, middle + half


def paired(a, b, z=1.96):
    """The mean of a - b and half its interval."""
    d = [x - y for x, y in zip(a, b)]
    mean = sum(d) / len(d)
    return mean, z * math.sqrt(sum((x - mean) ** 2 for x in d) / (len(d) - 1) / len(d))


def same(task_name, given, right):
    return last_number(given) == last_number(right) if task_name == "gsm8k" else given.strip() == right


def run(name, task, model, encoder, thinks):
    rows = {}
    for technique, options in techniques(task, encoder, thinks).items():
        prompt = loquor.Prompt(instructions=task["instructions"], max_tokens=24, budget=2048, **{**task["options"], **options})
        begin, right, tokens, dropped = time.perf_counter(), [], 0, 0
        for q in task["questions"]:
            answer = prompt.ask(model, q["input"])
            right.append(float(same(name, answer["text"], q["output"])))
            tokens += answer["prompt_tokens"] + answer["generated_tokens"]
            dropped += bool(answer["dropped"])
        n = len(right)
        rows[technique] = {"right": right, "tokens": tokens / n, "seconds": (time.perf_counter() - begin) / n, "cut": dropped}
        print(table_row(technique, rows), flush=True)
    return rows


def table_row(technique, rows):
    r = rows[technique]
    right = r["right"]
    low, high = wilson(sum(right), len(right))
    mean, half = paired(right, rows["zero-shot"]["right"]) if technique != "zero-shot" else (0, 0)
    difference = f"{100 * mean:+.1f} ± {100 * half:.1f}" + (" *" if abs(mean) > half else "") if technique != "zero-shot" else ""
    return f"| {technique} | {100 * sum(right) / len(right):.1f} % ({100 * low:.0f}-{100 * high:.0f}) | {difference} | {r['tokens']:.0f} | {r['seconds']:.2f} |"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="smollm2")
    p.add_argument("--encoder", default="minilm")
    p.add_argument("--data", default=str(pathlib.Path(__file__).resolve().parents[3] / "shared" / "data"))
    p.add_argument("--tasks", default=",".join(TASKS))
    p.add_argument("--scale", type=float, default=1, help="times the number of questions")
    p.add_argument("--thinks", type=int, default=140, help="tokens of reasoning")
    p.add_argument("--json")
    a = p.parse_args()
    kept = {}
    with loquor.Model(a.model) as model, loquor.Model(a.encoder) as encoder:
        for name in a.tasks.split(","):
            make, n = TASKS[name]
            task = make(pathlib.Path(a.data), int(n * a.scale), random.Random(0))
            print(f"\n{name}: {len(task['questions'])} questions\n\n| technique | right (95 %) | against zero-shot, points | tokens | seconds |\n|---|---|---|---|---|")
            kept[name] = run(name, task, model, encoder, a.thinks)
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps(kept))


if __name__ == "__main__":
    main()
