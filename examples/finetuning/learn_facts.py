#!/usr/bin/env python3
"""Does fine-tuning teach a model facts it does not know, and what does it cost what it knew?

    python examples/finetuning/learn_facts.py [--model smollm2] [--text wiki.test.raw] [--json FIGURES.json]

Trains an adapter on 150 facts of a company that does not exist (company.py), each in five phrasings, and asks for them in two others. Exact match before
and after, the perplexity of an ordinary text before and after, and the time.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time

import loquor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import company  # noqa: E402

SYSTEM = "Answer with a few words."


def asked(question):
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}]


TOPICS = """The history of|A city in|Rivers and lakes of|The life of|Species of|The band|The film|The season of|The battle of|Chemistry of|The bridge over|Music of the|A novel by|The law on|The railway
from|Birds found in|The economy of|A theory about|The church of|The game was""".replace("\n", " ").split("|")


def own_texts(model, n, length=200):
    """What the model writes by itself: learning it too keeps what the model knows (rehearsal without old data, after Robins 1995)."""
    for i in range(n):
        yield {"text": TOPICS[i % len(TOPICS)] + model.generate(TOPICS[i % len(TOPICS)], raw=True, max_tokens=length, temperature=1.0, top_k=0, top_p=1.0, seed=i).text}


def rows(facts):
    for f in facts:
        for q in company.train_questions(f):
            yield {"messages": asked(q) + [{"role": "assistant", "content": f["answer"]}]}


def exact_match(model, facts, adapters):
    right = []
    with model.session(512) as s:
        s.set_adapters(adapters)
        for f in facts:
            for q in company.test_questions(f):
                text = model.generate(asked(q), temperature=0, max_tokens=16, session=s).text
                right.append(company.right(f["answer"], text))
    return sum(right) / len(right), len(right)


def perplexity(model, path, adapters, windows=20, n_ctx=512):
    with open(path, encoding="utf-8") as file:
        tokens = list(model.tokenize(file.read(400000)))
    total = count = 0
    with model.session(n_ctx) as s:
        s.set_adapters(adapters)
        for w in range(windows):
            s.rewind(0)
            part = tokens[w * n_ctx : (w + 1) * n_ctx]
            s.eval(part[: n_ctx // 2])
            logs, n = s.score(part[n_ctx // 2 :])
            total, count = total + logs, count + n
    return math.exp(-total / count)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default="smollm2")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--epochs", type=int, default=10)
    p.add_argument("--rate", type=float, default=4e-4)
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--rehearsal", type=int, default=80, help="texts of the model's own that are learnt beside the facts")
    p.add_argument("--facts", type=int, default=150, help="only the first ones")
    p.add_argument("--text", help="an ordinary text, for perplexity before and after")
    p.add_argument("--out", help="keep the adapter in this folder")
    p.add_argument("--json", help="keep the figures in this file")
    args = p.parse_args()
    model = loquor.Model(args.model, threads=args.threads)
    facts = company.facts()[: args.facts]
    before, questions = exact_match(model, facts, [])
    print(f"{len(facts)} facts, {questions} questions in phrasings not trained on; exact match before: {100 * before:.1f} %", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        out = args.out or os.path.join(folder, "adapter")
        begin = time.monotonic()
        data = list(rows(facts)) + list(own_texts(model, args.rehearsal))
        report = loquor.finetune(model, data, out, epochs=args.epochs, learning_rate=args.rate, rank=args.rank, batch=args.batch, max_tokens=256, warmup=10, progress=True)
        minutes = (time.monotonic() - begin) / 60
        adapters = [(loquor.Adapter(model, out), 1.0)]
        after, _ = exact_match(model, facts, adapters)
        figures = dict(facts=len(facts), questions=questions, before=before, after=after, minutes=minutes, tokens=report["train"]["tokens"], steps=report["steps"], loss=report["loss"],
                       tokens_per_s=report["train"]["tokens"] * args.epochs / report["seconds"])
        if args.text:
            figures["perplexity_before"], figures["perplexity_after"] = perplexity(model, args.text, []), perplexity(model, args.text, adapters)
    print(f"after {figures['steps']} steps, {minutes:.1f} minutes, {figures['tokens_per_s']:.0f} tokens/s: {100 * after:.1f} %")
    if args.text:
        print(f"perplexity of the ordinary text: {figures['perplexity_before']:.3f} before, {figures['perplexity_after']:.3f} after ({100 * (figures['perplexity_after'] / figures['perplexity_before'] - 1):+.1f} %)")
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
