"""Writing model files in other types."""

import os
import signal

import pytest

import loquor


def test_quantize_writes_a_model_that_answers(path, tmp_path):
    target = tmp_path / "q4_0.gguf"
    seen = []
    done = loquor.quantize(path, target, "q4_0", threads=2, progress=seen.append)
    assert done["head"] == "Q8_0" and done["converted"] == done["requantized"] == 210 and done["odd"] == 0
    assert done["target_bytes"] == target.stat().st_size < done["source_bytes"]
    assert seen == sorted(seen) and seen[-1] == 1
    assert set(loquor.inspect(target)["tensor_types"]) == {"F32", "Q4_0", "Q8_0"}
    with loquor.Model(target, threads=2) as m:
        assert "Paris" in m.generate("What is the capital of France?", max_tokens=10, temperature=0).text


def test_quantize_fails_cleanly(path, tmp_path):
    target = tmp_path / "x.gguf"
    target.write_bytes(b"before")
    with pytest.raises(loquor.InvalidArgument, match="Q4_1"):
        loquor.quantize(path, target, "q3_k")
    with pytest.raises(loquor.InvalidArgument, match="source itself"):
        loquor.quantize(path, path, "q8_0")
    with pytest.raises(loquor.Cancelled):
        loquor.quantize(path, target, "f16", progress=lambda f: f < 0.5)
    with pytest.raises(ZeroDivisionError):
        loquor.quantize(path, target, "f16", progress=lambda f: 1 // 0)
    cancel = loquor.Cancel()
    cancel.trigger()
    with pytest.raises(loquor.Cancelled):
        loquor.quantize(path, target, "f16", cancel=cancel)
    assert [p.name for p in tmp_path.iterdir()] == ["x.gguf"] and target.read_bytes() == b"before"


def test_ctrl_c_ends_quantizing(path, tmp_path):
    def interrupt(fraction):
        if fraction > 0.3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        loquor.quantize(path, tmp_path / "x.gguf", "f32", progress=interrupt)
    assert not list(tmp_path.iterdir())
