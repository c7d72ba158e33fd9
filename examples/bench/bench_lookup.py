#!/usr/bin/env python3
"""Decoding with and without prompt lookup: on answers that copy from the context, and on text that does not.

    python examples/bench/bench_lookup.py [--model FILE] [--threads 2] [--rounds 5] [--tokens 192] [--only WORD] [--json FILE]

Every round generates each answer with guesses and without, in turn, the order alternating; a row shows medians, and the
median of the per-round ratios. The tokens of both are compared, always. Only decoding is timed: prompts are read once.
"""

import argparse
import json
import os
import statistics
import sys

import loquor

PASSAGE = """The harbour lay half asleep under a thin fog. Two fishing boats had come in before dawn, and their crews were
sorting the catch on the quay: mackerel in one row of crates, cod in the other. A boy of about twelve counted the crates
aloud and wrote the numbers on a slate. At eight o'clock the buyer from the city arrived in a small blue lorry, tasted the
coffee that the harbour master offered him, and offered eleven pounds a crate for the cod and six for the mackerel. The
older of the two skippers laughed, put on his cap and walked away; he came back after ten minutes and asked for fourteen."""

CODE = '''def load(path):
    """Reads a file of numbers, one a line."""
    values = []
    with open(path) as f:
        for line in f:
            line = line.strip()
            if not line:
                continue
            values.append(float(line))
    return values


def mean(values):
    total = 0.0
    for v in values:
        total += v
    return total / len(values)


def variance(values):
    m = mean(values)
    total = 0.0
    for v in values:
        total += (v - m) ** 2
    return total / len(values)
'''

PEOPLE = [("Ada Brown", "Leeds", "teacher"), ("Tom Hill", "Oslo", "carpenter"), ("Mia Stone", "Ghent", "nurse"),
          ("Ivan Petrov", "Riga", "engineer"), ("Lucia Ferrari", "Turin", "chemist"), ("Noah Weber", "Basel", "violinist")]

FREE = {
    "story": "Tell me a story about a fox who learns to swim.",
    "explain": "Explain how a refrigerator works.",
    "ideas": "Give me ideas for a birthday party for a ten-year-old.",
    "opinion": "What are the advantages and drawbacks of living in a small town?",
}


def extraction():
    shots = "".join(f'Text: {n} lives in {c} and works there as a {j}.\nJSON: {{"name": "{n}", "city": "{c}", "job": "{j}"}}\n\n'
                    for n, c, j in PEOPLE[:3])
    rest = "".join(f"Text: {n} lives in {c} and works there as a {j}.\n" for n, c, j in PEOPLE[3:])
    return f"Extract name, city and job as JSON.\n\n{shots}{rest}\nWrite the JSON of each of the last texts, one a line."


def passages(path, count=2):
    """Paragraphs of a text file that are long enough to be worth repeating."""
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as f:
        long = [line.strip() for line in f if 700 < len(line) < 1200]
    return long[3 :: max(1, len(long) // count)][:count]


def cases(text):
    """(kind, name, prompt, options): what an answer is made from, and how it is sampled."""
    greedy = {"temperature": 0.0}
    out = [("copy", f"verbatim {i + 1}", "Repeat the following text word for word, and write nothing else.\n\n" + p, greedy)
           for i, p in enumerate([PASSAGE.replace("\n", " ")] + passages(text))]
    out.append(("copy", "code edit", "Write this Python file again with the function `mean` renamed to `average`.\n\n```python\n"
                + CODE + "```\n", greedy))
    out.append(("copy", "extraction", extraction(), greedy))
    for name, prompt in FREE.items():
        out.append(("free", f"{name}, 0.8", prompt, {"temperature": 0.8, "seed": 5}))
        out.append(("free", f"{name}, 1.5", prompt, {"temperature": 1.5, "top_k": 0, "top_p": 1.0, "seed": 5}))
    return out


class Case:
    def __init__(self, model, row, tokens, lookup):
        self.kind, self.name, self.prompt, self.options = row
        self.session = model.session(ctx=2048)
        self.model, self.tokens, self.lookup = model, tokens, lookup
        self.plain, self.guessed, self.ratios, self.counts, self.said = [], [], [], (0, 0), None

    def generate(self, lookup):
        r = self.model.generate(self.prompt, session=self.session, max_tokens=self.tokens, lookup=lookup, **self.options)
        if self.said is None:
            self.said = r.tokens
        if r.tokens != self.said:
            sys.exit(f"{self.name}: the tokens differ")
        return r

    def round(self, number, counted):
        order = (0, self.lookup) if number % 2 else (self.lookup, 0)
        results = {lookup: self.generate(lookup) for lookup in order}
        plain, guessed = results[0], results[self.lookup]
        if counted:
            self.plain.append(plain.timings["decode_tps"])
            self.guessed.append(guessed.timings["decode_tps"])
            self.ratios.append(self.guessed[-1] / self.plain[-1])
            self.counts = (guessed.timings["drafted_tokens"], guessed.timings["accepted_tokens"])

    def row(self):
        m = statistics.median
        return {"kind": self.kind, "name": self.name, "tokens": len(self.said), "plain_tps": m(self.plain),
                "lookup_tps": m(self.guessed), "ratio": m(self.ratios), "ratio_min": min(self.ratios),
                "ratio_max": max(self.ratios), "drafted": self.counts[0], "accepted": self.counts[1]}


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("--model", default="smollm2")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--tokens", type=int, default=192, help="most tokens of an answer")
    p.add_argument("--lookup", type=int, default=None, help="most tokens of a draft (the library's choice)")
    p.add_argument("--only", default="", help="only cases with this word in their kind or name")
    p.add_argument("--text", default=os.path.join(here, "../../../shared/data/text/wiki.test.raw"))
    p.add_argument("--json", help="write the rows to this file")
    a = p.parse_args()
    if a.lookup == 0:
        p.error("--lookup 0 would compare plain decoding with itself")
    model = loquor.Model(a.model, threads=a.threads)
    all_cases = [Case(model, row, a.tokens, a.lookup) for row in cases(a.text) if a.only in row[0] + " " + row[1]]
    for number in range(a.rounds + 1):  # the first one warms up
        for case in all_cases:
            case.round(number, number > 0)
    rows = [case.row() for case in all_cases]
    print(f"loquor {loquor.__version__}, {model.isa}, {a.threads} threads, medians of {a.rounds} rounds")
    print(f"{'':5} {'answer':14} {'tokens':>6} {'plain/s':>8} {'lookup/s':>8} {'ratio (min-max)':>18} {'drafted':>8} {'accepted':>8}")
    for r in rows:
        ratio = f"{r['ratio']:.2f} ({r['ratio_min']:.2f}-{r['ratio_max']:.2f})"
        print(f"{r['kind']:5} {r['name']:14} {r['tokens']:6} {r['plain_tps']:8.1f} {r['lookup_tps']:8.1f} {ratio:>18} "
              f"{r['drafted']:8} {r['accepted']:8}")
    for kind in dict.fromkeys(r["kind"] for r in rows):
        print(f"{kind}: geometric mean {statistics.geometric_mean(r['ratio'] for r in rows if r['kind'] == kind):.3f}")
    if a.json:
        with open(a.json, "w") as f:
            json.dump(rows, f, indent=1)


if __name__ == "__main__":
    main()
