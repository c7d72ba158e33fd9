"""Prompts: role, examples, reasoning, votes."""

import pytest

import loquor

CAPITALS = [{"input": "France", "output": "Paris"}, {"input": "Italy", "output": "Rome"}, {"input": "Japan", "output": "Tokyo"}]


def test_examples_show_what_is_wanted(model):
    prompt = loquor.Prompt(instructions="Name the capital.", examples=CAPITALS, max_tokens=8)
    assert prompt(model, "Germany").rstrip(".") == "Berlin"
    built = prompt.build(model, "Germany")
    assert built["shown"] == [0, 1, 2] and "Name the capital." in built["text"] and built["text"].index("Rome") < built["text"].index("Germany")
    assert built["tokens"] == list(model.tokenize(built["text"], parse_special=True))
    short = prompt.build(model, "Germany", len(built["tokens"]) - 1)
    assert short["dropped"] == [0] and short["shown"] == [1, 2]
    raw = loquor.Prompt(examples=CAPITALS, raw=True, max_tokens=8)
    assert raw.build(model, "Spain")["text"].endswith("Q: Spain\nA:") and "\n" not in raw(model, "Spain")


def test_chains_reason_and_vote(model):
    prompt = loquor.Prompt(instructions="Solve the problem.", reasoning_tokens=48, votes=5, seed=3, regex="[0-9]{1,3}")
    a = prompt.ask(model, "Tom has 3 apples and gets 4 more. How many has he?")
    assert a["text"].isdigit() and sum(v["count"] for v in a["votes"]) == 5 and a["share"] == a["votes"][0]["count"] / 5 and a["reasoning"]
    assert prompt.ask(model, "Tom has 3 apples and gets 4 more. How many has he?")["votes"] == a["votes"]
    with model.session(512) as s:
        assert loquor.Prompt(choices=["yes", "no"]).ask(s, "Is the sky blue?")["text"] in ("yes", "no")


def test_what_prompts_refuse(model):
    for bad in (dict(votes=0), dict(examples=[{"input": "x"}]), dict(choice="best"), dict(choice="nearest"), dict(choices=["a"], regex="b"), dict(regex="(")):
        with pytest.raises(loquor.InvalidArgument):
            loquor.Prompt(**bad)
    with pytest.raises(loquor.ContextFull):
        loquor.Prompt().build(model, "word " * 100, 20)
    cancel = loquor.Cancel()
    cancel.trigger()
    with pytest.raises(loquor.Cancelled):
        loquor.Prompt().ask(model, "Hello?", cancel=cancel)
