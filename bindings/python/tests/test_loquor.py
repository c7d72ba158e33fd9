"""The package against the real default model."""

import gc
import itertools
import math
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import loquor

QUESTION = "Why is the sky blue?"


def test_the_instruction_set_is_the_forced_one(model):
    assert model.isa == (os.environ.get("LQ_FORCE_ISA") or loquor.isas()[0])
    assert loquor.isas()[-1] == "scalar"


def test_importing_is_light():
    # -S -I: nothing that the environment's own start-up files import; the package is found by its folder.
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(loquor.__file__))!r}); import loquor\n"
        "print([m for m in ('numpy', 'typing', 'dataclasses', 'json', 'uuid', 'asyncio', 'threading') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_tokens_round_trip(model):
    text = "Hello, wörld! 你好 🙂\n\t1234 <|im_end|>"
    ids = model.tokenize(text)
    assert ids.dtype == np.int32
    assert model.detokenize(ids).decode() == text
    assert 2 not in ids.tolist()
    assert 2 in model.tokenize(text, parse_special=True).tolist()
    assert model.tokenize(b"\xff\xfe").size > 0
    assert model.find_token("<|im_end|>") == 2


def test_generate_is_deterministic_and_streams_the_same(model):
    a = model.generate(QUESTION, max_tokens=24, seed=7)
    b = model.generate(QUESTION, max_tokens=24, seed=7)
    assert a.text == b.text and a.tokens == b.tokens and len(a.tokens) == 24
    assert a.finish_reason == "length"
    assert a.timings["decode_tps"] > 0
    pieces = list(model.generate(QUESTION, max_tokens=24, seed=7, stream=True))
    assert len(pieces) > 5 and "".join(pieces) == a.text
    assert model.generate(QUESTION, max_tokens=24, seed=8).text != a.text


def test_prompt_lookup_changes_no_token(model):
    listing = "Repeat this list three times.\n" + "\n".join(f"{i}. the item of number {i}" for i in range(1, 9))
    common = dict(max_tokens=96, temperature=0)
    plain = model.generate(listing, lookup=0, **common)
    assert plain.timings["drafted_tokens"] == plain.timings["accepted_tokens"] == 0
    for lookup in (None, 1, 7, 31):
        r = model.generate(listing, lookup=lookup, **common)
        assert (r.tokens, r.text, r.finish_reason) == (plain.tokens, plain.text, plain.finish_reason)
        assert r.timings["drafted_tokens"] >= r.timings["accepted_tokens"]
    assert r.timings["accepted_tokens"] > 0
    with pytest.raises(loquor.InvalidArgument):
        model.generate(listing, lookup=32)


def test_threads_do_not_change_the_answer(path, model):
    expected = model.generate(QUESTION, max_tokens=16, seed=3).tokens
    with loquor.Model(path, threads=1) as one:
        assert one.generate(QUESTION, max_tokens=16, seed=3).tokens == expected


def test_greedy_is_the_largest_logit(model):
    s = model.session(ctx=256)
    ids = model.tokenize("The capital of France is").tolist()
    s.eval(ids)
    logits = s.logits
    assert logits.shape == (model.n_vocab,) and logits.dtype == np.float32
    r = model.generate("The capital of France is", raw=True, max_tokens=1, temperature=0)
    assert r.tokens == [int(logits.argmax())]
    assert r.text == " Paris"
    rows = model.session(ctx=256).eval_logits(ids)
    assert rows.shape == (len(ids), model.n_vocab)
    assert np.array_equal(rows[-1], logits)


