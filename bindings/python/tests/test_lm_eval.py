"""loquor.lm_eval under lm-evaluation-harness, with tasks made here."""

import json
import math
import subprocess
import sys

import pytest

import loquor

pytest.importorskip("lm_eval", reason="needs the package lm-eval")
import lm_eval  # noqa: E402
from lm_eval.api.instance import Instance  # noqa: E402
from lm_eval.api.registry import get_model  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

import loquor.lm_eval  # noqa: E402
from test_scoring import reference  # noqa: E402

QUESTIONS = [
    {"question": "What is the capital of France?", "choices": ["Paris", "London", "Rome", "Berlin"], "answer": 0},
    {"question": "How many legs has a dog?", "choices": ["two", "four", "six", "eight legs"], "answer": 1},
    {"question": "Which of these is a colour?", "choices": ["table", "seven", "red", "run"], "answer": 2},
]
CHOICES = """
task: lq_choices
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: multiple_choice
test_split: test
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: answer
doc_to_choice: choices
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""
WRITTEN = """
task: lq_written
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: generate_until
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{choices[answer]}}}}"
generation_kwargs: {{until: ["\\n"], max_gen_toks: 12, do_sample: false}}
metric_list: [{{metric: exact_match}}]
"""
ROLLING = """
task: lq_rolling
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
output_type: loglikelihood_rolling
test_split: test
doc_to_text: ""
doc_to_target: "{{{{question}}}}"
metric_list: [{{metric: word_perplexity}}, {{metric: bits_per_byte}}]
"""


def ask(kind, *arguments):
    return [Instance(request_type=kind, doc={}, arguments=a, idx=i) for i, a in enumerate(arguments)]


@pytest.fixture(scope="module")
def lm(model):
    return get_model("loquor")(model=model, n_ctx=512)


@pytest.fixture()
def tasks(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    data = tmp_path / "q.jsonl"
    data.write_text("".join(json.dumps(q) + "\n" for q in QUESTIONS))
    for name, text in (("choices", CHOICES), ("written", WRITTEN), ("rolling", ROLLING)):
        (tmp_path / f"{name}.yaml").write_text(text.format(data=data))
    return tmp_path


def test_the_harnesss_own_models_stay_known(lm):
    assert get_model("dummy") and lm.max_length == 512


def test_loglikelihood(lm, model):
    asked = [("The capital of France is", " Paris"), ("", "Once upon a time"), ("The capital of France is ", "London"), ("The capital of France is", " Paris")]
    out = lm.loglikelihood(ask("loglikelihood", *asked), disable_tqdm=True)
    for (context, continuation), (total, greedy) in zip(asked, out):
        kept = context.rstrip()
        whole = [int(t) for t in model.tokenize(context + continuation)]
        n = len(model.tokenize(kept)) if kept else 0
        want = reference(model, whole[:n] or [model.special_token("bos")], whole[n:])
        assert total == pytest.approx(want[0], abs=2e-3) and greedy == want[1]
    assert out[0] == out[3]


def test_loglikelihood_rolling(lm, model):
    text = "one two three four five six seven eight nine ten eleven twelve thirteen " * 60
    tokens = [int(t) for t in model.tokenize(text)]
    assert len(tokens) > 512
    (short, long) = lm.loglikelihood_rolling(ask("loglikelihood_rolling", (text[:80],), (text,)), disable_tqdm=True)
    assert short == pytest.approx(reference(model, [model.special_token("bos")], [int(t) for t in model.tokenize(text[:80])])[0], abs=5e-3)
    want, size = 0.0, 511  # windows as the harness cuts them: full ones, the last with as much before it as there is room
    bos = model.special_token("bos")
    want += reference(model, [bos], tokens[:size])[0]
    done = size
    while done < len(tokens):
        n = min(size, len(tokens) - done)
        begin = done + n - size - 1
        want += reference(model, tokens[begin:done], tokens[done : done + n])[0]
        done += n
    assert long == pytest.approx(want, rel=1e-4)


def test_generate_until(lm, model):
    asked = [("Question: 2+2?\nAnswer:", {"until": ["\n"], "max_gen_toks": 10}), ("A B C D", {"until": [" G"], "max_gen_toks": 10, "do_sample": False, "temperature": 0.7}),
             ("Once upon a time", {"until": [], "max_gen_toks": 8, "do_sample": True, "temperature": 0.9, "seed": 3})]
    out = lm.generate_until(ask("generate_until", *asked), disable_tqdm=True)
    assert out[0] == model.generate(asked[0][0], raw=True, temperature=0, stop="\n", max_tokens=10).text
    assert out[1] == model.generate(asked[1][0], raw=True, temperature=0, stop=" G", max_tokens=10).text
    assert out == lm.generate_until(ask("generate_until", *asked), disable_tqdm=True)  # the seed
    with pytest.raises(loquor.InvalidArgument, match="max_gen_toks"):
        lm.generate_until(ask("generate_until", ("x", {"max_gen_toks": 512})), disable_tqdm=True)


def test_control_tokens_of_chat_templates(lm, model):
    rendered = lm.apply_chat_template([{"role": "user", "content": "Hello"}])
    tokens = lm.tok_encode(rendered)
    assert tokens[0] == model.special_token("bos") and tokens.count(tokens[0]) == rendered.count("<|im_start|>")
    assert lm.chat_template(True) == model.metadata["tokenizer.chat_template"]


def test_tasks_of_the_harness(tasks, path, model):
    found = lm_eval.simple_evaluate(
        model="loquor", model_args=f"model={path},n_ctx=512,threads=2", tasks=["lq_choices", "lq_written", "lq_rolling"],
        task_manager=TaskManager(include_path=str(tasks)), bootstrap_iters=0, batch_size=8,
    )
    rows = [dict(q) for q in QUESTIONS]
    ours = loquor.multiple_choice(model, rows)
    assert found["results"]["lq_choices"]["acc,none"] == pytest.approx(ours["accuracy"])
    assert found["results"]["lq_choices"]["acc_norm,none"] == pytest.approx(ours["accuracy_norm"])
    text = [q["question"] for q in QUESTIONS]
    total = sum(reference(model, [model.special_token("bos")], [int(t) for t in model.tokenize(t)])[0] for t in text)
    assert found["results"]["lq_rolling"]["bits_per_byte,none"] == pytest.approx(-total / sum(map(len, text)) / math.log(2), rel=1e-3)
    with_chat = lm_eval.simple_evaluate(
        model="loquor", model_args={"model": path, "n_ctx": 512}, tasks=["lq_written"], task_manager=TaskManager(include_path=str(tasks)), bootstrap_iters=0,
        apply_chat_template=True, log_samples=True,
    )
    assert "<|im_start|>user" in str(with_chat["samples"]["lq_written"][0]["arguments"])


def test_the_command_line(tasks, path):
    out = subprocess.run(
        [sys.executable, "-m", "loquor.lm_eval", "run", "--model", "loquor", "--model_args", f"model={path},n_ctx=512", "--tasks", "lq_choices", "--include_path", str(tasks)],
        capture_output=True, text=True,
    )
    assert out.returncode == 0 and "|lq_choices|" in out.stdout.replace(" ", ""), out.stderr[-2000:]
