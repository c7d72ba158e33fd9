#!/usr/bin/env python3
"""Retrieval on a BEIR data set: nDCG@10 of dense, BM25 and hybrid search, beside sentence-transformers with the same encoder.

    python examples/rag/retrieval.py shared/data/retrieval/scifact [--peers] [--json FIGURES.json]

--peers: also sentence-transformers (its own encode and dot product, batch 32) and, if there is one beside the model, ONNX Runtime; the same texts, one engine after the
other, on the same threads. Prints texts/s of each, and where the cosine of the best hit separates questions with an answer from questions of another field.
"""

import argparse
import json
import math
import os
import tempfile
import time

import numpy as np

import loquor

# Questions that a collection of biomedical abstracts does not answer.
ELSEWHERE = """Who won the football world cup in 1998?|How do I change a bicycle tyre?|What is the capital of Mongolia?|When was the Magna Carta signed?|How long should I boil an egg?|Which
band recorded Abbey Road?|What does a catalytic converter do?|How high is Mount Fuji?|Who painted the Night Watch?|How do I cancel a hotel booking?|What is the exchange rate of the euro?|Which
chess opening begins with e4 c5?|How is felt made?|When does the train to Lyon leave?|What colour is the Tillop by Veltrane?|Who wrote The Trial?|How do I open a port in a firewall?|What is a good
recipe for risotto?|Which planet has the most moons?|How do I tune a guitar?""".replace("\n", " ").split("|")


def read(folder):
    rows = lambda name: [json.loads(line) for line in open(os.path.join(folder, name), encoding="utf-8")]  # noqa: E731
    corpus = {d["_id"]: (d.get("title", ""), d["text"]) for d in rows("corpus.jsonl")}
    queries = {q["_id"]: q["text"] for q in rows("queries.jsonl")}
    qrels = {}
    with open(os.path.join(folder, "qrels", "test.tsv"), encoding="utf-8") as file:
        next(file)
        for line in file:
            query, document, score = line.split("\t")
            qrels.setdefault(query, {})[document] = int(score)
    return corpus, queries, qrels


def ndcg(ranked, relevant, k=10):
    gain = sum(relevant.get(d, 0) / math.log2(i + 2) for i, d in enumerate(ranked[:k]))
    best = sum(g / math.log2(i + 2) for i, g in enumerate(sorted(relevant.values(), reverse=True)[:k]))
    return gain / best if best else 0.0


def mean_ndcg(rank, queries, qrels):
    return sum(ndcg(rank(queries[q]), relevant) for q, relevant in qrels.items()) / len(qrels)


def ours(args, corpus, queries, qrels, folder):
    encoder = loquor.Model(args.encoder, threads=args.threads)
    figures = {}
    for whole in (True, False):
        store = loquor.Store(os.path.join(folder, f"{whole}.store"), encoder, whole_documents=whole)
        begin = time.perf_counter()
        report = store.add({"key": key, "title": title, "text": text} for key, (title, text) in corpus.items() if text.strip())
        seconds = time.perf_counter() - begin
        name = "whole documents" if whole else "chunks of 200 tokens"
        row = {"documents": report["added"], "chunks": report["chunks"], "seconds": seconds}
        begin = time.perf_counter()
        for mode in ("dense", "words", "hybrid"):
            row[mode] = mean_ndcg(lambda q: [h["key"] for h in store.search(q, 10, mode=mode, per_document=1)], queries, qrels)
        row["ms_per_query"] = (time.perf_counter() - begin) / 3 / len(qrels) * 1e3
        figures[name] = row
        print(f"{name}: {row['chunks']} chunks in {seconds:.1f} s; nDCG@10 dense {row['dense']:.4f}, words {row['words']:.4f}, hybrid {row['hybrid']:.4f}; {row['ms_per_query']:.1f} ms a query", flush=True)
        if not whole:
            best = lambda q: store.search(q, 1, mode="dense")[0]["cosine"]  # noqa: E731
            there, elsewhere = sorted(best(queries[q]) for q in qrels), sorted(best(q) for q in ELSEWHERE)
            limits = {t: (sum(c >= t for c in there) / len(there), sum(c >= t for c in elsewhere) / len(elsewhere)) for t in (0.25, 0.3, 0.35, 0.4, 0.45, 0.5)}
            figures["thresholds"] = limits
            for t, (kept, wrong) in limits.items():
                print(f"  threshold {t}: answers {100 * kept:.1f} % of the questions of the collection, {100 * wrong:.1f} % of those of other fields")
    return figures, encoder


def peers(args, corpus, queries, qrels, encoder):
    import sentence_transformers
    import torch

    torch.set_num_threads(args.threads)
    model = sentence_transformers.SentenceTransformer(os.path.dirname(loquor._native.model_path(args.encoder) + "/"), device="cpu")
    texts = [(title + "\n" + text) for title, text in corpus.values() if text.strip()]
    keys = [key for key, (_, text) in corpus.items() if text.strip()]
    embedder = loquor.Embedder(encoder)
    sample = texts[: args.sample]
    embedder.embed(sample[:32]), model.encode(sample[:32])
    seconds = {"loquor": [], "sentence-transformers": []}
    for _ in range(args.rounds):
        for name, encode in (("loquor", lambda: embedder.embed(sample)), ("sentence-transformers", lambda: model.encode(sample, batch_size=32))):
            begin = time.perf_counter()
            encode()
            seconds[name].append(time.perf_counter() - begin)
    ratio = sorted(b / a for a, b in zip(*seconds.values()))[args.rounds // 2]
    matrix = model.encode(texts, batch_size=32, normalize_embeddings=True)
    score = mean_ndcg(lambda q: [keys[i] for i in np.argsort(-(matrix @ model.encode(q, normalize_embeddings=True)))[:10]], queries, qrels)
    rates = {name: len(sample) / sorted(s)[args.rounds // 2] for name, s in seconds.items()}
    print(f"sentence-transformers {sentence_transformers.__version__}: nDCG@10 dense {score:.4f}; texts/s {rates['sentence-transformers']:.1f}, loquor {rates['loquor']:.1f}: {ratio:.2f}x")
    return {"version": sentence_transformers.__version__, "dense": score, "texts_per_s": rates, "ratio": ratio}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("data")
    p.add_argument("--encoder", default="minilm")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--peers", action="store_true")
    p.add_argument("--sample", type=int, default=400, help="texts of the speed comparison")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--json")
    args = p.parse_args()
    corpus, queries, qrels = read(args.data)
    with tempfile.TemporaryDirectory() as folder:
        figures, encoder = ours(args, corpus, queries, qrels, folder)
    if args.peers:
        figures["peers"] = peers(args, corpus, queries, qrels, encoder)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(figures, file, indent=1)


if __name__ == "__main__":
    main()
