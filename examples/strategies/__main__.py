#!/usr/bin/env python3
"""Which strategy, when? Prompts, retrieval, fine-tuning and their combinations on one closed domain, in one table.

    python examples/strategies [--quick] [--write docs/strategies.md]

A company that no model has read about: 150 facts, asked for in words that training did not see. A fifth of the facts change after training; the documents are
kept up to date, the adapter is not. Then 30 % of the documents are poisoned. Each strategy runs in a process of its own, so that its memory can be
told. --quick (30 facts, 3 minutes) shows that it runs; its figures mean little.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "bench")]

import domain  # noqa: E402
import loquor  # noqa: E402
import strategies  # noqa: E402
from peers.env import stamp  # noqa: E402

POISONED = 0.3


def words(text):
    return re.findall(r"\w+", re.sub(r"\[\d+\]", "", text).casefold())


def exact(text, answer):
    return float(words(text) == words(answer))


def f1(text, answer):
    """Of the words, as SQuAD has it (Rajpurkar et al. 2016)."""
    a, b = words(text), words(answer)
    same = sum((collections.Counter(a) & collections.Counter(b)).values())
    return 2 * same / (len(a) + len(b)) if same else 0.0


def examine(answer, asked):
    begin, tokens, em, overlap, held = time.perf_counter(), 0, 0.0, 0.0, 0.0
    for question, right in asked:
        text, n = answer(question)
        tokens, em, overlap = tokens + n, em + exact(text, right), overlap + f1(text, right)
        held += " ".join(words(right)) in " ".join(words(text))
    n = len(asked)
    return {"em": em / n, "f1": overlap / n, "held": held / n, "tokens": tokens / n, "ms": 1e3 * (time.perf_counter() - begin) / n, "n": n}


# ---- what is done in processes of their own: each prints a line of JSON ----------------------------------------------


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def build_store(a):
    begin = time.perf_counter()
    with loquor.Model(a.encoder, threads=a.threads) as encoder:
        for name, share in (("now", 0.0), ("poisoned", POISONED)):
            with loquor.Store(os.path.join(a.folder, name + ".store"), encoder) as store:
                store.add(domain.Domain(a.quick).documents(share))
            if name == "now":
                seconds = time.perf_counter() - begin
    return {"seconds": seconds, "mb": peak_mb()}


def train(a):
    begin = time.perf_counter()
    with loquor.Model(a.model, threads=a.threads) as model:
        report = loquor.finetune(model, domain.training_rows(domain.Domain(a.quick), 3), os.path.join(a.folder, "adapter"), max_tokens=256, epochs=2 if a.quick else a.epochs,
                                 rank=a.rank, learning_rate=a.rate, warmup=10, seed=1)
    return {"seconds": time.perf_counter() - begin, "mb": peak_mb(), "steps": report["steps"], "loss": report["loss"]}


def one(a):
    function, stored, adapted = strategies.ALL[a.one]
    d = domain.Domain(a.quick)
    begin = time.perf_counter()
    with loquor.Model(a.model, threads=a.threads) as model, loquor.Model(a.encoder, threads=a.threads) as encoder:
        setting = strategies.Setting(model, d, adapter=os.path.join(a.folder, "adapter") if adapted else "")
        if stored:
            setting.store = loquor.Store(os.path.join(a.folder, "now.store"), encoder, read_only=True)
        out = {"load": time.perf_counter() - begin}
        if "tuned" in a.one:
            setting.tuned, out["tuning"] = strategies.tune(setting, exact)
            out["tuned"] = setting.tuned
        answer = function(setting)
        out["same"], out["changed"] = examine(answer, d.asked_same), examine(answer, d.asked_changed)
        out["poisoned"] = out["same"]
        if stored:
            setting.store = loquor.Store(os.path.join(a.folder, "poisoned.store"), encoder, read_only=True)
            out["poisoned"] = examine(function(setting), d.asked_same)
    out["mb"] = peak_mb()
    return out


def child(a, *what):
    args = [sys.executable, str(HERE), "--folder", a.folder, "--model", a.model, "--encoder", a.encoder, "--threads", str(a.threads), "--epochs", str(a.epochs),
            "--rank", str(a.rank), "--rate", str(a.rate)] + ["--quick"] * a.quick
    done = subprocess.run(args + list(what), stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


# ---- the table and the plot ------------------------------------------------------------------------------------------


def setup_seconds(name, found, store, adapter):
    _, stored, adapted = strategies.ALL[name]
    return found["load"] + stored * store["seconds"] + adapted * adapter["seconds"] + found.get("tuning", 0)


def table(figures, store, adapter):
    out = ["| strategy | exact match | F1 | answer in the reply | changed facts, exact | 30 % poisoned, exact | set-up, s | tokens an answer | ms an answer | memory, MB |",
           "|---|---|---|---|---|---|---|---|---|---|"]
    for name, f in figures.items():
        percent = [f"{100 * x:.0f} %" for x in (f["same"]["em"], f["same"]["f1"], f["same"]["held"], f["changed"]["em"], f["poisoned"]["em"])]
        out.append(f"| {name} | {' | '.join(percent)} | {setup_seconds(name, f, store, adapter):.1f} | {f['same']['tokens']:.0f} | {f['same']['ms']:.0f} | {f['mb']:.0f} |")
    return "\n".join(out)


def plot(figures, path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(figures)
    fig, ax = plt.subplots(figsize=(9, 4.6))
    for i, (part, label, colour) in enumerate((("same", "held-out questions", "#3465a4"), ("changed", "facts that changed after training", "#73a946"), ("poisoned", "30 % of the documents poisoned", "#cc6633"))):
        ax.bar([x + (i - 1) * 0.27 for x in range(len(names))], [100 * figures[n][part]["em"] for n in names], width=0.25, label=label, color=colour)
    ax.set_xticks(range(len(names)), [n.replace(" + ", "\n+ ").replace("chain of", "chain\nof") for n in names], fontsize=9)
    ax.set_ylabel("exact match, %")
    ax.set_ylim(0, 105)
    ax.legend(frameon=False, fontsize=9, loc="upper left")
    ax.spines[["top", "right"]].set_visible(False)
    fig.tight_layout()
    fig.savefig(path, dpi=130)


def write(path, figures, store, adapter, a, seconds):
    s = stamp()
    first = next(iter(figures.values()))
    text = pathlib.Path(path).read_text(encoding="utf-8") if os.path.exists(path) else "# Which strategy, when\n\n<!-- table -->\n<!-- end table -->\n"
    head, rest = text.split("<!-- table -->")
    made = (f"{a.model}, {a.threads} threads of {s['cpu']}, {s['date']}, {s['commit']}; {first['same']['n']} questions, {first['changed']['n']} about changed facts; all of it took {seconds / 60:.1f} minutes. "
            f"Training: {adapter['steps']} updates in {adapter['seconds'] / 60:.1f} minutes, {adapter['mb']:.0f} MB. Tuned prompt: {json.dumps(figures[list(figures)[-1]].get('tuned'))}.\n\n")
    picture = pathlib.Path(path).with_suffix(".png")
    plot(figures, picture)
    pathlib.Path(path).write_text(f"{head}<!-- table -->\n\n{made}{table(figures, store, adapter)}\n\n![{'exact match of each strategy'}]({picture.name})\n\n<!-- end table -->{rest.split('<!-- end table -->')[1]}", encoding="utf-8")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--write", help="a page to put table and plot into")
    p.add_argument("--model", default="smollm2")
    p.add_argument("--encoder", default="minilm")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--epochs", type=int, default=5)
    p.add_argument("--rank", type=int, default=16)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--json")
    p.add_argument("--folder", help=argparse.SUPPRESS)
    p.add_argument("--one", help=argparse.SUPPRESS)
    p.add_argument("--step", choices=["store", "train"], help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.step or a.one:
        print(json.dumps(one(a) if a.one else {"store": build_store, "train": train}[a.step](a)))
        return
    begin = time.time()
    with tempfile.TemporaryDirectory() as scratch:
        a.folder = a.folder or scratch
        store = child(a, "--step", "store")
        print(f"store: {store['seconds']:.1f} s", file=sys.stderr)
        adapter = child(a, "--step", "train")
        print(f"adapter: {adapter['seconds']:.0f} s, {adapter['steps']} updates, loss {adapter['loss']:.3f}", file=sys.stderr)
        figures = {}
        for name in strategies.ALL:
            figures[name] = child(a, "--one", name)
            print(name, {k: round(figures[name][k]["em"], 3) for k in ("same", "changed", "poisoned")}, file=sys.stderr, flush=True)
    print(table(figures, store, adapter))
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps({"figures": figures, "store": store, "adapter": adapter}, indent=1))
    if a.write:
        write(a.write, figures, store, adapter, a, time.time() - begin)


if __name__ == "__main__":
    main()
