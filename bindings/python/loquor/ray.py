"""Stages of Ray Data: many texts generated, embedded, scored and put into stores by actors, each with a model of its own.

    import ray, loquor.ray
    rows = ray.data.from_items([{"id": i, "prompt": p} for i, p in enumerate(prompts)])
    loquor.ray.run(rows, loquor.ray.Generate, workers=2, model="smollm2", max_tokens=64).write_parquet("answers")

A stage is a class whose objects map batches (a dict of columns, NumPy arrays of one length) to batches, so it also serves without run():
`rows.map_batches(loquor.ray.Embed, fn_constructor_kwargs={"model": "minilm"}, compute=ray.data.ActorPoolStrategy(size=2))`, or without Ray at all:
`loquor.ray.Embed("minilm")({"text": ["a", "b"]})`. Columns that a stage does not know are passed on.

What a stage makes of a row depends on the row alone, not on the batch or the worker: a batch whose worker died is computed again by another
one and comes out the same. Models are names or paths, which must be there on every machine of the cluster. Only run() and its data sets need Ray
(pip install 'loquor[ray]').
"""

from __future__ import annotations

import fcntl
import json
import os
import zlib
from typing import Any, Dict, List, Optional, Sequence

import numpy

from .embedding import Embedder
from .errors import InvalidArgument, LoquorError
from .evaluation import multiple_choice
from .model import Model
from .scoring import Scorer
from .store import Store, read_document

Batch = Dict[str, Any]


def run(rows, stage: type, *, workers: int = 2, batch_size: int = 16, cpus: float = 1, **options: Any):
    """The Dataset that a stage makes of `rows`: `workers` actors of `cpus` CPUs each, made with `options`.

    Actors that die are started again and their batches repeated, as often as it takes: that is Ray Data's default. An error that a stage
    raises ends the job.
    """
    from ray.data import ActorPoolStrategy

    pool = ActorPoolStrategy(size=workers)
    return rows.map_batches(stage, fn_constructor_kwargs=options, batch_size=batch_size, batch_format="numpy", num_cpus=cpus, compute=pool)


def _column(batch: Batch, name: str) -> list:
    if name not in batch:
        raise InvalidArgument(f"there is no column {name!r}; there are {', '.join(sorted(batch))}")
    return [x.item() if isinstance(x, numpy.generic) else x for x in batch[name]]


def _texts(values: Sequence[Any]) -> numpy.ndarray:
    out = numpy.empty(len(values), dtype=object)  # never fixed-width strings: those lose zeros at the end
    out[:] = values
    return out


class Generate:
    """Adds a column of answers, and "finish_reason" and "tokens" (int64).

    model        a name of loquor.models(), or a path
    prompt       the column of prompts: text, or messages ([{"role", "content"}]) as a list or its JSON
    output       the column of answers
    threads      computing threads of each worker; give run() as many `cpus`
    n_ctx        tokens of the context; 0 = as trained, at most 4096
    temperature  0: the most probable tokens. Otherwise every row is drawn with the same `seed`
    options      of Model.generate(): max_tokens, stop, system, raw, json_schema, ...
    """

    def __init__(self, model="smollm2", *, prompt: str = "prompt", output: str = "text", threads: int = 1, n_ctx: int = 0, temperature: float = 0.0, seed: int = 0, **options: Any):
        if options.get("stream"):
            raise InvalidArgument("Generate: a stage cannot stream")
        self.model = Model(model, threads=threads, n_ctx=n_ctx)
        self.prompt, self.output, self.options = prompt, output, dict(options, temperature=temperature, seed=seed)

    def __call__(self, batch: Batch) -> Batch:
        done: List[Any] = [self.model.generate(self._asked(p), **self.options) for p in _column(batch, self.prompt)]
        return {
            **batch,
            self.output: _texts([r.text for r in done]),
            "finish_reason": _texts([r.finish_reason for r in done]),
            "tokens": numpy.array([len(r.tokens) for r in done], dtype=numpy.int64),
        }

    def _asked(self, prompt):
        if not isinstance(prompt, str):
            return [{k: v for k, v in dict(m).items() if v is not None} for m in prompt]  # Ray fills up members that other messages have
        if prompt.startswith("[{") and not self.options.get("raw"):
            try:
                messages = json.loads(prompt)
            except ValueError:
                return prompt
            return messages if all(isinstance(m, dict) and "role" in m for m in messages) else prompt
        return prompt


