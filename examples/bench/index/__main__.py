#!/usr/bin/env python3
"""The approximate index of stores beside hnswlib, usearch and faiss: seconds of building, queries a second by one thread, recall@10, memory.

    python examples/bench/index build/bin/bench_index [--n 200000] [--texts ../shared/data/retrieval/scifact] [--peers hnswlib,usearch,faiss]

Vectors are those of SciFact's abstracts (all-MiniLM-L6-v2, by loquor), each repeated with noise until there are --n: clusters as real texts make them, but no
two alike. The peers get what they do best with: M 16, construction width 128, and the search width that reaches --recall, found by trying. Recall is that
of the exact search over whole float32 vectors.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import numpy as np  # noqa: E402
from peers.env import default_data, stamp  # noqa: E402

WIDTHS = (16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
TOP = 10


def seeds(folder, threads):
    import loquor

    texts = []
    with open(os.path.join(folder, "corpus.jsonl"), encoding="utf-8") as file:
        for line in file:
            d = json.loads(line)
            texts.append((d["title"] + " " + d["text"])[:600])
    return loquor.Embedder(loquor.Model("minilm", threads=threads)).embed(texts)


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def vectors(folder, n, n_queries, threads):
    rng = np.random.default_rng(1)
    base = seeds(folder, threads)
    spread = 0.6 / np.sqrt(base.shape[1])
    def noisy(m):
        return unit(base[rng.integers(len(base), size=m)] + rng.normal(0, spread, (m, base.shape[1])).astype(np.float32)).astype(np.float32)
    return np.concatenate([noisy(min(50_000, n - at)) for at in range(0, n, 50_000)]), noisy(n_queries)


def truth(base, queries):
    out = []
    for q in queries:
        s = base @ q
        top = np.argpartition(-s, TOP)[:TOP]
        out.append(set(top.tolist()))
    return out


def recall(found, right):
    return sum(len(set(map(int, f)) & r) for f, r in zip(found, right)) / (TOP * len(right))


class Hnswlib:
    def build(self, base, threads):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=base.shape[1])
        self.index.init_index(max_elements=len(base), M=16, ef_construction=128)
        self.index.add_items(base, num_threads=threads)
        self.index.set_num_threads(1)

    def width(self, w):
        self.index.set_ef(w)

    def search(self, q):
        return self.index.knn_query(q, k=TOP)[0][0]


class Usearch:
    def build(self, base, threads):
        from usearch.index import Index

        self.index = Index(ndim=base.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=128)
        self.index.add(np.arange(len(base)), base, threads=threads)

    def width(self, w):
        self.index.expansion_search = w

    def search(self, q):
        return self.index.search(q, TOP, threads=1).keys


class Faiss:
    def build(self, base, threads):
        import faiss

        faiss.omp_set_num_threads(threads)
        self.faiss = faiss
        self.index = faiss.IndexHNSWSQ(base.shape[1], faiss.ScalarQuantizer.QT_8bit, 16, faiss.METRIC_INNER_PRODUCT)
        self.index.hnsw.efConstruction = 128
        self.index.train(base[:50_000])
        self.index.add(base)
        faiss.omp_set_num_threads(1)

    def width(self, w):
        self.index.hnsw.efSearch = w

    def search(self, q):
        return self.index.search(q[None], TOP)[1][0]


PEERS = {"hnswlib": Hnswlib, "usearch": Usearch, "faiss": Faiss}


def run_peer(name, base, queries, right, a):
    peer = PEERS[name]()
    begin = time.perf_counter()
    peer.build(base, a.threads)
    row = {"build_s": time.perf_counter() - begin}
    for w in WIDTHS:
        peer.width(w)
        begin = time.perf_counter()
        found = [peer.search(q) for q in queries]
        row.update(width=w, qps=len(queries) / (time.perf_counter() - begin), recall=recall(found, right))
        if row["recall"] >= a.recall:
            break
    return row


def run_loquor(a, folder, base, queries, right):
    paths = []
    for name, x in (("base", base), ("queries", queries)):
        paths.append(os.path.join(folder, name))
        x.tofile(paths[-1])
    found = json.loads(subprocess.run([a.program, *paths, str(base.shape[1]), str(a.threads)], check=True, stdout=subprocess.PIPE).stdout)
    found["recall"] = recall(found.pop("ids"), right)
    return found


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("program")
    p.add_argument("--n", type=int, default=200_000)
    p.add_argument("--queries", type=int, default=500)
    p.add_argument("--texts", default=os.path.join(default_data(), "retrieval", "scifact"))
    p.add_argument("--peers", default=",".join(PEERS))
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--recall", type=float, default=0.95)
    a = p.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: a.threads])
    base, queries = vectors(a.texts, a.n, a.queries, a.threads)
    right = truth(base, queries)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        rows["loquor"] = run_loquor(a, folder, base, queries, right)
    for name in filter(None, a.peers.split(",")):
        try:
            rows[name] = run_peer(name, base, queries, right, a)
        except ImportError as e:
            print(f"{name}: left out: {e}", file=sys.stderr)
    s = stamp()
    print(f"{a.n} vectors of {base.shape[1]}, {a.queries} queries; {s['cpu']}, {s['date']}, {s['commit']}, built by {a.threads} threads\n")
    print("| | recall@10 | queries/s, one asks | built in, s |\n|---|---|---|---|")
    for name, r in rows.items():
        print(f"| {name} | {r['recall']:.3f} | {r['qps']:.0f} | {r['build_s']:.0f} |")
    ours = rows["loquor"]
    print(f"\nloquor, every vector compared ({a.threads} threads): {ours['exact_qps']:.0f} queries/s; the index has recall {ours['recall_of_exact']:.3f} of that, and takes {ours['graph_mb']:.0f} MB on disk")


if __name__ == "__main__":
    main()
