"""Writes cases.json: what every language binding must do alike with the default model (SmolLM2-135M-Instruct Q4_1).

    python tests/conformance/make_cases.py          # with the Python package installed

Outputs of generation come from the Python package; tests/generate and tests/goldens compare the library itself with other
implementations. Texts are short, so that they do not depend on the instruction set (checked: avx512vnni, avx2, scalar).
"""

import json
import pathlib
import sys
import tempfile

import loquor

HERE = pathlib.Path(__file__).resolve().parent
if not (HERE / "cases.json").exists():
    (HERE / "cases.json").write_text("[]")
sys.path.insert(0, str(HERE.parents[1] / "bindings/python/tests"))
sys.path.insert(0, str(HERE.parent / "goldens"))
import tiny_encoder  # noqa: E402
from test_conformance import run  # noqa: E402

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
PIRATE = [{"role": "system", "content": "You answer in one word."}, {"role": "user", "content": "Is water wet?"}]
TEXTS = ["", "Hello, world!", "  two  spaces\n\ttab", "Gr\u00fc\u00dfe, \u4e16\u754c \U0001f600", "<|im_end|> is text", "x = [i**2 for i in range(10)]"]


def generated(model, case):
    with model.session(ctx=512) as session:
        text, result = run(session, case), session.result()
        return {**case, "text": text, "finish": result.finish_reason, "generated_tokens": len(result.tokens)}


def embedded(texts):
    """The first numbers of each vector, from the small encoder of tests/goldens/tiny_encoder.py."""
    with tempfile.TemporaryDirectory() as folder:
        tiny_encoder.write(pathlib.Path(folder))
        vectors = loquor.Embedder(loquor.Model(folder)).embed(texts)
    return {"name": "embed", "do": "embed", "texts": texts, "dimension": vectors.shape[1], "tolerance": 1e-4,
            "begin": [[round(float(x), 6) for x in v[:4]] for v in vectors]}


def main():
    model = loquor.Model("smollm2")
    cases = [{"name": f"tokenize {i}", "do": "tokenize", "text": t, "ids": list(map(int, model.tokenize(t)))} for i, t in enumerate(TEXTS)]
    cases.append({"name": "tokenize control tokens", "do": "tokenize", "text": "<|im_end|>", "parse_special": True,
                  "ids": list(map(int, model.tokenize("<|im_end|>", parse_special=True)))})
    runs = [
        {"name": "greedy text", "prompt": "The capital of France is", "options": {"max_tokens": 8}},
        {"name": "chat", "messages": FRANCE, "options": {"max_tokens": 24}},
        {"name": "role", "messages": PIRATE, "options": {"max_tokens": 12}},
        {"name": "stop string", "prompt": "One, two, three,", "options": {"max_tokens": 24, "stop": [" six"]}},
        {"name": "seeded sampling", "prompt": "Once upon a time", "options": {"max_tokens": 8, "temperature": 0.7, "top_k": 5, "seed": 7}},
    ]
    cases += [generated(model, {"do": "generate", **r}) for r in runs]
    cases += [
        {"name": "cancel, then again", "do": "cancel", "prompt": "Count to a hundred: 1, 2,", "after_tokens": 3, "then": "The capital of France is",
         "options": {"max_tokens": 8}, "text": next(c["text"] for c in cases if c["name"] == "greedy text")},
        {"name": "state saved and loaded", "do": "state", "prompt": "The capital of France is", "options": {"max_tokens": 8},
         "text": next(c["text"] for c in cases if c["name"] == "greedy text")},
        {"name": "fork", "do": "fork", "prompt": "The capital of France is", "options": {"max_tokens": 8},
         "text": next(c["text"] for c in cases if c["name"] == "greedy text")},
        {"name": "log probabilities", "do": "logprobs", "prompt": "The capital of France is", "options": {"max_tokens": 3, "logprobs": 2}},
        {"name": "budget", "do": "budget", "prompt": "The capital of France is", "budget_us": 500, "options": {"max_tokens": 8},
         "text": next(c["text"] for c in cases if c["name"] == "greedy text")},
    ]
    cases.append(embedded(["Hello there", "the inner text", ""]))
    cases.append({"name": "render", "do": "render", "messages": PIRATE,
                  "text": model.render(PIRATE)})
    cases += [{"name": f"error: {what}", "do": "error", "call": call, **more, "code": code} for what, call, more, code in [
        ("no such file", "load", {"source": "/does/not/exist.gguf"}, "not_found"),
        ("no GGUF file", "load_bytes", {"bytes": "this is not a model"}, "bad_file"),
        ("instruction set", "context", {"isa": "none"}, "unsupported"),
        ("memory cap of the weights", "load", {"source": "smollm2", "options": {"memory_cap": 1000}}, "out_of_memory"),
        ("cancelled loading", "load_cancelled", {"source": "smollm2"}, "cancelled"),
        ("cache type", "session", {"options": {"kv_type": "q3"}}, "invalid_argument"),
        ("prompt longer than the context", "generate", {"options": {}, "session": {"ctx": 4}, "prompt": "a b c d e f g h i j"}, "context_full"),
        ("token outside the vocabulary", "detokenize", {"ids": [1000000]}, "invalid_argument"),
        ("sampler out of range", "generate", {"prompt": "x", "options": {"top_p": 7}}, "invalid_argument"),
        ("no text encoder", "embedder", {}, "unsupported"),
        ("state that cannot be written", "save", {"path": "/does/not/exist/state"}, "io"),
        ("closed session", "closed", {}, "invalid_argument"),
        ("damaged state", "load_state", {"bytes": "nothing of the kind"}, "bad_file"),
        ("state of another cache type", "mismatch", {}, "mismatch"),
    ]]
    (HERE / "cases.json").write_text(json.dumps(cases, indent=1, ensure_ascii=False) + "\n")
    print(len(cases), "cases with loquor", loquor.__version__)


if __name__ == "__main__":
    main()