class Embed:
    """Adds a column of vectors, float32 (n, dimension). options: of loquor.Embedder."""

    def __init__(self, model="minilm", *, text: str = "text", output: str = "vector", threads: int = 1, **options: Any):
        self.embedder = Embedder(Model(model, threads=threads), **options)
        self.text, self.output = text, output

    def __call__(self, batch: Batch) -> Batch:
        return {**batch, self.output: self.embedder.embed(_column(batch, self.text))}


class Score:
    """Adds "logprob" (float64) of the column `continuation` after the column `prompt`, and whether it is "greedy"."""

    def __init__(self, model="smollm2", *, prompt: str = "prompt", continuation: str = "continuation", threads: int = 1, n_ctx: int = 0):
        self.scorer = Scorer(Model(model, threads=threads), n_ctx)
        self.prompt, self.continuation = prompt, continuation

    def __call__(self, batch: Batch) -> Batch:
        pairs = [self.scorer.encode(p, c) for p, c in zip(_column(batch, self.prompt), _column(batch, self.continuation))]
        scores = self.scorer.score_all(pairs)
        return {**batch, "logprob": numpy.array([s for s, _ in scores], dtype=numpy.float64), "greedy": numpy.array([g for _, g in scores], dtype=bool)}


class Choose:
    """Answers questions with given answers (columns "question", "choices", "answer") as loquor.multiple_choice does.

    Adds "chosen", "chosen_norm" (indices, int64) and "correct" (bool), whose mean is the accuracy. examples: rows shown before each question
    """

    def __init__(self, model="smollm2", *, examples: Sequence[dict] = (), threads: int = 1, **options: Any):
        self.model, self.examples, self.options = Model(model, threads=threads), list(examples), options

    def __call__(self, batch: Batch) -> Batch:
        columns = [_column(batch, c) for c in ("question", "choices", "answer")]
        rows = [{"question": q, "choices": [str(x) for x in c], "answer": a} for q, c, a in zip(*columns)]
        if not rows:
            return {**batch, "chosen": numpy.zeros(0, numpy.int64), "chosen_norm": numpy.zeros(0, numpy.int64), "correct": numpy.zeros(0, bool)}
        answers = multiple_choice(self.model, self.examples + rows, shots=len(self.examples), answers=True, **self.options)["answers"]
        return {
            **batch,
            "chosen": numpy.array([a["chosen"] for a in answers], dtype=numpy.int64),
            "chosen_norm": numpy.array([a["chosen_norm"] for a in answers], dtype=numpy.int64),
            "correct": numpy.array([a["correct"] for a in answers], dtype=bool),
        }


# ---- documents into stores -------------------------------------------------------------------------------------------


class ReadDocuments:
    """Files (column "path") to documents: "key", "text", "kind", "source", and "error", which says why a file could not be read."""

    def __init__(self, *, path: str = "path"):
        self.path = path

    def __call__(self, batch: Batch) -> Batch:
        rows = []
        for path in _column(batch, self.path):
            try:
                rows.append(dict(read_document(path), error=""))
            except (LoquorError, OSError) as e:
                rows.append({"key": path, "text": "", "kind": "text", "source": path, "error": str(e)})
        return {**batch, **{c: _texts([r[c] for r in rows]) for c in ("key", "text", "kind", "source", "error")}}


_MEMBERS = ("key", "text", "title", "source", "metadata", "kind", "trust")