def test_sessions_fork_rewind_save_and_load(model, tmp_path):
    ids = model.tokenize("Once upon a time there was a little dragon who").tolist()
    with model.session(ctx=128) as s:
        s.eval(ids)
        expected = s.logits
        other = s.fork()
        other.eval([5, 6, 7])
        assert np.array_equal(s.logits, expected)
        s.rewind(4)
        assert len(s) == 4 and s.tokens == ids[:4]
        s.eval(ids[4:])
        assert np.array_equal(s.logits, expected)
        state = s.save()
        s.save(tmp_path / "state")
        for source in (state, tmp_path / "state"):
            t = model.session(ctx=128)
            t.load(source)
            assert t.tokens == ids and np.array_equal(t.logits, expected)
        broken = bytearray(state)
        broken[len(state) // 2] ^= 1
        with pytest.raises(loquor.BadFile):
            t.load(bytes(broken))
        assert t.tokens == ids
        assert t.set_prompt(ids[:6] + [9]) == 6
    with pytest.raises(loquor.LoquorError):
        s.eval([1])


def test_stop_strings_and_logprobs(model):
    r = model.generate(QUESTION, max_tokens=64, temperature=0)
    stop = r.text[10:16]
    cut = model.generate(QUESTION, max_tokens=64, temperature=0, stop=stop)
    assert cut.finish_reason == "stop" and stop not in cut.text and r.text.startswith(cut.text)
    r = model.generate(QUESTION, max_tokens=5, temperature=0, logprobs=3)
    assert len(r.logprobs) == 5
    for token, entry in zip(r.tokens, r.logprobs):
        assert entry["token"] == token == entry["top"][0][0]
        assert entry["logprob"] == entry["top"][0][1] <= 0
        assert len(entry["top"]) == 3


def test_samplers_compose_and_take_python_stages(model):
    seen = []

    def only_even(tokens, logits, history):
        seen.append(len(history))
        logits[tokens % 2 == 1] = -np.inf

    sampler = loquor.Sampler(seed=1).add("top_k", 100).add(only_even).add("temperature", 0.8)
    r = model.generate(QUESTION, max_tokens=6, sampler=sampler)
    assert seen and all(t % 2 == 0 for t in r.tokens)

    def broken(tokens, logits, history):
        raise RuntimeError("from the stage")

    with pytest.raises(RuntimeError, match="from the stage"):
        model.generate(QUESTION, max_tokens=3, sampler=loquor.Sampler().add("top_k", 5).add(broken))
    assert model.generate(QUESTION, max_tokens=3, seed=1).text
    with pytest.raises(loquor.NotFound, match="top_k"):
        loquor.Sampler().add("nosuch", 1)
    for bad in (("top_p", float("nan")), ("top_p", 2), ("temperature", -1), ("top_k", 1.5)):
        with pytest.raises(loquor.InvalidArgument):
            loquor.Sampler().add(*bad)
    bias = model.generate(QUESTION, max_tokens=1, temperature=0, logit_bias={1234: 1000.0})
    assert bias.tokens == [1234]


def test_chat_completions_have_the_known_shape(model):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a colour."}]
    c = model.create_chat_completion(messages, max_tokens=8, temperature=0, logprobs=True, top_logprobs=2)
    assert c["object"] == "chat.completion" and c["id"].startswith("chatcmpl-")
    choice = c["choices"][0]
    assert choice["message"]["role"] == "assistant" and choice["finish_reason"] in ("stop", "length")
    assert len(choice["logprobs"]["content"][0]["top_logprobs"]) == 2
    assert c["usage"]["total_tokens"] == c["usage"]["prompt_tokens"] + c["usage"]["completion_tokens"]
    chunks = list(model.create_chat_completion(messages, max_tokens=8, temperature=0, stream=True))
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant"}
    assert chunks[-1]["choices"][0]["finish_reason"] == choice["finish_reason"]
    assert "".join(k["choices"][0]["delta"].get("content", "") for k in chunks) == choice["message"]["content"]
    t = model.create_completion("The capital of France is", max_tokens=3, temperature=0, logprobs=2, echo=True)
    assert t["object"] == "text_completion" and t["choices"][0]["text"].startswith("The capital of France is Paris")
    assert len(t["choices"][0]["logprobs"]["tokens"]) == 3
    assert "".join(k["choices"][0]["text"] for k in model("The capital of France is", max_tokens=3, temperature=0, stream=True)) == " Paris" + t["choices"][0]["text"].split(" Paris", 1)[1]
    with pytest.raises(loquor.InvalidArgument, match="nonsense"):
        model.create_chat_completion(messages, nonsense=1)


def test_messages_stay_text(model):
    ids = model.render([{"role": "user", "content": "<|im_end|>"}])
    assert ids.count("<|im_end|>") == 3
    s = model.session(ctx=256)
    s.start(None, messages=[["user", "<|im_end|>", ""]], max_tokens=1)
    list(s.events())
    assert s.tokens.count(2) == 2


def test_a_conversation_remembers(model):
    chat = loquor.Chat(model, system="You are terse.", max_tokens=12, temperature=0)
    first = chat.say("My name is Ada.")
    assert chat.messages[-1] == {"role": "assistant", "content": first}
    chat.say("What is my name?")
    assert chat.session.result().reused_tokens > 20


def test_steps_under_a_budget_give_the_same_tokens(model):
    expected = model.generate(QUESTION, raw=True, max_tokens=8, temperature=0).tokens
    s = model.session(ctx=256)
    s.start(QUESTION, max_tokens=8)
    tokens, working = [], 0
    for _ in range(100000):
        e = s.step(budget_us=200)
        working += e.kind == "working"
        if e.kind == "token":
            tokens.append(e.token)
        if e.kind == "done":
            break
    assert tokens == expected and working > 8


def test_an_abandoned_stream_does_not_disturb_the_next(model):
    expected = model.generate(QUESTION, max_tokens=8, temperature=0).text
    first = model.generate("Tell me a story.", max_tokens=50, seed=1, stream=True)
    next(first)
    second = model.generate(QUESTION, max_tokens=8, temperature=0, stream=True)
    begun = next(second)
    with pytest.raises(loquor.InvalidArgument, match="given up"):
        next(first)
    del first
    assert begun + "".join(second) == expected
    chunks = model.create_chat_completion([{"role": "user", "content": "Hi"}], max_tokens=20, stream=True)
    next(chunks)
    chunks = model.create_completion("The capital of France is", max_tokens=1, temperature=0, stream=True)
    assert "".join(c["choices"][0]["text"] for c in chunks) == " Paris"


def test_no_limit_is_none_zero_or_less(model):
    for limit in (None, 0, -1):
        r = model.create_completion("One, two, three", max_tokens=limit, temperature=0, stop=["four"])
        assert r["choices"][0]["finish_reason"] == "stop"
    tokens = model.generate(QUESTION, max_tokens=8, temperature=0).tokens
    cut = model.generate(QUESTION, max_tokens=None, temperature=0, stop_tokens=[tokens[5]])
    assert cut.finish_reason == "stop" and cut.tokens == tokens[: tokens.index(tokens[5])] + cut.tokens[tokens.index(tokens[5]):]
    assert len(cut.tokens) <= 6


def test_a_generation_goes_on_from_what_the_session_holds(model):
    s = model.session(ctx=64)
    s.eval(model.tokenize("The capital of France is"))
    s.start(None, max_tokens=1)
    assert "".join(e.text for e in s.events()) == " Paris"


def test_streamed_completions_carry_logprobs(model):
    options = dict(max_tokens=4, temperature=0, logprobs=2)
    whole = model.create_completion("The capital of France is", **options)["choices"][0]
    chunks = [c["choices"][0] for c in model.create_completion("The capital of France is", stream=True, **options)]
    assert "".join(c["text"] for c in chunks) == whole["text"]
    for key, values in whole["logprobs"].items():
        assert [v for c in chunks if c["logprobs"] for v in c["logprobs"][key]] == values


def test_stages_outlive_their_sampler_and_a_start_that_fails(model):
    calls = []
    s = model.session(ctx=64)
    s.start("one two", max_tokens=6, ignore_end=True, sampler=loquor.Sampler().add("top_k", 9).add(lambda t, x, h: calls.append(len(t))))
    s.step()
    with pytest.raises(loquor.InvalidArgument):
        s.start("x", stop=[""], sampler=loquor.Sampler().add(lambda t, x, h: None))
    gc.collect()
    assert [e.kind for e in s.events()] == ["token"] * 5 + ["done"]
    assert calls == [9] * 6


def test_a_stage_may_be_wrong_but_not_harmful(model):
    s = model.session(ctx=64)

    def with_nan(tokens, logits, history):
        logits[:] = np.nan

    def drop_all(tokens, logits, history):
        logits[:] = -np.inf

    def reenter(tokens, logits, history):
        s.rewind(0)

    for stage in (with_nan, drop_all, reenter):
        s.start("one two", max_tokens=2, sampler=loquor.Sampler().add("top_k", 9).add(stage))
        with pytest.raises(loquor.InvalidArgument):
            list(s.events())
    s.start("one two", max_tokens=2)
    assert len(list(s.events())) == 3


def test_a_second_thread_on_a_busy_session_is_refused(model):
    s = model.session(ctx=4096)
    refused, stop = [], threading.Event()

    def disturb():
        while not stop.is_set():
            try:
                s.rewind(0)
            except loquor.InvalidArgument as e:
                refused.append(str(e))
                return
            time.sleep(0.001)

    t = threading.Thread(target=disturb)
    t.start()
    try:
        s.eval([100 + i % 1000 for i in range(600)])
    finally:
        stop.set()
        t.join()
    assert refused and "another thread" in refused[0]


def test_sessions_in_threads_give_what_they_give_alone(model):
    seeds = (1, 2, 3)
    expected = [model.generate(QUESTION, max_tokens=12, seed=n).tokens for n in seeds]
    got = {}

    def work(n):
        with model.session(ctx=128) as s:
            got[n] = model.generate(QUESTION, max_tokens=12, seed=n, session=s).tokens

    threads = [threading.Thread(target=work, args=(n,)) for n in seeds]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [got[n] for n in seeds] == expected


def test_a_cancel_handle_ends_a_generation(model):
    cancel = loquor.Cancel()
    threading.Timer(0.1, cancel.trigger).start()
    with pytest.raises(loquor.Cancelled):
        model.generate(QUESTION, max_tokens=3000, seed=1, cancel=cancel, logit_bias={2: -math.inf, 0: -math.inf})
    assert cancel.is_set
    assert model.generate(QUESTION, max_tokens=2, seed=1).finish_reason == "length"


def test_a_full_context_is_said(model):
    s = model.session(ctx=16)
    with pytest.raises(loquor.ContextFull, match="16"):
        s.eval(list(range(100, 120)))
    assert len(s) == 0
    s.start("one two three", max_tokens=100)
    assert list(s.events())[-1].finish_reason == "context_full"
    slide = model.session(ctx=32, overflow="slide", slide_keep=4)
    slide.start("one two three", max_tokens=60, ignore_end=True)
    assert sum(e.kind == "token" for e in slide.events()) == 60


def test_another_thread_can_cancel_and_the_gil_is_free(model):
    s = model.session(ctx=2048)
    started, ticks, stop = threading.Event(), itertools.count(), threading.Event()

    def count():
        while not stop.is_set():
            next(ticks)
            time.sleep(0)

    def cancel():
        started.wait()
        time.sleep(0.1)
        s.cancel()

    threads = [threading.Thread(target=count), threading.Thread(target=cancel)]
    for t in threads:
        t.start()
    began = None
    try:
        with pytest.raises(loquor.Cancelled):
            s.start(QUESTION, max_tokens=0, ignore_end=True)
            started.set()
            began = time.monotonic()
            for _ in s.events():
                pass
    finally:
        stop.set()
        started.set()
        for t in threads:
            t.join()
    assert time.monotonic() - began < 5
    assert next(ticks) > 100
    s.start("again", max_tokens=2)
    assert list(s.events())[-1].kind == "done"


# What each must be interrupted in, and that the session is usable afterwards.
INTERRUPTED = {
    "generate": "m.generate('Tell me a very long story.', max_tokens=4000, seed=1)",
    "stream": "[p for p in m.generate('Tell me a very long story.', max_tokens=4000, seed=1, stream=True)]",
    "eval": "s.eval(ids)",
    "set_prompt": "s.set_prompt(ids)",
    "score": "s.score(ids)",
    "logits_of": "s.logits_of([1, 2], ids)",
    "eval_logits": "s.eval_logits(ids[:1500])",
    "long prompt": "s.start(ids); list(s.events())",
    "perplexity": "m.perplexity(ids, n_ctx=2048)",
}


@pytest.mark.parametrize("what", INTERRUPTED)
def test_ctrl_c_ends_every_long_call_within_200_ms(path, what):
    code = f"""
import signal, sys, time, loquor
m = loquor.Model(sys.argv[1], threads=1, compute="f32")
s = m.session(ctx=8192)
ids = [100 + i * 7919 % 40000 for i in range(8000)]
sent = []
def interrupt(number, frame):
    raise KeyboardInterrupt
import threading
def later():
    time.sleep(0.4)
    sent.append(time.monotonic())
    signal.raise_signal(signal.SIGINT)
threading.Thread(target=later, daemon=True).start()
try:
    {INTERRUPTED[what]}
    print("ended")
except KeyboardInterrupt:
    took = time.monotonic() - sent[0]
    s.rewind(0)
    s.eval([1, 2, 3])
    print("interrupted", took, m.generate("Hi", max_tokens=2, seed=1).finish_reason)
"""
    out = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, timeout=120)
    word, took, finish = out.stdout.split()
    assert (word, finish) == ("interrupted", "length"), out.stderr
    assert float(took) < 0.2


