"""The cases that every language binding must do alike: tests/conformance/cases.json."""

import json
import math
import pathlib
import sys

import pytest

import loquor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[3] / "tests/goldens"))
import tiny_encoder  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[3]
CASES = json.loads((ROOT / "tests/conformance/cases.json").read_text("utf-8"))
STAGES = ("top_k", "top_p", "min_p", "temperature")


def start(session, case):
    options = dict(case.get("options", {}))
    sampler = loquor.Sampler(options.pop("seed", 0))
    for stage in STAGES:
        if stage in options:
            sampler.add(stage, options.pop(stage))
    messages = case.get("messages")
    if messages:
        options["messages"] = [[m["role"], m["content"], ""] for m in messages]
    session.start(case.get("prompt"), sampler=sampler, **options)


def run(session, case):
    start(session, case)
    return "".join(e.text for e in session.events())


def generate(model, case, tmp_path):
    session = model.session(ctx=512)
    assert run(session, case) == case["text"]
    result = session.result()
    assert result.finish_reason == case["finish"] and len(result.tokens) == case["generated_tokens"]


def cancel(model, case, tmp_path):
    session = model.session(ctx=512)
    start(session, {"prompt": case["prompt"]})
    for _ in range(case["after_tokens"]):
        session.step()
    session.cancel()
    with pytest.raises(loquor.LoquorError) as e:
        session.step()
    assert e.value.status == "cancelled"
    assert session.step().kind == "done" and session.result().finish_reason == "cancelled"
    assert run(session, {"prompt": case["then"], "options": case["options"]}) == case["text"]


def state(model, case, tmp_path):
    first, second, third = (model.session(ctx=512) for _ in range(3))
    first.set_prompt(model.tokenize(case["prompt"]))
    first.save(tmp_path / "state")
    second.load(tmp_path / "state")
    third.load(first.save())
    for s in (second, third):
        assert list(s.tokens) == list(first.tokens)
        assert run(s, {"options": case["options"]}) == case["text"]


def fork(model, case, tmp_path):
    first = model.session(ctx=512)
    first.set_prompt(model.tokenize(case["prompt"]))
    second = first.fork()
    assert run(second, {"options": case["options"]}) == case["text"]
    assert run(first, {"options": case["options"]}) == case["text"]


def logprobs(model, case, tmp_path):
    session = model.session(ctx=512)
    start(session, case)
    tokens = [e for e in session.events() if e.kind == "token"]
    assert len(tokens) == case["options"]["max_tokens"]
    for e in tokens:
        assert len(e.top) == case["options"]["logprobs"] and e.top[0][0] == e.token
        assert math.isclose(e.top[0][1], e.logprob) and e.top[1][1] <= e.top[0][1] <= 0


def budget(model, case, tmp_path):
    session = model.session(ctx=512)
    start(session, case)
    text = ""
    while True:
        event = session.step(case["budget_us"])
        text += event.text
        if event.kind == "done":
            break
    assert text == case["text"]


def error(model, case, tmp_path):
    def load_cancelled():
        loquor.Model(case["source"], progress=lambda fraction: False)

    def load_bytes():
        path = tmp_path / "model.gguf"
        path.write_text(case["bytes"])
        loquor.Model(path)

    def closed():
        session = model.session()
        session.close()
        session.eval([1])

    def mismatch():
        saved = model.session(ctx=64, kv_type="q8_0")
        saved.eval([1, 2, 3])
        model.session(ctx=64).load(saved.save())

    calls = {
        "load": lambda: loquor.Model(case["source"], **case.get("options", {})),
        "load_bytes": load_bytes,
        "load_cancelled": load_cancelled,
        "context": lambda: loquor.Model("smollm2", isa=case["isa"]),
        "session": lambda: model.session(**case["options"]),
        "generate": lambda: run(model.session(**case.get("session", {"ctx": 512})), case),
        "detokenize": lambda: model.detokenize(case["ids"]),
        "embedder": lambda: loquor.Embedder(model),
        "save": lambda: model.session().save(case["path"]),
        "closed": closed,
        "load_state": lambda: model.session().load(case["bytes"].encode()),
        "mismatch": mismatch,
    }
    with pytest.raises(loquor.LoquorError) as e:
        calls[case["call"]]()
    assert e.value.status == case["code"]


def tokenize(model, case, tmp_path):
    ids = model.tokenize(case["text"], parse_special=case.get("parse_special", False))
    assert list(ids) == case["ids"] and model.detokenize(ids, special=True).decode() == case["text"]


def embed(model, case, tmp_path):
    tiny_encoder.write(tmp_path)
    vectors = loquor.Embedder(loquor.Model(tmp_path)).embed(case["texts"])
    assert vectors.shape == (len(case["texts"]), case["dimension"])
    for vector, begin in zip(vectors, case["begin"]):
        assert list(vector[: len(begin)]) == pytest.approx(begin, abs=case["tolerance"])


def render(model, case, tmp_path):
    assert model.render(case["messages"]) == case["text"]


RUN = {"tokenize": tokenize, "embed": embed, "render": render, "generate": generate, "cancel": cancel, "state": state, "fork": fork, "logprobs": logprobs,
       "budget": budget, "error": error}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_conformance(model, case, tmp_path):
    RUN[case["do"]](model, case, tmp_path)
