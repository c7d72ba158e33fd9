"""loquor.ray on a local cluster of two workers: the results of a plain loop, also when a worker is killed."""

import json
import logging
import os
import pathlib
import signal
import sys
import threading
import time

import numpy as np
import pytest

import loquor

ray = pytest.importorskip("ray", reason="needs the package ray")
pytest.importorskip("ray.data", reason="needs ray[data]")

import loquor.ray as stages  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests" / "goldens"))
import tiny_encoder  # noqa: E402

PROMPTS = [f"Name {thing}." for thing in "a colour|an animal|a city|a river|a tree|a fruit|a tool|a planet|a metal|a game|a sport|a bird".split("|")]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200 << 20)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("bert")
    tiny_encoder.write(path)
    return str(path)


def rows(data):
    return ray.data.from_items(data, override_num_blocks=max(2, len(data) // 2))


def in_order(dataset):
    return sorted(dataset.take_all(), key=lambda r: r["id"])


def victim(stage, folder, batch_number, done):
    """The stage, each batch noted in the file "pids" before its work; the process of one batch tells Killer to kill it: while it works on that
    batch, or when that is `done` but not yet handed back."""

    class Victim(stage):
        def __call__(self, batch):
            with open(os.path.join(folder, "pids"), "a") as f:
                f.write(f"{os.getpid()}\n")
            chosen = len(open(os.path.join(folder, "pids")).readlines()) >= batch_number and self.is_first()
            if chosen and not done:
                self.ask()
            batch = super().__call__(batch)
            if chosen and done:
                self.ask()
                time.sleep(60)
            return batch

        def is_first(self):
            try:
                open(os.path.join(folder, "chosen"), "x").close()
            except FileExistsError:
                return False
            return True

        def ask(self):
            with open(os.path.join(folder, "asking"), "w") as f:
                f.write(str(os.getpid()))
            os.rename(os.path.join(folder, "asking"), os.path.join(folder, "kill"))

    return Victim


class Killer(threading.Thread):
    """Kills the process that asks for it in the folder's file "kill"."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.folder, self.killed = folder, None
        self.start()

    def run(self):
        file, deadline = os.path.join(self.folder, "kill"), time.monotonic() + 120
        while not os.path.exists(file) and time.monotonic() < deadline:
            time.sleep(0.002)
        if os.path.exists(file):
            pid = int(open(file).read())
            os.kill(pid, signal.SIGKILL)
            self.killed = pid

    def check(self):
        """That the process is dead and others worked besides the one that was left."""
        self.join()
        pids = open(os.path.join(self.folder, "pids")).read().split()
        assert self.killed and len(set(pids)) > 2
        return len(pids)


def test_answers_are_those_of_a_plain_loop(path, model):
    data = [{"id": i, "prompt": p} for i, p in enumerate(PROMPTS)]
    data.append({"id": len(data), "prompt": json.dumps([{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Hello"}])})
    got = in_order(stages.run(rows(data), stages.Generate, workers=2, batch_size=2, model=path, max_tokens=12, n_ctx=512))
    want = [model.generate(p, max_tokens=12, temperature=0) for p in PROMPTS + [json.loads(data[-1]["prompt"])]]
    assert [r["text"] for r in got] == [r.text for r in want]
    assert [(r["finish_reason"], r["tokens"], r["prompt"]) for r in got] == [(w.finish_reason, len(w.tokens), d["prompt"]) for w, d in zip(want, data)]
    spoken = [{"id": 0, "prompt": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": "Hello"}]}, {"id": 1, "prompt": [{"role": "user", "content": "Hello"}]}]
    got = in_order(stages.run(rows(spoken), stages.Generate, workers=1, model=path, max_tokens=6))
    assert [r["text"] for r in got] == [model.generate(r["prompt"], max_tokens=6, temperature=0).text for r in spoken]
    stage = stages.Generate(path, max_tokens=4)
    messages = [{"role": "user", "content": "Hello"}]
    plain = model.generate(messages, max_tokens=4, temperature=0).text
    assert list(stage({"prompt": [messages, json.dumps(messages), "Hello", '[{"a": 1}]', "[{"]})["text"]) == [plain] * 3 + [model.generate(t, max_tokens=4, temperature=0).text for t in ('[{"a": 1}]', "[{")]
    drawn = dict(model=path, max_tokens=12, temperature=0.9, seed=5)
    got = in_order(stages.run(rows(data), stages.Generate, workers=2, batch_size=3, **drawn))
    alone = stages.Generate(**drawn)({"prompt": np.array([d["prompt"] for d in data], dtype=object)})  # without Ray
    assert [r["text"] for r in got] == list(alone["text"])


def test_vectors_are_those_of_a_plain_loop(folder):
    texts = [f"text number {i} " + "word " * (i % 7) for i in range(40)]
    got = in_order(stages.run(rows([{"id": i, "text": t} for i, t in enumerate(texts)]), stages.Embed, workers=2, batch_size=4, model=folder))
    assert np.array_equal(np.stack([r["vector"] for r in got]), loquor.Embedder(loquor.Model(folder)).embed(texts))


def test_scores_are_those_of_a_plain_loop(path, model):
    data = [{"id": i, "prompt": f"The capital of {c} is", "continuation": a} for i, (c, a) in enumerate((c, a) for c in ("France", "Italy", "Spain", "") for a in (" Paris", " Rome", " a big city"))]
    got = in_order(stages.run(rows(data), stages.Score, workers=2, batch_size=3, model=path))
    scorer = loquor.scoring.Scorer(model)
    assert [(r["logprob"], r["greedy"]) for r in got] == [scorer.score(*scorer.encode(d["prompt"], d["continuation"])) for d in data]


def test_questions_are_answered_as_by_a_plain_loop(path, model):
    data = [{"id": i, "question": f"What is {i} and {i}?", "choices": [str(2 * i), str(2 * i + 1), "none"], "answer": i % 2} for i in range(8)]
    got = in_order(stages.run(rows(data), stages.Choose, workers=2, batch_size=3, model=path, n_ctx=256))
    want = loquor.multiple_choice(model, [{k: d[k] for k in ("question", "choices", "answer")} for d in data], answers=True)
    assert [(r["chosen"], r["chosen_norm"], r["correct"]) for r in got] == [(a["chosen"], a["chosen_norm"], a["correct"]) for a in want["answers"]]
    assert np.mean([r["correct"] for r in got]) == want["accuracy"]


def test_a_killed_worker_loses_no_answer(path, model, tmp_path):
    data = [{"id": i, "prompt": p} for i, p in enumerate(PROMPTS * 2)]
    killer = Killer(str(tmp_path))
    stage = victim(stages.Generate, str(tmp_path), 4, done=False)
    got = in_order(stages.run(rows(data), stage, workers=2, batch_size=2, model=path, max_tokens=24))
    assert killer.check() > len(data) // 2  # a batch was done again
    assert [r["id"] for r in got] == list(range(len(data)))
    want = [model.generate(p, max_tokens=24, temperature=0).text for p in PROMPTS]
    assert [r["text"] for r in got] == want * 2


def documents(n):
    words = "river stone cloud lamp train paper window garden music engine".split()
    return [
        {"id": i, "key": f"d{i}", "text": " ".join(f"{words[(i * 7 + j * j) % 10]} {i + j}" for j in range(60)) + ".", "metadata": json.dumps({"n": i})} for i in range(n)
    ]


@pytest.mark.parametrize("shards, done", [(1, True), (2, False), (2, True)])
def test_a_killed_worker_loses_no_document(folder, tmp_path, shards, done):
    data = documents(60)
    killer = Killer(str(tmp_path))
    stage = victim(stages.Ingest, str(tmp_path), 5, done)
    got = in_order(stages.run(rows(data), stage, workers=2, batch_size=4, folder=str(tmp_path / "stores"), encoder=folder, shards=shards))
    killer.check()
    assert [r["id"] for r in got] == list(range(60)) and not any(r["error"] for r in got)
    encoder = loquor.Model(folder)
    plain = loquor.Store(tmp_path / "plain.store", encoder)
    plain.add([{"key": d["key"], "text": d["text"], "metadata": json.loads(d["metadata"])} for d in data])
    found = stages.Shards(tmp_path / "stores", encoder)
    assert found.keys() == sorted(d["key"] for d in data) and len(found.stores) == shards
    assert sum(s.info()["chunks"] for s in found.stores) == plain.info()["chunks"]
    for query in ("river 7", "music engine", data[11]["text"]):
        for options in ({}, {"filter": {"n": {"$gte": 30}}}):
            ours, theirs = found.search(query, 8, **options), plain.search(query, 8, mode="dense", **options)
            # Texts made of so few words have equal vectors here and there: their order is open.
            assert [h["cosine"] for h in ours] == pytest.approx([h["cosine"] for h in theirs], abs=1e-6)
    if shards == 1:
        one = loquor.Store(tmp_path / "stores" / "shard-0.store", encoder, read_only=True)
        assert [h["bm25"] for h in one.search("lamp 31", 5, mode="words")] == pytest.approx([h["bm25"] for h in plain.search("lamp 31", 5, mode="words")])
        assert len(one.search("lamp 31", 5)) == 5
    # Once more: nothing changes.
    again = stages.Ingest(tmp_path / "stores", encoder=folder, shards=shards)({"key": np.array([d["key"] for d in data]), "text": np.array([d["text"] for d in data])[:]})
    assert not any(again["error"]) and stages.Shards(tmp_path / "stores", encoder).keys() == found.keys()


def test_files_are_read_and_what_is_wrong_is_told(folder, tmp_path):
    (tmp_path / "a.md").write_text("# Rivers\n\nA river is long.")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\xff")
    paths = [str(tmp_path / n) for n in ("a.md", "b.txt", "c.txt")]
    read = stages.run(rows([{"id": i, "path": p} for i, p in enumerate(paths)]), stages.ReadDocuments, workers=1, batch_size=2)
    got = in_order(stages.run(read, stages.Ingest, workers=1, batch_size=2, folder=str(tmp_path / "stores"), encoder=folder))
    assert [bool(r["error"]) for r in got] == [False, True, True] and "UTF-8" in got[1]["error"]
    found = stages.Shards(tmp_path / "stores", loquor.Model(folder))
    assert found.keys() == [paths[0]] and found.search("river", 1)[0]["heading"] == "Rivers"
    with pytest.raises(loquor.InvalidArgument, match="dense"):
        found.search("x", mode="words")


def test_wrong_columns_end_the_job(path):
    with pytest.raises(Exception, match="no column 'prompt'"):
        stages.run(rows([{"id": 0, "text": "x"}]), stages.Generate, workers=1, model=path).take_all()
    with pytest.raises(loquor.InvalidArgument, match="cannot stream"):
        stages.Generate(path, stream=True)
