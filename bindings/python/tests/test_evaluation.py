"""Evaluation: MMLU, questions of one's own, problems answered by writing."""

import json
import math

import numpy
import pytest

import loquor
from loquor.evaluation import answerer, chosen_letter, last_number

QUESTIONS = [
    ("What is the capital of France?", ["Paris", "London", "Rome", "Berlin"], "A"),
    ("How many legs has a dog?", ["two", "four", "six", "eight"], "B"),
    ("Which of these is a colour?", ["table", "seven", "red", "run"], "C"),
]


@pytest.fixture()
def data(tmp_path):
    for part in ("dev", "test"):
        (tmp_path / part).mkdir()
        rows = "".join(f'"{q}",{",".join(c)},{a}\n' for q, c, a in QUESTIONS)
        (tmp_path / part / f"anatomy_{part}.csv").write_text(rows)
    return tmp_path


def test_mmlu_is_the_largest_of_four_logits(model, data, tmp_path):
    seen = []
    report = loquor.mmlu(model, data, shots=1, subjects=["anatomy"], answers=True, progress=lambda done, every: seen.append((done, every)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    head = "The following are multiple choice questions (with answers) about  anatomy.\n\n"
    text = ["{}\nA. {}\nB. {}\nC. {}\nD. {}\nAnswer:".format(q, *c) for q, c, _ in QUESTIONS]
    letters = [model.tokenize("Answer: " + c)[-1] for c in "ABCD"]
    for answer, t in zip(report["answers"], text):
        with model.session() as s:
            s.set_prompt(model.tokenize(head + text[0] + " A\n\n" + t, add_special=True))
            logits = s.logits_of(letters)
        p = numpy.exp(logits - logits.max())
        assert answer["chosen"] == p.argmax() and numpy.allclose(answer["probability"], p / p.sum(), atol=1e-5)
    assert report["micro"]["correct"] == sum(a["chosen"] == a["right"] for a in report["answers"])
    assert len(loquor.mmlu_subjects()) == 57


def test_mmlu_goes_on_and_fails_cleanly(model, data, tmp_path):
    results = tmp_path / "results.jsonl"
    options = dict(shots=0, subjects=["anatomy"], results=results)
    with pytest.raises(loquor.Cancelled):
        loquor.mmlu(model, data, progress=lambda done, every: done < 2, **options)
    assert loquor.mmlu(model, data, **options)["resumed"] == 2
    with pytest.raises(loquor.Mismatch, match="another run"):
        loquor.mmlu(model, data, **dict(options, format="harness"))
    with pytest.raises(ZeroDivisionError):
        loquor.mmlu(model, data, shots=0, subjects=["anatomy"], progress=lambda done, every: 1 // 0)
    with pytest.raises(loquor.NotFound, match="alchemy"):
        loquor.mmlu(model, data, subjects=["alchemy"])
    with pytest.raises(loquor.NotFound, match="astronomy"):
        loquor.mmlu(model, data, subjects=["astronomy"])


def test_anything_that_writes_can_be_asked(data):
    asked = []

    def oracle(messages):
        asked.append(messages)
        return {"France": "A", "dog": "The answer is (B).", "colour": "I cannot say."}[next(w for w in ("France", "dog", "colour") if w in messages[-1]["content"])]

    report = loquor.mmlu(oracle, data, shots=2, subjects=["anatomy"], answers=True)
    assert report["micro"]["correct"] == 2 and report["unreadable"] == 1 and report["subjects"]["anatomy"]["questions"] == 3
    assert [m["role"] for m in asked[0]] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert report["macro"] == pytest.approx(2 / 3)
    with pytest.raises(loquor.InvalidArgument):
        loquor.mmlu(oracle, data, results="x")


def test_choices_are_compared_by_likelihood(model, tmp_path):
    rows = [dict(zip(("question", "choices", "answer"), q)) for q in QUESTIONS]
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    report = loquor.multiple_choice(model, file, answers=True)
    assert report["questions"] == 3 and report == dict(loquor.multiple_choice(model, rows, answers=True), seconds=report["seconds"])
    prompt = list(model.tokenize("Question: " + rows[1]["question"] + "\nAnswer:", add_special=True))
    for choice, logprob in zip(rows[1]["choices"], report["answers"][1]["logprobs"]):
        with model.session() as s:
            want = 0.0
            for token in model.tokenize("Answer: " + choice)[len(model.tokenize("Answer:")):]:
                s.set_prompt(prompt)
                logits = s.logits.astype(float)
                want += logits[token] - logits.max() - math.log(numpy.exp(logits - logits.max()).sum())
                prompt.append(token)
        del prompt[len(model.tokenize("Question: " + rows[1]["question"] + "\nAnswer:", add_special=True)):]
        assert logprob == pytest.approx(want, abs=2e-2)
    assert loquor.multiple_choice(lambda messages: "A", rows, shots=1)["correct"] == 0
    for bad in ({"question": "x"}, {"question": "x", "choices": ["a", "b"], "answer": 2}, {"question": "x", "choices": ["a", ""], "answer": 0}, 3):
        with pytest.raises(loquor.InvalidArgument, match="line 2"):
            loquor.multiple_choice(model, [rows[0], bad])
    file.write_text("{}\nnot JSON\n")
    with pytest.raises(loquor.InvalidArgument, match="line 2"):
        loquor.multiple_choice(model, file)


def test_problems_are_answered_by_writing(model, tmp_path):
    file = tmp_path / "p.jsonl"
    file.write_text("".join(json.dumps({"question": f"{a} and {a}?", "answer": f"{a}+{a} = <<{a}+{a}={2 * a}>>{2 * a}\n#### {2 * a:,}"}) + "\n" for a in (1, 700, 3)))
    asked = []

    def ask(messages):
        asked.append(messages)
        return "That makes 2." if messages[-1]["content"].startswith("1 ") else "It is 1,400.00"

    report = loquor.gsm8k(ask, file, shots=1)
    assert (report["questions"], report["correct"]) == (2, 2)
    assert asked[0][2]["content"] == "3+3 = 6\n#### 6"
    assert loquor.gsm8k(ask, file, shots=1, chain_of_thought=False)["correct"] == 2 and asked[-1][2]["content"] == "#### 6"
    assert loquor.gsm8k(model, file, limit=1, max_tokens=8)["questions"] == 1
    assert answerer(model, max_tokens=3)([{"role": "user", "content": "Hello"}])
    file.write_text('{"question": "x", "answer": "5"}\n')
    with pytest.raises(loquor.InvalidArgument, match="line 1"):
        loquor.gsm8k(ask, file)


@pytest.mark.parametrize(
    "text, letter",
    [("B", 1), (" (C) since", 2), ("The answer is D.", 3), ("A house is what it is; so the answer: B", 1), ("I think **A**", 0), ("none", None), ("", None), ("E", None)],
)
def test_letters_are_found_in_text(text, letter):
    assert chosen_letter(text, 4) == letter


@pytest.mark.parametrize(
    "text, number",
    [("#### 1,234", "1234"), ("so 3 and 4 make 7", "7"), ("The answer is $18.50.", "18.5"), ("answer: 5. Then 6", "5"), ("-3", "-3"), ("none", None), ("it is 20.00", "20")],
)
def test_numbers_are_found_in_text(text, number):
    assert last_number(text) == number
