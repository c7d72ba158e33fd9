"""The closed domain of the comparison: 150 facts of examples/rag/company.py, a fifth of which change after training; its documents; texts to learn from."""

import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "rag"))

import company  # noqa: E402
import poison  # noqa: E402

SYSTEM = f"Answer questions about {company.COMPANY} with a few words."
FROM_SOURCES = "Answer the question with a few words from the numbered sources."
# What the tuned prompt is chosen among, by questions that training has seen.
INSTRUCTIONS = [
    FROM_SOURCES,
    "Read the numbered sources and give only the answer, in as few words as possible.",
    "The sources are newer than what you remember. Copy the answer from them, nothing else.",
]


class Domain:
    """Facts before and after the change, and who is asked what."""

    def __init__(self, quick, seed=1):
        rng = random.Random(seed)
        self.old = company.facts()
        if quick:
            self.old = self.old[:15] + self.old[75:90]
        self.changed = {f["id"] for f in rng.sample(self.old, len(self.old) // 5)}
        others = {f["id"]: f for f in company.other_answers(self.old, seed=5)}
        self.new = [others[f["id"]] if f["id"] in self.changed else f for f in self.old]
        n = 20 if quick else 60
        same = [f for f in self.new if f["id"] not in self.changed]
        self.asked_same = [(rng.choice(company.test_questions(f)), f["answer"]) for f in rng.sample(same, min(n, len(same)))]
        moved = [f for f in self.new if f["id"] in self.changed]
        self.asked_changed = [(rng.choice(company.test_questions(f)), f["answer"]) for f in moved]
        self.for_tuning = [(rng.choice(company.train_questions(f)), f["answer"]) for f in rng.sample(self.new, 8 if quick else 24)]

    def documents(self, share=0.0):
        """Each fact in three documents as it is now, `share` of which state something else (trust 0.4, half of them with an order to the reader)."""
        return list(poison.documents(self.new, share, True, 1))

    def examples(self, n=4):
        """Questions and answers of facts that are asked for in other words."""
        return [{"input": company.train_questions(f)[0], "output": f["answer"]} for f in random.Random(3).sample(self.old, n)]


def sources_text(texts, question):
    """As Store.ask shows them."""
    return "Sources:\n" + "".join(f"[{i}] {t}\n" for i, t in enumerate(texts, 1)) + "\nQuestion: " + question


def training_rows(domain, open_book):
    """From memory: every fact in the ways of asking that tests do not have. With sources: one to four statements, whose facts are often not those that
    are learnt, so that what is read counts and not what is remembered."""
    rng = random.Random(7)

    def row(system, user, answer):
        return {"messages": [{"role": "system", "content": system}, {"role": "user", "content": user}, {"role": "assistant", "content": answer}]}

    rows = [row(SYSTEM, q, f["answer"]) for f in domain.old for q in company.train_questions(f)]
    for seed in range(open_book):
        told = company.other_answers(domain.old, seed=20 + seed) if seed % 2 == 0 else domain.old
        for f in told:
            beside = [x["statement"] for x in rng.sample(told, rng.randrange(0, 3)) if x["id"] != f["id"]]
            texts = beside + [rng.choice(poison.WRAPPED).format(s=f["statement"]) for _ in range(rng.randrange(1, 3))]
            rng.shuffle(texts)
            rows.append(row(rng.choice(INSTRUCTIONS), sources_text(texts, rng.choice(company.train_questions(f))), f["answer"]))
    rng.shuffle(rows)
    return rows