def test_ctrl_c_stops_and_leaves_the_model_usable(path):
    code = """
import sys, time, loquor
m = loquor.Model(sys.argv[1], threads=2)
print("ready", flush=True)
try:
    m.generate("Tell me a very long story.", max_tokens=4000, seed=1)
except KeyboardInterrupt:
    print("interrupted", m.generate("Hi", max_tokens=2, seed=1).finish_reason, flush=True)
"""
    p = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline().strip() == "ready"
    time.sleep(0.5)
    p.send_signal(signal.SIGINT)
    sent = time.monotonic()
    assert p.stdout.readline().strip() == "interrupted length"
    assert time.monotonic() - sent < 2
    assert p.wait() == 0


def test_progress_can_stop_loading(path):
    seen = []
    with pytest.raises(loquor.Cancelled):
        loquor.Model(path, progress=lambda f: (seen.append(f), f < 0.3)[1])
    assert seen and seen[-1] < 0.6
    with pytest.raises(ZeroDivisionError):
        loquor.Model(path, progress=lambda f: 1 / 0)


def test_errors_form_a_tree(tmp_path, path):
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 100)
    with pytest.raises(loquor.BadFile, match="bad.gguf") as e:
        loquor.Model(bad)
    assert isinstance(e.value, loquor.LoquorError) and e.value.status == "bad_file"
    with pytest.raises(FileNotFoundError):
        loquor.Model(tmp_path / "nothing.gguf")
    with pytest.raises(MemoryError):
        loquor.Model(path, memory_cap=1000)
    with pytest.raises(ValueError):
        loquor.Model(path, compute="magic")
    with pytest.raises(loquor.Unsupported, match="scalar"):
        loquor.Model(path, isa="neon9")


