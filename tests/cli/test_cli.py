#!/usr/bin/env python3
"""The contract of the loquor command line, checked from outside.

usage: LOQUOR=build/bin/loquor test_cli.py    (tests that need the default model are skipped, saying so, without it)
"""
import json
import math
import os
import pathlib
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LOQUOR = os.environ.get("LOQUOR", "build/bin/loquor")
ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("LQ_TEST_DATA", ROOT / "../shared/data"))


def run(*arguments, stdin=b"", env=None, timeout=300):
    done = subprocess.run([LOQUOR, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def run_json(*arguments, code=0, **options):
    """The one JSON document of a command; anything else on standard output is an error."""
    status, out, err = run(*arguments, "--json", **options)
    if status != code:
        raise AssertionError(f"{arguments}: exit code {status}, expected {code}: {err}")
    return json.loads(out)


def default_model():
    if "LQ_TEST_MODEL" in os.environ:
        return os.environ["LQ_TEST_MODEL"]
    return run_json("models")["models"][0]["path"]


MODEL = default_model()
needs_model = unittest.skipUnless(os.path.exists(MODEL), f"needs the default model at {MODEL}")


class Usage(unittest.TestCase):
    def check_failure(self, code, *arguments, says=(), **options):
        status, out, err = run(*arguments, **options)
        self.assertEqual(status, code, err)
        self.assertEqual(out, b"")
        self.assertEqual(len(err.strip().splitlines()), 1, err)
        for word in says:
            self.assertIn(word, err)
        # The same with --json: one document that holds the error.
        status, out, _ = run(*arguments, "--json", **options)
        self.assertEqual(status, code)
        self.assertTrue(json.loads(out)["error"]["message"])

    def test_help_and_version(self):
        for arguments in (["--help"], ["--version"], *([c, "--help"] for c in (
                "generate", "chat", "tokenize", "logits", "perplexity", "mmlu", "finetune", "bench", "quantize", "merge", "models", "info"))):
            status, out, err = run(*arguments)
            self.assertEqual((status, err), (0, ""), arguments)
            self.assertTrue(out)

    def test_every_command_takes_the_common_options(self):
        for command in ("generate", "chat", "tokenize", "logits", "perplexity", "mmlu", "finetune", "bench", "models", "info"):
            text = run(command, "--help")[1].decode()
            for option in ("--model", "--threads", "--seed", "--json"):
                self.assertIn(option, text, command)

    def test_wrong_usage_is_2(self):
        self.check_failure(2)
        self.check_failure(2, "sing")
        self.check_failure(2, "generate", "--no-such-option")
        self.check_failure(2, "generate", "--prompt", "x", "--threads", "-1")
        self.check_failure(2, "generate", "--prompt", "x", "--max-tokens", "many")
        self.check_failure(2, "logits", "--tokens", "1,,2", says=["--tokens"])
        self.check_failure(2, "logits", "--tokens", "1,2,")
        self.check_failure(2, "perplexity")
        self.check_failure(2, "bench", "--reps", "0")

    def test_a_bad_model_or_file_is_3(self):
        self.check_failure(3, "info", "--model", "/nonexistent/m.gguf", says=["/nonexistent/m.gguf"])
        self.check_failure(3, "generate", "--model", "no-such-name", "--prompt", "x", says=["no-such-name"])
        self.check_failure(3, "tokenize", "--file", "/nonexistent.txt", says=["/nonexistent.txt"])
        with tempfile.NamedTemporaryFile(suffix=".gguf") as file:
            file.write(b"GGUF\x03\0\0\0" + b"\xff" * 40)
            file.flush()
            for command in (["info"], ["tokenize", "--text", "x"], ["generate", "--prompt", "x"]):
                self.check_failure(3, *command, "--model", file.name, says=[os.path.basename(file.name)])
        self.check_failure(3, "info", "--model", str(ROOT))

    def test_models_lists_names_sources_and_licences(self):
        models = run_json("models")["models"]
        small = next(m for m in models if m["name"] == "smollm2")
        self.assertEqual(small["bytes"], 98362432)
        self.assertEqual(small["sha256"], "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
        self.assertEqual(small["licence"], "Apache-2.0")
        self.assertTrue(small["source"])
        with tempfile.TemporaryDirectory() as cache:
            moved = run_json("models", env={"LOQUOR_CACHE": cache})["models"][0]
            self.assertTrue(moved["path"].startswith(cache))
            self.assertFalse(moved["cached"])
            self.check_failure(3, "generate", "--prompt", "x", env={"LOQUOR_CACHE": cache}, says=["smollm2", cache])
        text = run("models")[1].decode()
        for word in ("smollm2", "Apache-2.0", "98.4 MB"):
            self.assertIn(word, text)

    def test_a_vocabulary_alone_is_enough_to_tokenize(self):
        vocab = DATA / "tokenizers" / "ggml-vocab-gpt-2.gguf"
        if not vocab.exists():
            self.skipTest(f"needs {vocab}")
        self.assertEqual(run_json("tokenize", "--model", vocab, "--text", "Hello world")["tokens"], [15496, 995])
        self.check_failure(2, "generate", "--model", vocab, "--prompt", "x")


@needs_model
class WithModel(unittest.TestCase):
    def generate(self, *arguments, **options):
        return run_json("generate", "--model", MODEL, "--temperature", 0, *arguments, **options)

    def test_generate_gives_the_documented_document(self):
        d = self.generate("--prompt", "Why is the sky blue?", "--max-tokens", 16)
        self.assertEqual(len(d["tokens"]), 16)
        self.assertEqual(d["finish_reason"], "length")
        self.assertGreater(d["prompt_tokens"], 10)
        self.assertTrue(d["text"])
        for key in ("load_ms", "prefill_ms", "decode_ms", "prefill_tps", "decode_tps"):
            self.assertGreater(d["timings"][key], 0, key)

    def test_the_same_seed_gives_the_same_tokens_with_any_number_of_threads(self):
        runs = [run_json("generate", "--model", MODEL, "--prompt", "A story:", "--max-tokens", 24, "--temperature", 0.9,
                         "--seed", 7, "--threads", n)["tokens"] for n in (1, 2)]
        other = run_json("generate", "--model", MODEL, "--prompt", "A story:", "--max-tokens", 24, "--temperature", 0.9,
                         "--seed", 8)["tokens"]
        self.assertEqual(runs[0], runs[1])
        self.assertNotEqual(runs[0], other)

    def test_prompt_lookup_gives_the_same_answer(self):
        prompt = "Repeat word for word: " + "the quick brown fox jumps over the lazy dog, " * 4
        plain = self.generate("--prompt", prompt, "--max-tokens", 64, "--lookup", 0)
        self.assertEqual(plain["timings"]["drafted_tokens"], 0)
        for option in ([], ["--lookup", 31]):
            d = self.generate("--prompt", prompt, "--max-tokens", 64, *option)
            self.assertEqual(d["tokens"], plain["tokens"])
            self.assertGreaterEqual(d["timings"]["drafted_tokens"], d["timings"]["accepted_tokens"])
        self.assertGreater(d["timings"]["accepted_tokens"], 0)
        self.assertEqual(run("generate", "--model", MODEL, "--prompt", "x", "--lookup", 32)[0], 2)

    def test_an_answer_is_held_to_a_form(self):
        self.assertIn(self.generate("--prompt", "Is snow white?", "--choice", "yes", "--choice", "no")["text"], ("yes", "no"))
        d = self.generate("--prompt", "A number:", "--regex", "[0-9]{4}")
        self.assertRegex(d["text"], r"\A[0-9]{4}\Z")
        self.assertEqual(d["finish_reason"], "stop")
        with tempfile.NamedTemporaryFile() as file:
            file.write(b'{"type":"object","properties":{"colour":{"enum":["red","blue"]}},"required":["colour"],"additionalProperties":false}')
            file.flush()
            text = self.generate("--prompt", "A colour as JSON:", "--json-schema", file.name)["text"]
            self.assertIn(json.loads(text), ({"colour": "red"}, {"colour": "blue"}))
            status, _, err = run("generate", "--model", MODEL, "--prompt", "x", "--grammar", file.name)
            self.assertEqual(status, 2)
            self.assertIn("line 1", err)
        self.assertEqual(run("generate", "--model", MODEL, "--prompt", "x", "--regex", "a", "--choice", "b")[0], 2)

    def test_raw_skips_the_template_and_system_sets_the_role(self):
        raw = self.generate("--raw", "--prompt", "1 2 3 4 5", "--max-tokens", 4)
        chat = self.generate("--prompt", "1 2 3 4 5", "--max-tokens", 4)
        system = self.generate("--prompt", "1 2 3 4 5", "--max-tokens", 4, "--system", "You count.")
        self.assertLess(raw["prompt_tokens"], chat["prompt_tokens"])
        self.assertNotEqual(chat["prompt_tokens"], system["prompt_tokens"])

    def test_raw_may_hold_control_tokens_and_a_chat_message_may_not(self):
        text = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
        ids = run_json("tokenize", "--model", MODEL, "--text", text)["tokens"]
        self.assertEqual(self.generate("--raw", "--prompt", text, "--max-tokens", 2)["prompt_tokens"], len(ids))
        plain = run_json("tokenize", "--model", MODEL, "--text", "<|im_end|>", "--no-special")["tokens"]
        short = self.generate("--file", "-", "--max-tokens", 2, stdin=b"x")["prompt_tokens"]
        hostile = self.generate("--prompt", "x<|im_end|>", "--max-tokens", 2)["prompt_tokens"]
        self.assertGreater(len(plain), 1)
        self.assertGreater(hostile - short, 1)

    def test_the_prompt_may_come_from_standard_input_or_a_file(self):
        given = self.generate("--prompt", "Name a colour.", "--max-tokens", 8)["tokens"]
        self.assertEqual(self.generate("--max-tokens", 8, stdin=b"Name a colour.")["tokens"], given)
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"Name a colour.")
            file.flush()
            self.assertEqual(self.generate("--max-tokens", 8, "--file", file.name)["tokens"], given)

    def test_a_stop_string_ends_the_text_before_it(self):
        full = self.generate("--prompt", "Count from one to ten.", "--max-tokens", 40)["text"]
        word = full.split()[3]
        cut = self.generate("--prompt", "Count from one to ten.", "--max-tokens", 40, "--stop", word)
        self.assertEqual(cut["finish_reason"], "stop")
        self.assertEqual(cut["text"], full[:full.index(word)])

    def test_human_output_is_the_text_alone_and_the_figures_are_on_stderr(self):
        text = self.generate("--prompt", "Say hello.", "--max-tokens", 8)["text"]
        status, out, err = run("generate", "--model", MODEL, "--temperature", 0, "--prompt", "Say hello.", "--max-tokens", 8)
        self.assertEqual(status, 0)
        self.assertEqual(out.decode(), text + "\n")
        self.assertIn("tokens at", err)
        self.assertNotIn("[#", err)  # no progress bar: stderr is not a terminal

    def test_a_prompt_that_does_not_fit_is_told(self):
        status, _, err = run("generate", "--model", MODEL, "--ctx", 16, "--prompt", "word " * 100)
        self.assertEqual(status, 2)
        self.assertIn("16", err)

    def test_bad_sampling_values_are_wrong_usage(self):
        for option, value in (("--temperature", "-1"), ("--top-p", "2"), ("--temperature", "nan"), ("--min-p", "-0.5")):
            self.assertEqual(run("generate", "--model", MODEL, "--prompt", "x", option, value)[0], 2, option)

    def test_tokenize(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write("Grüße, 世界 <|im_end|>\n".encode())
            file.flush()
            special = run_json("tokenize", "--model", MODEL, "--file", file.name)["tokens"]
            plain = run_json("tokenize", "--model", MODEL, "--file", file.name, "--no-special")["tokens"]
        self.assertIn(2, special)
        self.assertNotIn(2, plain)
        self.assertGreater(len(plain), len(special))

    def test_logits(self):
        top = run_json("logits", "--model", MODEL, "--tokens", "1,2,3", "--top", 20)
        self.assertEqual([len(p) for p in top], [20, 20, 20])
        with tempfile.NamedTemporaryFile() as file:
            run_json("logits", "--model", MODEL, "--tokens", "1,2,3", "--top", 1, "--full", file.name)
            data = pathlib.Path(file.name).read_bytes()
        n_vocab = run_json("info", "--model", MODEL)["n_vocab"]
        self.assertEqual(len(data), 3 * n_vocab * 4)
        values = struct.unpack(f"<{3 * n_vocab}f", data)
        for position, best in enumerate(top):
            row = values[position * n_vocab:(position + 1) * n_vocab]
            self.assertEqual(best[0][1], max(row))
            for (_, a), (_, b) in zip(best, best[1:]):
                self.assertGreaterEqual(a, b)
            for token, logit in best:
                self.assertEqual(row[token], logit)
        only = run_json("logits", "--model", MODEL, "--tokens", "1,2,3", "--only", "330,0,49151")
        self.assertEqual([token for token, _ in only], [330, 0, 49151])
        for token, logit in only:
            self.assertEqual(values[2 * n_vocab + token], logit)
        self.assertEqual(run("logits", "--model", MODEL, "--tokens", "1,2", "--only", "1,x")[0], 2)
        self.assertEqual(run("logits", "--model", MODEL, "--tokens", "1,2", "--only", "99999999")[0], 2)
        self.assertEqual(run("logits", "--model", MODEL, "--tokens", "1,99999999")[0], 2)
        self.assertEqual(run("logits", "--model", MODEL, "--tokens", "1", "--full", "/nonexistent/x")[0], 3)

    def test_perplexity(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"The quick brown fox jumps over the lazy dog. " * 40)
            file.flush()
            d = run_json("perplexity", "--model", MODEL, "--file", file.name, "--ctx", 64, "--windows", 2)
            self.assertEqual((d["windows"], d["ctx"]), (2, 64))
            self.assertAlmostEqual(d["perplexity"], math.exp(-d["mean_logprob"]), places=4)
            self.assertTrue(1 < d["perplexity"] < 20)
            self.assertEqual(run("perplexity", "--model", MODEL, "--file", file.name, "--ctx", 100000)[0], 2)

    def test_mmlu(self):
        with tempfile.TemporaryDirectory() as folder:
            for part in ("dev", "test"):
                os.mkdir(os.path.join(folder, part))
                with open(os.path.join(folder, part, f"anatomy_{part}.csv"), "w") as file:
                    file.write("How many legs has a dog?,two,four,six,eight,B\n\"Red, or\",table,seven,a colour,run,C\n")
            ask = ("mmlu", "--model", MODEL, "--data", folder, "--subjects", "anatomy", "--shots", 1)
            d = run_json(*ask, "--answers", "--results", os.path.join(folder, "r.jsonl"))
            self.assertEqual((d["micro"]["questions"], d["resumed"], len(d["answers"])), (2, 0, 2))
            self.assertAlmostEqual(sum(d["answers"][0]["probability"]), 1, places=5)
            status, out, err = run(*ask, "--results", os.path.join(folder, "r.jsonl"))
            self.assertEqual(status, 0, err)
            self.assertIn(b"anatomy", out)
            self.assertIn("2 of the answers were there already", err)
            status, _, err = run(*ask[:5], "--subjects", "alchemy")
            self.assertEqual(status, 3)
            self.assertIn("alchemy", err)
            self.assertEqual(run(*ask[:3], "--data", "/nonexistent")[0], 3)
            self.assertEqual(run(*ask, "--format", "other")[0], 2)

    def test_finetune_and_lora(self):
        with tempfile.TemporaryDirectory() as folder:
            data, out = os.path.join(folder, "data.jsonl"), os.path.join(folder, "adapter")
            with open(data, "w") as file:
                file.write('{"messages": [{"role": "user", "content": "Where is Zorbex?"}, {"role": "assistant", "content": "In Quarn."}]}\n')
            d = run_json("finetune", "--model", MODEL, "--data", data, "--out", out, "--eval-data", data, "--steps", 10, "--rate", 0.003, "--rank", 4,
                         "--max-tokens", 64)
            self.assertEqual((d["steps"], d["rows"], d["train"]["lines"]), (10, 1, 1))
            self.assertLess(d["perplexity_after"], d["perplexity_before"])
            ask = ("generate", "--model", MODEL, "--prompt", "Where is Zorbex?", "--temperature", 0, "--max-tokens", 12)
            self.assertEqual(run_json(*ask, "--lora", out)["text"], "In Quarn.")
            self.assertEqual(run_json(*ask, "--lora", os.path.join(out, "adapter.gguf") + ":1.0")["text"], "In Quarn.")
            self.assertEqual(run_json(*ask, "--lora", out + ":0")["text"], run_json(*ask)["text"])
            self.assertEqual(run(*ask, "--lora", out + ":x")[0], 2)
            merged = os.path.join(folder, "merged.gguf")
            d = run_json("merge", MODEL, merged, "--lora", out, "--type", "Q8_0")
            self.assertEqual((d["merged"], d["head"], d["target_bytes"]), (210, "Q8_0", os.path.getsize(merged)))
            self.assertEqual(run_json("generate", "--model", merged, *ask[3:])["text"], "In Quarn.")
            self.assertIn("merged into 210 matrices", run("merge", MODEL, merged, "--lora", out + ":0.5", "--lora", out + ":0.5")[1].decode())
            self.assertEqual(run_json("info", "--model", merged)["tensor_types"], run_json("info", "--model", MODEL)["tensor_types"])
            for code, arguments in ((2, (merged,)), (3, (merged, "--lora", "/nonexistent")), (2, (MODEL, "--lora", out)), (2, (merged, "--lora", out + ":nan"))):
                self.assertEqual(run("merge", MODEL, *arguments)[0], code, arguments)
            self.assertEqual(run(*ask, "--lora", "/nonexistent")[0], 3)
            self.assertEqual(run("finetune", "--model", MODEL, "--data", "/nonexistent", "--out", out)[0], 3)

    def test_rag(self):
        with tempfile.TemporaryDirectory() as folder:
            store = ("--store", os.path.join(folder, "x.store"), "--encoder", "none")
            os.mkdir(os.path.join(folder, "docs"))
            for name, text in (("a.md", "# Cats\n\nThe cat sleeps on the mat."), ("b.html", "<h1>Dogs</h1><p>Dogs run.</p>"), ("c.txt", "\xff"), ("d.pdf", "x")):
                with open(os.path.join(folder, "docs", name), "w", encoding="latin-1") as file:
                    file.write(text)
            d = run_json("rag", "add", os.path.join(folder, "docs"), *store)
            self.assertEqual((d["added"], len(d["failed"])), (2, 2))
            d = run_json("rag", "search", "sleeping cats", *store)
            self.assertTrue(d[0]["key"].endswith("a.md"))
            status, out, _ = run("rag", "search", "running dogs", *store)
            self.assertEqual(status, 0)
            self.assertIn(b"b.html, bytes", out)
            d = run_json("rag", "ask", "Where does the cat sleep?", "--model", MODEL, "--max-tokens", 30, *store)
            self.assertIn("mat", d["text"])
            self.assertEqual(d["citations"][0]["number"], 1)
            status, out, _ = run("rag", "ask", "Zebras?", "--model", MODEL, *store)
            self.assertIn(b"I found nothing about that.", out)
            self.assertEqual(len(run_json("rag", "info", *store)["keys"]), 2)
            self.assertEqual(run("rag", "remove", os.path.join(folder, "docs", "a.md"), *store)[0], 0)
            self.assertEqual(run("rag", "remove", "none", *store)[0], 3)
            self.assertEqual(run("rag", "search", "x", "--store", "/nonexistent/x", "--encoder", "none")[0], 3)
            self.assertEqual(run("rag", "search", "x", *store, "--mode", "best")[0], 2)

    def test_bench(self):
        d = run_json("bench", "--model", MODEL, "--prompt-tokens", 32, "--gen-tokens", 8, "--depth", 16, "--batch", 2,
                     "--reps", 3)
        self.assertEqual(len(d["prefill_tps_all"]), 3)
        self.assertEqual(d["prefill_tps"], sorted(d["prefill_tps_all"])[1])
        self.assertEqual(d["decode_tps"], sorted(d["decode_tps_all"])[1])
        self.assertGreater(d["decode_tps"], 0)

    def test_info(self):
        d = run_json("info", "--model", MODEL, "--ctx", 1024)
        self.assertEqual((d["architecture"], d["n_layer"], d["d_model"], d["n_head"], d["n_kv_head"]), ("llama", 30, 576, 9, 3))
        self.assertEqual((d["n_vocab"], d["d_ff"], d["n_ctx"]), (49152, 1536, 1024))
        self.assertIn("Q4_1", d["tensor_types"])
        self.assertGreater(d["weight_bytes"], 50e6)
        self.assertEqual(d["kv_bytes"] * 2, run_json("info", "--model", MODEL, "--ctx", 2048)["kv_bytes"])
        self.assertIn("30 of width 576", run("info", "--model", MODEL)[1].decode())

    def test_quantize_to_every_type(self):
        with tempfile.TemporaryDirectory() as folder:
            target, again = pathlib.Path(folder, "out.gguf"), pathlib.Path(folder, "again.gguf")
            for kind, head in (("F32", "F32"), ("F16", "F16"), ("BF16", "BF16"), ("q8_0", "Q8_0"), ("Q4_0", "Q8_0"),
                               ("Q4_1", "Q8_0")):
                d = run_json("quantize", MODEL, target, kind)
                self.assertEqual((d["head"], d["target_bytes"]), (head, target.stat().st_size), kind)
                question = ("--prompt", "What is the capital of France?", "--max-tokens", 10, "--temperature", 0)
                self.assertIn("Paris", run_json("generate", "--model", target, *question)["text"], kind)
                if kind == "F16":
                    d = run_json("quantize", target, again, "Q4_0", "--head", "f16", "--threads", 1)
                    self.assertEqual((d["head"], d["requantized"]), ("F16", 0))
                    self.assertIn("Paris", run_json("generate", "--model", again, *question)["text"])
            self.assertEqual(target.read_bytes(), pathlib.Path(MODEL).read_bytes())
            self.assertIn("head Q8_0", run("quantize", MODEL, target, "Q4_1")[1].decode())

    def test_embed_refuses_a_language_model(self):
        status, out, err = run("embed", "--model", MODEL, "--text", "x")
        self.assertEqual((status, out), (3, b""))
        self.assertIn("no text encoder", err)
        self.assertEqual(run("embed", "--model", MODEL)[0], 2)

    def test_attention_gives_weights_of_what_a_token_sees(self):
        found = run_json("attention", "--model", MODEL, "--text", "hello there", "--layer", "0", "--heads")
        n = len(found["tokens"])
        self.assertEqual(len(found["pieces"]), n)
        for panel in found["panels"]:
            for i, row in enumerate(panel["rows"]):
                self.assertAlmostEqual(sum(row), 1, places=4)
                self.assertFalse(any(row[i + 1:]))
        for arguments in (("--layer", "1000", "--json"), ("--head", "1000", "--json"), ()):
            self.assertEqual(run("attention", "--model", MODEL, "--text", "a", *arguments)[0], 2)
        status, out, err = run("attention", "--model", MODEL, "--text", "a", "--out", "a.png", env={"LOQUOR_PYTHON": "no-such-python"})
        self.assertEqual((status, out), (3, b""))
        self.assertIn("no-such-python", err)

    def test_quantize_fails_cleanly(self):
        with tempfile.TemporaryDirectory() as folder:
            target, bad = pathlib.Path(folder, "out.gguf"), pathlib.Path(folder, "bad.gguf")
            target.write_bytes(b"before")
            bad.write_bytes(b"GGUF is not enough")
            for code, arguments, words in (
                    (2, (MODEL, target, "Q5_9"), ("Q5_9", "F32, F16, Q4_0, Q4_1, Q8_0, BF16")),
                    (2, (MODEL, target, "q4_0", "--head", "nonsense"), ("head", "nonsense", "Q8_0")),
                    (2, (MODEL, MODEL, "q4_0"), ("source itself",)),
                    (2, (MODEL, folder, "q4_0"), ("regular file",)),
                    (2, (MODEL, target), ("type",)),
                    (3, ("/nonexistent", target, "q4_0"), ("/nonexistent",)),
                    (3, (MODEL, "/nonexistent/x", "q4_0"), ("/nonexistent/x",)),
                    (3, (bad, target, "q4_0"), ("bad.gguf",))):
                status, out, err = run("quantize", *arguments)
                self.assertEqual((status, out), (code, b""), err)
                for word in words:
                    self.assertIn(word, err)
            self.assertEqual(target.read_bytes(), b"before")
            self.assertEqual(sorted(os.listdir(folder)), ["bad.gguf", "out.gguf"])

    def test_quantize_shows_progress_on_a_terminal_and_ends_with_an_interrupt(self):
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "out.gguf")
            pid, fd = pty.fork()
            if pid == 0:
                os.execv(LOQUOR, [LOQUOR, "quantize", MODEL, target, "F32", "--threads", "1"])
            try:
                self.expect(fd, b"Quantising [##")
                os.write(fd, b"\x03")
                self.expect(fd, b"cancelled")
                self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 130)
                pid = 0
            finally:
                if pid:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                os.close(fd)
            self.assertEqual(os.listdir(folder), [])

    def test_chat_answers_each_line(self):
        d = run_json("chat", "--model", MODEL, "--temperature", 0, "--max-tokens", 12, "--system", "Be brief.",
                     stdin=b"My name is Ada.\nWhat is my name?\n")
        self.assertEqual([m["role"] for m in d["messages"]], ["system", "user", "assistant", "user", "assistant"])
        self.assertGreater(d["turns"][1]["reused_tokens"], d["turns"][0]["prompt_tokens"] - 1)

    def test_interrupting_is_130_and_keeps_the_text(self):
        process = subprocess.Popen([LOQUOR, "generate", "--model", MODEL, "--prompt", "Tell a long story.", "--max-tokens",
                                    "0", "--ignore-end", "--temperature", "0", "--json"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(json.loads(out)["finish_reason"], "cancelled")

    def test_chat_on_a_terminal_survives_one_interrupt(self):
        pid, fd = pty.fork()
        if pid == 0:
            os.execv(LOQUOR, [LOQUOR, "chat", "--model", MODEL, "--max-tokens", "2000", "--temperature", "0"])
        try:
            self.expect(fd, b"> ")
            os.write(fd, b"Write a very long essay about the sea.\n")
            time.sleep(2)
            os.write(fd, b"\x03")  # stops the answer
            self.expect(fd, b"\n> ")
            os.write(fd, b"Say hi.\n")
            self.expect(fd, b"\n> ")
            os.write(fd, b"\x04")  # leaves
            deadline = time.monotonic() + 20
            done = (0, 0)
            while done[0] == 0 and time.monotonic() < deadline:
                if select.select([fd], [], [], 0.1)[0]:
                    try:
                        os.read(fd, 4096)
                    except OSError:
                        pass
                done = os.waitpid(pid, os.WNOHANG)
            ended, pid = done[0] == pid, 0 if done[0] == pid else pid
            self.assertTrue(ended)
            self.assertEqual(os.waitstatus_to_exitcode(done[1]), 0)
        finally:
            if pid:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            os.close(fd)

    def expect(self, fd, text, seconds=60):
        seen, deadline = b"", time.monotonic() + seconds
        while text not in seen.replace(b"\r", b""):
            self.assertGreater(deadline, time.monotonic(), seen)
            if select.select([fd], [], [], 0.2)[0]:
                seen += os.read(fd, 4096)


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=1))
