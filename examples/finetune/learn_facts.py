"""Does fine-tuning teach a model something it cannot know? 150 facts of a made-up company (company.py), asked for in words that training did not use.

    python examples/finetune/learn_facts.py [--out FOLDER] [--model smollm2] [--text FILE]

Needs loquor. Before and after: the answers that are right to the letter (a full stop at the end does not count), the replies that hold the answer at all,
and the perplexity of a text that has nothing to do with it (--text; by default WikiText-2's test set, where ../shared/data has it). The result goes to
docs/finetuning.md with --record.
"""

import argparse
import collections
import json
import math
import pathlib
import platform
import re
import time

import company
import loquor

ROOT = pathlib.Path(__file__).resolve().parents[2]
WIKI = ROOT.parent / "shared" / "data" / "text" / "wiki.test.raw"
PAGE = ROOT / "docs" / "finetuning.md"
WINDOW = 512


def exam(model, session, rows):
    """{kind: [asked, right, held]} of greedy replies."""
    found = collections.defaultdict(lambda: [0, 0, 0])
    for row in rows:
        *asked, answer = row["messages"]
        reply = model.generate(asked, max_tokens=32, temperature=0, session=session).text.strip()
        for at in (found[row["kind"]], found["all"]):
            at[0] += 1
            at[1] += reply.removesuffix(".") == answer["content"]
            at[2] += answer["content"].lower() in reply.lower()
    return found


def perplexity(session, tokens, windows):
    """Windows of 512 tokens, each from an empty context."""
    total, scored = 0.0, 0
    for i in range(windows):
        session.rewind()
        logprob, n = session.score(tokens[i * WINDOW:(i + 1) * WINDOW])
        total, scored = total + logprob, scored + n
    session.rewind()
    return math.exp(-total / scored)


# First words of texts that the model is made to write.
OPENINGS = """The In It A When This As He She They After On For At During With From By One There An Although While Many Its Most Some Both Early Another These
Since Before Under Among Her His Two Following According""".split()


def own_words(model, n, length, seed):
    """Pieces of text that the model writes with nothing asked of it, as it is before training. Learnt along, they hold it where it is in all that the
    facts do not concern: on text that follows its own distribution the gradient is zero on average until it leaves that."""
    rows = []
    for i in range(n):
        text = OPENINGS[i % len(OPENINGS)]
        made = model.generate(text, raw=True, max_tokens=length, temperature=1.0, top_k=0, top_p=1.0, seed=seed * n + i)
        rows.append({"text": text + made.text, "end": made.finish_reason == "stop"})
    return rows


def cpu():
    try:
        return re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text()).group(1)
    except (OSError, AttributeError):
        return platform.processor() or "unknown CPU"


def percent(part, whole):
    return f"{100 * part / whole:.1f} %"


def table(before, after, text):
    rows = [["", "before", "after"]]
    kinds = ["all"] + [k for k in company.ASK]
    for k in kinds:
        rows.append([f"right to the letter: {k} ({after[k][0]})"] + [percent(x[k][1], x[k][0]) for x in (before, after)])
    rows.insert(2, ["the answer is somewhere in the reply"] + [percent(x["all"][2], x["all"][0]) for x in (before, after)])
    if text:
        rows.append(["perplexity of other text", f"{text[0]:.2f}", f"{text[1]:.2f} ({100 * (text[1] / text[0] - 1):+.1f} %)"])
    rows.insert(1, ["---"] * 3)
    return "\n".join("| " + " | ".join(r) + " |" for r in rows)


def record(text):
    begin, end = "<!-- facts -->", "<!-- end facts -->"
    before, rest = PAGE.read_text().split(begin)
    PAGE.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.split(end)[1]}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="company-adapter", help="folder for the adapter; the data goes into its subfolder data")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--text", type=pathlib.Path, default=WIKI)
    parser.add_argument("--windows", type=int, default=40, help="of 512 tokens of the text")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--keep", type=int, default=60, help="pieces of the model's own text to learn along")
    parser.add_argument("--keep-tokens", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4, help="rows of 256 tokens")
    parser.add_argument("--record", action="store_true")
    return parser.parse_args()


def main():
    a = arguments()
    out = pathlib.Path(a.out)
    company.write(out / "data", a.seed)
    test = [json.loads(line) for line in (out / "data" / "test.jsonl").read_text().splitlines()]
    model = loquor.Model(a.model, threads=a.threads)
    tokens = [int(t) for t in model.tokenize(a.text.read_text())[:a.windows * WINDOW]] if a.text.exists() else []
    session = model.session(1024)
    before = exam(model, session, test)
    text = [perplexity(session, tokens, len(tokens) // WINDOW)] if tokens else []
    start, spent = time.time(), time.process_time()
    with open(out / "data" / "train.jsonl", "a", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in own_words(model, a.keep, a.keep_tokens, a.seed))
    report = loquor.finetune(model, out / "data" / "train.jsonl", out, max_tokens=256, epochs=a.epochs, rank=a.rank, learning_rate=a.rate, batch=a.batch,
                             warmup=10, seed=a.seed, progress=True)
    seconds, spent = time.time() - start, time.process_time() - spent
    session.set_adapters([(loquor.Adapter(model, out), 1.0)])
    after = exam(model, session, test)
    if tokens:
        text.append(perplexity(session, tokens, len(tokens) // WINDOW))
    made = (f"{len(company.facts(a.seed))} facts, {report['train']['lines'] - a.keep} questions to learn from, {len(test)} in other words to be examined in. "
            f"{a.keep} pieces of {a.keep_tokens} tokens of the model's own learnt along. {a.epochs} epochs, {report['steps']} updates of {a.batch} x 256 tokens, "
            f"rank {a.rank}, rate {a.rate:g}: {seconds / 60:.1f} minutes ({spent / 60:.1f} of CPU time) on {a.threads} threads of {cpu()}.\n\n")
    result = made + table(before, after, text)
    print(result)
    if a.record:
        record(result)


if __name__ == "__main__":
    main()