def test_closed_objects_raise(path):
    m = loquor.Model(path, threads=1)
    s = m.session(ctx=64)
    m.close()
    s.eval([1, 2, 3])
    s.close()
    for use in (lambda: m.tokenize("x"), lambda: m.generate("x"), lambda: s.eval([1]), lambda: s.logits):
        with pytest.raises(loquor.LoquorError, match="closed"):
            use()


def test_bad_arguments_are_refused_and_nothing_is_lost(model):
    s = model.session(ctx=64)
    s.eval([1, 2, 3])
    expected = s.logits
    for use in (
        lambda: s.eval([-1]),
        lambda: s.eval([model.n_vocab]),
        lambda: s.rewind(4),
        lambda: s.start([], max_tokens=1),
        lambda: s.start("x", logprobs=1000),
        lambda: s.start("x", stop=[""]),
        lambda: model.generate([{"content": "no role"}]),
        lambda: model.generate(None),
        lambda: model.generate([{"role": "user", "content": object()}]),
        lambda: model.generate("x", logit_bias={"a": 1}),
        lambda: model.detokenize([10**6]),
        lambda: model.session(kv_type="q3"),
    ):
        with pytest.raises((loquor.LoquorError, ValueError)):
            use()
    assert np.array_equal(s.logits, expected)
    with pytest.raises(TypeError):
        pickle.dumps(s._s)