class Ingest:
    """Puts documents (columns as Store.add's members, "metadata" as a dict or its JSON) into the stores of a folder; adds "shard" and "error".

    folder    where the stores are; with several machines on a file system that all of them share, with locks
    encoder   a text encoder, or None: only words
    shards    how many stores: as many as workers, for one store is written by one at a time. With 1 the only one is shard-0.store, for all
              that Store does; those of several are searched by Shards
    options   of a new Store: chunk_tokens, overlap, whole_documents

    A document's store follows from its key, and adding what is there already changes nothing, so what a dead worker had begun is neither lost
    nor doubled. Rows that have an "error" are left out and keep it.
    """

    def __init__(self, folder, *, encoder: Optional[str] = "minilm", shards: int = 1, threads: int = 1, **options: Any):
        if shards < 1:
            raise InvalidArgument(f"Ingest: {shards} shards")
        os.makedirs(folder, exist_ok=True)
        self.folder, self.shards, self.options = os.fspath(folder), shards, options
        self.encoder = Model(encoder, threads=threads) if encoder is not None else None

    def __call__(self, batch: Batch) -> Batch:
        keys = _column(batch, "key")
        shard = numpy.array([shard_of(k, self.shards) for k in keys], dtype=numpy.int64)
        errors = _column(batch, "error") if "error" in batch else [""] * len(keys)
        names = [m for m in _MEMBERS if m in batch]
        columns = {m: _column(batch, m) for m in names}
        waiting: Dict[int, List[dict]] = {}
        for i in range(len(keys)):
            if not errors[i]:
                waiting.setdefault(int(shard[i]), []).append(_document({m: columns[m][i] for m in names}))
        failed: Dict[str, str] = {}
        while waiting:
            # Stores that nobody writes now come first: workers then seldom wait for each other.
            number, lock = next(((n, held) for n in waiting if (held := self._lock(n, wait=False)) is not None), (None, None))
            if number is None:
                number = next(iter(waiting))
                lock = self._lock(number, wait=True)
            try:
                with Store(self._path(number), self.encoder, **self.options) as store:
                    failed.update((f["key"], f["reason"]) for f in store.add(waiting.pop(number))["failed"])
            finally:
                os.close(lock)
        return {**batch, "shard": shard, "error": _texts([e or failed.get(k, "") for k, e in zip(keys, errors)])}

    def _path(self, number: int) -> str:
        return os.path.join(self.folder, f"shard-{number}.store")

    def _lock(self, number: int, wait: bool) -> Optional[int]:
        """The descriptor that holds the lock of a store until it is closed, or its process ends in whatever way; None if it is taken."""
        lock = os.open(self._path(number) + ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            os.close(lock)
            return None
        return lock


def shard_of(key: str, shards: int) -> int:
    """The store of a document's key, the same in every process."""
    return zlib.crc32(key.encode("utf-8", "surrogatepass")) % shards


def _document(row: dict) -> dict:
    document = {k: v for k, v in row.items() if v is not None}
    metadata = document.get("metadata")
    if isinstance(metadata, str):
        document["metadata"] = json.loads(metadata) if metadata else {}
    elif metadata is not None:  # Ray fills up what one of a column's dicts has and another has not
        document["metadata"] = {k: v for k, v in dict(metadata).items() if v is not None}
    return document


class Shards:
    """The stores of a folder that Ingest wrote, searched together. One thread at a time.

        loquor.ray.Shards("stores", loquor.Model("minilm")).search("how is a run resumed", k=5)
    """

    def __init__(self, folder, encoder: Model):
        names = sorted(n for n in os.listdir(folder) if n.startswith("shard-") and n.endswith(".store"))
        self.stores = [Store(os.path.join(folder, n), encoder, read_only=True) for n in names]

    def search(self, query: str, k: int = 5, **options: Any) -> List[dict]:
        """As Store.search in its mode "dense", whose scores are the same in every store: those of words and of both depend on the other
        documents of a store."""
        if options.pop("mode", "dense") != "dense":
            raise InvalidArgument("Shards: only dense search can be put together from several stores")
        if options.get("mmr", 1.0) != 1.0:
            raise InvalidArgument("Shards: mmr needs all documents in one store")
        hits = [h for s in self.stores for h in s.search(query, k, mode="dense", **options)]
        return sorted(hits, key=lambda h: (-h["cosine"], h["key"], h["begin"]))[:k]

    def keys(self) -> List[str]:
        return sorted(key for s in self.stores for key in s.keys())
