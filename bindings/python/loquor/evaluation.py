"""Evaluation: published questions for a model, or for anything that answers messages with text.

A `Model` is asked through its probabilities, any other callable through what it writes:

    loquor.mmlu(model, "mmlu", shots=5)["micro"]["accuracy"]
    loquor.mmlu(lambda messages: client.chat.completions.create(model="...", messages=messages).choices[0].message.content, "mmlu")
"""

import csv
import json
import math
import os
import re
import time
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Union

from . import _native
from .errors import Cancelled, InvalidArgument
from .model import Model

Answerer = Callable[[List[dict]], str]
"""Maps messages ([{"role", "content"}]) to text: a hosted model's client, another engine, a function."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _score(right: Sequence[bool]) -> dict:
    n, correct = len(right), sum(right)
    accuracy = correct / n if n else 0.0
    return {"questions": n, "correct": correct, "accuracy": accuracy, "std_error": math.sqrt(accuracy * (1 - accuracy) / (n - 1)) if n > 1 else 0.0}


def _tell(progress, done: int, every: int) -> None:
    if progress is not None and progress(done, every) is False:
        raise Cancelled("stopped by the progress callback")


def mmlu(
    model: Union[Model, Answerer],
    data,
    *,
    shots: int = 5,
    subjects: Sequence[str] = (),
    limit: int = 0,
    format: str = "hendrycks",
    results=None,
    n_ctx: int = 0,
    answers: bool = False,
    progress: Optional[Callable[[int, int], Optional[bool]]] = None,
    cancel=None,
) -> dict:
    """MMLU (Hendrycks et al. 2021): 57 subjects of questions with four answers.

    model     a Model, which chooses the letter it finds most probable after "Answer:"; or a callable, which is asked for it
    data      the folder with dev/SUBJECT_dev.csv and test/SUBJECT_test.csv
    shots     examples before each question, 0 to 5
    subjects  names; none: all of mmlu_subjects()
    limit     most questions of a subject; 0 = all
    format    the prompt: "hendrycks" (the authors'), or "harness" (lm-evaluation-harness's task "mmlu")
    results   a file that each answer is added to at once; those it holds are not asked again (Model only)
    n_ctx     tokens the session holds; a prompt that does not fit loses its first examples, which is counted in "cut" (Model only)
    answers   list every answer in the report
    progress  called with the questions done and all of them; return False to stop
    Returns {"micro": {"questions", "correct", "accuracy", "std_error"}, "macro", "categories", "subjects", ...}: lq_report_json.
    """
    if isinstance(model, Model):
        options = dict(data=os.fspath(data), shots=shots, subjects=list(subjects), limit=limit, format=format, results=os.fspath(results) if results else "", n_ctx=n_ctx, answers=answers)
        return json.loads(model._m.mmlu(options, progress, cancel))
    if results or n_ctx or cancel:
        raise InvalidArgument("mmlu: results, n_ctx and cancel are for a Model")
    return _mmlu_by_text(model, os.fspath(data), shots, list(subjects) or mmlu_subjects(), limit, answers, progress)


def mmlu_subjects() -> List[str]:
    """The names of the 57 subjects."""
    return _native.mmlu_subjects().split(",")


def _mmlu_by_text(ask: Answerer, data: str, shots: int, subjects: List[str], limit: int, answers: bool, progress) -> dict:
    def rows(part: str, subject: str) -> List[dict]:
        with open(os.path.join(data, part, f"{subject}_{part}.csv"), newline="", encoding="utf-8") as file:
            out = []
            for number, r in enumerate(csv.reader(file), 1):
                if len(r) != 6 or r[5] not in ("A", "B", "C", "D"):
                    raise InvalidArgument(f"{file.name}: row {number}: expected question, four answers and a letter")
                out.append({"question": r[0], "choices": r[1:5], "answer": LETTERS.index(r[5])})
            return out

    tests = {s: rows("test", s)[: limit or None] for s in subjects}
    every, begin = sum(map(len, tests.values())), time.monotonic()
    found: Dict[str, List[dict]] = {}
    done = 0
    for subject, questions in tests.items():
        topic = subject.replace("_", " ")
        examples = rows("dev", subject)[:shots] if shots else []
        found[subject] = []
        for q in questions:
            found[subject].append(_choose_by_text(ask, q, examples, f"The following are multiple choice questions about {topic}."))
            done += 1
            _tell(progress, done, every)
    flat = [a for list_ in found.values() for a in list_]
    report: Dict[str, Any] = {
        "micro": _score([a["correct"] for a in flat]),
        "subjects": {s: _score([a["correct"] for a in list_]) for s, list_ in found.items()},
        "unreadable": sum(a["chosen"] is None for a in flat),
        "seconds": time.monotonic() - begin,
    }
    report["macro"] = sum(s["accuracy"] for s in report["subjects"].values()) / max(1, len(found))
    if answers:
        report["answers"] = [dict(a, subject=s, index=i) for s, list_ in found.items() for i, a in enumerate(list_)]
    return report


def _asked(q: dict) -> str:
    return q["question"].strip() + "".join(f"\n{LETTERS[i]}. {c}" for i, c in enumerate(q["choices"])) + "\nAnswer:"


def chosen_letter(text: str, n: int) -> Optional[int]:
    """The answer that a text chooses among n: the letter it begins with, or names last; None if there is none."""
    letters = LETTERS[:n]
    at_once = re.match(rf"\W*([{letters}])\b", text.strip())
    if at_once and not re.match(r"\W*A [a-z]", text.strip()):  # "A house" names no answer
        return letters.index(at_once.group(1))
    named = re.findall(rf"(?:answer|choice|option)\W+(?:is\W+|would be\W+)?\(?([{letters}])\b", text, flags=re.IGNORECASE)
    named = [c for c in named if c.isupper()] or re.findall(rf"\(([{letters}])\)|\*\*([{letters}])\b", text)
    if not named:
        return None
    last = named[-1]
    return letters.index(last if isinstance(last, str) else next(filter(None, last)))


def _choose_by_text(ask: Answerer, q: dict, examples: Sequence[dict], head: str) -> dict:
    messages: List[dict] = [{"role": "system", "content": head + " Answer with the letter of the right answer only."}]
    for e in examples:
        messages += [{"role": "user", "content": _asked(e)}, {"role": "assistant", "content": LETTERS[e["answer"]]}]
    text = ask(messages + [{"role": "user", "content": _asked(q)}])
    chosen = chosen_letter(text, len(q["choices"]))
    return {"right": q["answer"], "chosen": chosen, "correct": chosen == q["answer"], "text": text}


# ---- tasks of one's own ----------------------------------------------------------------------------------------------


def _read_choices(data: Union[str, os.PathLike, Iterable[dict]]) -> List[dict]:
    rows = list(_read_jsonl(data)) if isinstance(data, (str, os.PathLike)) else list(enumerate(data, 1))
    where = os.fspath(data) if isinstance(data, (str, os.PathLike)) else "data"
    out = []
    for line, row in rows:
        question, choices, answer = (row.get(k) for k in ("question", "choices", "answer")) if isinstance(row, dict) else (None, None, None)
        if isinstance(answer, str) and len(answer) == 1 and answer in LETTERS:
            answer = LETTERS.index(answer)
        good = isinstance(question, str) and isinstance(choices, (list, tuple)) and 2 <= len(choices) <= len(LETTERS) and all(isinstance(c, str) and c for c in choices)
        if not good or isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < len(choices):
            raise InvalidArgument(f'{where}: line {line}: expected {{"question": text, "choices": 2 to 26 texts, "answer": a letter or an index}}')
        out.append({"question": question, "choices": list(choices), "answer": answer})
    if not out:
        raise InvalidArgument(f"{where}: no questions")
    return out


def _read_jsonl(path):
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as e:
                    raise InvalidArgument(f"{os.fspath(path)}: line {number}: {e}") from None


def multiple_choice(
    model: Union[Model, Answerer],
    data: Union[str, os.PathLike, Iterable[dict]],
    *,
    shots: int = 0,
    template: str = "Question: {question}\nAnswer:",
    n_ctx: int = 0,
    limit: int = 0,
    answers: bool = False,
    progress: Optional[Callable[[int, int], Optional[bool]]] = None,
) -> dict:
    """Questions with given answers, as in ARC, HellaSwag or a file of one's own.

    model     a Model chooses the answer of the largest log likelihood after the prompt; "accuracy_norm" takes that divided by
              the answer's bytes, as lm-evaluation-harness's acc and acc_norm do. A callable is asked for the letter
    data      a JSONL file, or rows: {"question", "choices": [...], "answer": letter or index from 0}
    shots     the first rows are examples, not questions
    template  of a question, with {question}; the answer follows after a space. Templates end without white space
    Returns {"questions", "correct", "accuracy", "std_error", "accuracy_norm" (Model), "unreadable" (callable), "seconds", "answers"}.
    """
    rows = _read_choices(data)
    if not 0 <= shots < len(rows):
        raise InvalidArgument(f"multiple_choice: {shots} shots of {len(rows)} rows")
    if template != template.rstrip():
        raise InvalidArgument("multiple_choice: the template ends with white space; the answer brings its own")
    examples, questions = rows[:shots], rows[shots:][: limit or None]
    begin = time.monotonic()
    choose = _Likelihood(model, examples, template, n_ctx) if isinstance(model, Model) else None
    out = []
    for i, q in enumerate(questions, 1):
        out.append(choose(q) if choose else _choose_by_text(model, q, examples, "The following are multiple choice questions."))
        _tell(progress, i, len(questions))
    report = _score([a["correct"] for a in out])
    if choose:
        report["accuracy_norm"] = _score([a["chosen_norm"] == a["right"] for a in out])["accuracy"]
    else:
        report["unreadable"] = sum(a["chosen"] is None for a in out)
    report["seconds"] = time.monotonic() - begin
    if answers:
        report["answers"] = out
    return report


class _Likelihood:
    """Log likelihoods of answers, the text before them computed once."""

    def __init__(self, model: Model, examples: Sequence[dict], template: str, n_ctx: int):
        self.model, self.template, self.session = model, template, model.session(n_ctx)
        self.head = "".join(self._prompt(e) + " " + e["choices"][e["answer"]] + "\n\n" for e in examples)

    def _prompt(self, q: dict) -> str:
        return self.template.replace("{question}", q["question"])

    def __call__(self, q: dict) -> dict:
        prompt = self.head + self._prompt(q)
        before = list(self.model.tokenize(prompt, add_special=True))
        sums = []
        for choice in q["choices"]:
            whole = list(self.model.tokenize(prompt + " " + choice, add_special=True))
            self.session.set_prompt(whole[: len(before)])
            sums.append(self.session.score(whole[len(before):])[0])
        norms = [s / len(c.encode()) for s, c in zip(sums, q["choices"])]
        chosen = sums.index(max(sums))
        return {"right": q["answer"], "chosen": chosen, "correct": chosen == q["answer"], "chosen_norm": norms.index(max(norms)), "logprobs": sums}


def answerer(model: Model, *, max_tokens: int = 256, **options) -> Answerer:
    """A Model as a callable from messages to text, greedy unless `options` of generate() say otherwise."""
    options.setdefault("temperature", 0)
    return lambda messages: model.generate(messages, max_tokens=max_tokens, **options).text


NUMBER = r"-?\$?\d[\d,]*(?:\.\d+)?"


def last_number(text: str) -> Optional[str]:
    """The number a text ends up with: after "####", after "answer is", or else the last one; without signs of thousands."""
    for pattern in (rf"####\s*({NUMBER})", rf"answer(?:\s+is)?\W*?({NUMBER})", rf"({NUMBER})"):
        found = re.findall(pattern, text, flags=re.IGNORECASE)
        if found:
            plain = found[-1].replace(",", "").replace("$", "")
            return plain.rstrip("0").rstrip(".") if "." in plain else plain
    return None


def gsm8k(
    model: Union[Model, Answerer],
    data,
    *,
    shots: int = 0,
    chain_of_thought: bool = True,
    limit: int = 0,
    max_tokens: int = 320,
    answers: bool = False,
    progress: Optional[Callable[[int, int], Optional[bool]]] = None,
) -> dict:
    """Grade-school problems (Cobbe et al. 2021), answered by writing; the number at the end is compared.

    data              a JSONL file of {"question", "answer": "reasoning #### number"}
    shots             the last rows of the file are the examples, and no questions
    chain_of_thought  asks for the reasoning, and shows it in the examples; otherwise only the number
    Returns {"questions", "correct", "accuracy", "std_error", "unreadable", "seconds", "answers"}.
    """
    ask = answerer(model, max_tokens=max_tokens) if isinstance(model, Model) else model
    rows = []
    for line, row in _read_jsonl(data):
        if not isinstance(row, dict) or not isinstance(row.get("question"), str) or "####" not in str(row.get("answer")):
            raise InvalidArgument(f'{os.fspath(data)}: line {line}: expected {{"question": text, "answer": "... #### number"}}')
        rows.append(row)
    if not 0 <= shots < len(rows):
        raise InvalidArgument(f"gsm8k: {shots} shots of {len(rows)} rows")
    questions = rows[: len(rows) - shots][: limit or None]
    how = "Think step by step and end with '#### ' and the number." if chain_of_thought else "Answer with '#### ' and the number only."
    head: List[dict] = [{"role": "system", "content": "You solve problems of arithmetic. " + how}]
    for e in rows[len(rows) - shots :]:
        shown = re.sub(r"<<.*?>>", "", e["answer"]) if chain_of_thought else "#### " + e["answer"].split("####")[1].strip()
        head += [{"role": "user", "content": e["question"]}, {"role": "assistant", "content": shown}]
    begin, out = time.monotonic(), []
    for i, q in enumerate(questions, 1):
        text = ask(head + [{"role": "user", "content": q["question"]}])
        right, chosen = last_number("####" + q["answer"].split("####")[1]), last_number(text)
        out.append({"right": right, "chosen": chosen, "correct": right == chosen, "text": text})
        _tell(progress, i, len(questions))
    report = _score([a["correct"] for a in out])
    report["unreadable"] = sum(a["chosen"] is None for a in out)
    report["seconds"] = time.monotonic() - begin
    if answers:
        report["answers"] = out
    return report