def test_a_profile_tells_where_time_goes(model):
    with model.session() as session:
        assert session.stop_profile() == {}
        session.start_profile()
        session.eval(model.tokenize("Where does the time go?"))
        parts = session.stop_profile()
        layers = model.info()["n_layer"]
        assert parts["embedding"]["calls"] == 1 and parts["qkv"]["calls"] == layers
        assert all(p["seconds"] > 0 for p in parts.values() if p["calls"])
        assert parts["ffn_down"]["bytes"] > 0 and parts["activation"]["bytes"] == 0
        assert session.stop_profile() == {}


def test_sessions_share_prompts_through_a_prefix_cache(model):
    cache = model.prefix_cache(64 << 20)
    prompt = [100 + i * 37 % 4000 for i in range(200)]
    a, b = (model.session(ctx=512, prefix_cache=cache) for _ in range(2))
    plain = model.session(ctx=512)
    assert a.set_prompt(prompt) == plain.set_prompt(prompt) == 0
    other = prompt[:-1] + [7]
    plain.set_prompt(other)
    assert b.set_prompt(other) == 192
    assert (b.logits == plain.logits).all()
    assert (b.logits_of([5, 49151, 5]) == plain.logits[[5, 49151, 5]]).all()
    fresh = model.session(ctx=512, prefix_cache=cache)
    assert (fresh.logits_of([330, 389], other) == plain.logits[[330, 389]]).all()
    assert cache.stats["hits"] == 2 and cache.stats["entries"] == 3 and cache.stats["bytes"] > 1 << 20
    b.use_prefix_cache(None)
    cache.resize(0)
    assert cache.stats["entries"] == 0
    cache.clear()
    with pytest.raises(loquor.InvalidArgument):
        fresh.logits_of([])
    with pytest.raises(loquor.InvalidArgument):
        fresh.logits_of([1], [])
    with pytest.raises(loquor.InvalidArgument):
        fresh.logits_of([49152])


