#!/usr/bin/env python3
"""Encodes the same texts with Loquor, Hugging Face `tokenizers` and tiktoken, one thread each, in turn, and prints MB/s.

Usage: compare_tokenizers.py BENCH_TOKENIZER MODEL.gguf TEXT...      (pip install tokenizers tiktoken gguf)

The peers are built from the GGUF's own vocabulary and merges (tests/goldens/make_tokenizer_goldens.py has how). tiktoken
has no merge list: it ranks by token id, so some of its ids may differ; whether the counts of ids agree is printed.
"""
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "goldens"))
import gguf  # noqa: E402
import make_tokenizer_goldens as goldens  # noqa: E402
import tiktoken  # noqa: E402

GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++|%s| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def build_tiktoken(path, pre):
    fields = gguf.GGUFReader(path).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    types = fields["tokenizer.ggml.token_type"].contents()
    to_byte = {c: b for b, c in goldens.byte_alphabet().items()}
    ranks = {}
    for i, (token, kind) in enumerate(zip(tokens, types)):
        if kind == 1:
            ranks.setdefault(bytes(to_byte[c] for c in token), i)
    for b in range(256):  # it insists on every byte
        ranks.setdefault(bytes([b]), len(tokens) + b)
    patterns = {"llama-bpe": goldens.CL100K % "{1,3}", "qwen2": goldens.CL100K % "", "gpt-2": GPT2 % r" ?\p{N}++",
                "mpt": GPT2 % r" ?\p{N}++"}
    return tiktoken.Encoding(pre, pat_str=patterns.get(pre, GPT2 % r"\p{N}"), mergeable_ranks=ranks, special_tokens={})


def best_of(fn, reps):
    best, result = 1e9, None
    for _ in range(reps):
        start = time.perf_counter()
        result = fn()
        best = min(best, time.perf_counter() - start)
    return best, result


def main():
    bench, model, texts = sys.argv[1], sys.argv[2], sys.argv[3:]
    pre, hf, _, _ = goldens.build(model)
    tik = build_tiktoken(model, pre)
    print(f"{model} ({pre}); MB/s, one thread, best of several")
    print(f"{'text':40} {'Loquor':>8} {'HF':>8} {'tiktoken':>9} {'x HF':>7} {'x tikt.':>8}  as many ids as HF, tiktoken")
    for path in texts:
        raw = pathlib.Path(path).read_bytes()
        text, mb = raw.decode(), len(raw) / 1e6
        ours = [json.loads(line) for line in subprocess.run(
            [bench, model, path, "--reps", "20"], check=True, capture_output=True, text=True).stdout.splitlines()][1]
        hf_time, hf_ids = best_of(lambda: hf.encode(text), 3)
        tik_time, tik_ids = best_of(lambda: tik.encode_ordinary(text), 5)
        same = [len(hf_ids.ids) == ours["tokens"], len(tik_ids) == ours["tokens"]]
        print(f"{pathlib.Path(path).name:40} {ours['mb_per_s']:8.1f} {mb / hf_time:8.2f} {mb / tik_time:9.2f} "
              f"{ours['mb_per_s'] * hf_time / mb:7.1f} {ours['mb_per_s'] * tik_time / mb:8.1f}  {same}")


if __name__ == "__main__":
    main()
