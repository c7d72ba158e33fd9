"""Fine-tuning: adapters from examples."""

import json

import pytest

import loquor

ROWS = [
    {"messages": [{"role": "user", "content": "Where is Zorbex?"}, {"role": "assistant", "content": "Zorbex is in the city of Quarn."}]},
    {"messages": [{"role": "user", "content": "What does Zorbex make?"}, {"role": "assistant", "content": "Zorbex makes purple umbrellas."}]},
]
OPTIONS = dict(rank=4, max_tokens=64, batch=2, learning_rate=3e-3)


def test_a_model_learns_facts_and_says_them(model, path, tmp_path):
    out = tmp_path / "adapter"
    seen = []
    report = loquor.finetune(model, ROWS, out, eval_data=ROWS, steps=16, progress=lambda p: seen.append(p["step"]), **OPTIONS)
    assert seen == list(range(1, 17)) and report["steps"] == 16 and report["train"]["lines"] == 2
    assert report["perplexity_after"] < 1.5 < report["perplexity_before"]
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["r"] == 4 and (out / "adapter_model.safetensors").exists()
    for file in (out, out / "adapter.gguf"):
        with model.session() as s:
            s.set_adapters([(loquor.Adapter(model, file), 1.0)])
            answer = model.generate(ROWS[0]["messages"][:1], max_tokens=16, temperature=0, session=s)
            assert answer.text == "Zorbex is in the city of Quarn."
    merged = tmp_path / "merged.gguf"
    done = loquor.merge(path, [(out, 0.5), (out / "adapter.gguf", 0.5)], merged, "Q8_0")
    assert done["merged"] == 210 and done["head"] == "Q8_0" and done["target_bytes"] == merged.stat().st_size
    with loquor.Model(merged, threads=2) as m:
        assert m.generate(ROWS[0]["messages"][:1], max_tokens=16, temperature=0).text == "Zorbex is in the city of Quarn."
    with pytest.raises(loquor.InvalidArgument, match="no adapters"):
        loquor.merge(path, [], merged)
    with pytest.raises(loquor.NotFound):
        loquor.merge(path, tmp_path / "none", merged)
    assert "Quarn" not in model.generate("Where is Zorbex?", max_tokens=16, temperature=0).text


def test_a_run_that_was_ended_goes_on(model, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    loquor.finetune(model, ROWS, whole, steps=4, **OPTIONS)
    cancel = loquor.Cancel()
    with pytest.raises(loquor.Cancelled):
        loquor.finetune(model, ROWS, cut, steps=4, cancel=cancel, progress=lambda p: cancel.trigger() if p["step"] == 2 else None, **OPTIONS)
    assert [p.name for p in cut.iterdir()] == ["checkpoint.safetensors"]
    steps = []
    loquor.finetune(model, ROWS, cut, steps=4, progress=lambda p: steps.append(p["step"]), **OPTIONS)
    assert steps == [3, 4]
    assert (cut / "adapter_model.safetensors").read_bytes() == (whole / "adapter_model.safetensors").read_bytes()


def test_what_cannot_be_learnt_is_refused(model, tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text('{"text": "good"}\n{"tex": "bad"}\n')
    with pytest.raises(loquor.BadFile, match="line 2"):
        loquor.finetune(model, file, tmp_path / "out")
    with pytest.raises(loquor.InvalidArgument, match="nose"):
        loquor.finetune(model, ROWS, tmp_path / "out", targets=["nose"])
    with pytest.raises(loquor.InvalidArgument, match="no text to learn"):
        loquor.finetune(model, ROWS, tmp_path / "out", max_tokens=5)
    with pytest.raises(loquor.InvalidArgument, match="rank"):
        loquor.finetune(model, ROWS, tmp_path / "out", rank=-1)
    with pytest.raises(ZeroDivisionError):
        loquor.finetune(model, ROWS, tmp_path / "out", progress=lambda p: 1 // 0, steps=2, **OPTIONS)