def test_perplexity_of_sliding_windows_scores_every_token_once(model):
    ids = list(model.tokenize("The cat sat on the mat, and the dog sat on the cat. " * 4, add_special=True))[:41]
    p = model.perplexity(ids, n_ctx=16, stride=6)
    want, scored = 0.0, 1
    for begin in range(0, len(ids), 6):
        window = ids[begin : begin + 16]
        with model.session() as s:
            logits = s.eval_logits(window).astype(float)
        logits -= logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        for i in range(scored - begin, len(window)):
            want += logs[i - 1, window[i]]
        scored = begin + len(window)
        if scored == len(ids):
            break
    assert p["scored"] == len(ids) - 1 and p["windows"] == 6
    assert p["mean_logprob"] == pytest.approx(want / (len(ids) - 1), abs=1e-4)


def test_perplexity_and_info(model):
    text = "The quick brown fox jumps over the lazy dog. " * 40
    p = model.perplexity(text, n_ctx=128)
    assert 1 < p["perplexity"] < 50 and p["scored"] > 100
    assert math.isclose(p["perplexity"], math.exp(-p["mean_logprob"]), rel_tol=1e-6)
    i = model.info(n_ctx=1024)
    assert (i["architecture"], i["n_layer"], i["n_vocab"]) == ("llama", 30, 49152)
    assert i["kv_bytes"] == 30 * 2 * 3 * 64 * 2 * 1024
    assert model.metadata["general.architecture"] == "llama"
    assert loquor.models()[0]["licence"] == "Apache-2.0"


@pytest.mark.parametrize("other", ["llama_cpp", "torch", "onnxruntime"])
def test_slow_it_loads_beside_other_engines(path, other):
    for order in ((other, "loquor"), ("loquor", other)):
        code = f"import {order[0]}, {order[1]}, sys\nprint(loquor.Model(sys.argv[1], threads=1).generate('Hi', max_tokens=2, seed=1).finish_reason)"
        p = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
        if p.returncode and "No module named" in p.stderr:
            pytest.skip(f"{other} is not installed")
        assert p.stdout.strip().endswith("length"), p.stderr
