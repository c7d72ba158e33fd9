#!/usr/bin/env python3
"""Writes tests/goldens/tokenizer_goldens.json: what Hugging Face `tokenizers` makes of about 1 MB of mixed text and of
every code point, for each vocabulary whose pre-tokenizer Loquor has.

The texts are generated, here and in tests/text/golden_text.cpp, by the same integer recipe from tokenizer_corpus.json;
only hashes of the ids are kept. The Hugging Face tokenizer is built from the vocabulary and merges of the GGUF with
the pre-tokenizer that the model's own tokenizer.json has. No normalizer is used: Qwen2's tokenizer.json asks for NFC,
but GGUF files can't say so and llama.cpp doesn't do it.

Usage: make_tokenizer_goldens.py SHARED_DATA_DIR SMOLLM2_GGUF      (pip install tokenizers gguf)
"""
import json
import pathlib
import sys

import gguf
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, pre_tokenizers

HERE = pathlib.Path(__file__).parent
MASK = (1 << 64) - 1
CHUNKS, CHUNK_BYTES, SWEEP_BLOCK = 256, 4096, 0x4000
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return (z ^ (z >> 31)) % n


def one_piece(rng, corpus):
    def several(items, most):
        return "".join(items[rng.below(len(items))] for _ in range(1 + rng.below(most)))

    op = rng.below(16)
    if op <= 5:
        return several(corpus["fragments"], 1)
    if op == 6:
        low, high = corpus["ranges"][rng.below(len(corpus["ranges"]))]
        return "".join(chr(low + rng.below(high - low + 1)) for _ in range(1 + rng.below(12)))
    if op == 7:
        return several("0123456789", 9)
    if op == 8:
        return several(corpus["spaces"], 6)
    if op == 9:
        return several(corpus["punctuation"], 5)
    if op == 10:
        return several(corpus["contractions"], 1)
    if op == 11:
        low, high = corpus["ranges"][rng.below(len(corpus["ranges"]))]
        return " " + chr(low + rng.below(high - low + 1))
    if op == 12:
        return several("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 15)
    if op == 13:
        return " "
    if op == 14:
        letter = several("ae =-\n\t.0", 1)
        return letter * (1 + rng.below(60))
    return several(corpus["specials"], 1)


def chunk(index, corpus):
    rng, pieces, size = Random(1000 + index), [], 0
    while size < CHUNK_BYTES:
        pieces.append(one_piece(rng, corpus))
        size += len(pieces[-1].encode())
    return "".join(pieces)


def sweep_text(block, missing):
    out = []
    for c in range(block * SWEEP_BLOCK, (block + 1) * SWEEP_BLOCK):
        if 0xD800 <= c < 0xE000 or missing & set(chr(c).encode()):
            continue
        ch = chr(c)
        out.append("x%sy %s%s '%s5%s \n%s  %s" % ((ch,) * 7))
    return "".join(out)


def fnv(data, h=0xCBF29CE484222325):
    for b in data:
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def ids_hash(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        h = ((h ^ i) * 0x100000001B3) & MASK
    return "%016x" % h


def byte_alphabet():
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    return {b: chr(b) for b in printable} | {b: chr(0x100 + n) for n, b in enumerate(others)}


def pre_tokenizer(pre):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in ("llama-bpe", "qwen2"))
    if pre in ("gpt-2", "mpt"):
        return byte_level
    if pre in ("smollm", "starcoder"):
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level])
    pattern = CL100K % ("{1,3}" if pre == "llama-bpe" else "")
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), "isolated"), byte_level])


def build(path):
    fields = gguf.GGUFReader(path).fields

    def field(name):
        return fields["tokenizer.ggml." + name].contents()

    tokens, types, pre = field("tokens"), field("token_type"), field("pre")
    merges = [tuple(m.split(" ")) for m in field("merges")]
    vocab = {t: i for i, t in enumerate(tokens)}

    def make(kinds):
        tok = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=pre == "llama-bpe"))
        tok.pre_tokenizer = pre_tokenizer(pre)
        tok.add_tokens([AddedToken(t, normalized=False) for t, k in zip(tokens, types) if k in kinds])
        return tok

    alphabet = byte_alphabet()
    return pre, make({4}), make({2, 3, 4}), {b for b in range(256) if alphabet[b] not in vocab}


def golden(path, corpus, texts):
    pre, plain, special, missing = build(path)
    sweeps = [sweep_text(b, missing) for b in range(0x110000 // SWEEP_BLOCK)]
    cases = [*corpus["fragments"], *corpus["specials"]]
    return {
        "pre": pre,
        "missing_bytes": sorted(missing),
        "plain": [ids_hash(plain.encode(t).ids) for t in texts],
        "special": [ids_hash(special.encode(t).ids) for t in texts],
        "sweep": [ids_hash(plain.encode(t).ids) for t in sweeps],
        "cases": [plain.encode(t).ids for t in cases] if pre == "smollm" else [],
    }


def main():
    data, model = pathlib.Path(sys.argv[1]), sys.argv[2]
    corpus = json.loads((HERE / "tokenizer_corpus.json").read_text(encoding="utf-8"))
    texts = [chunk(i, corpus) for i in range(CHUNKS)]
    files = {"smollm2": model} | {
        k: data / "tokenizers" / f"ggml-vocab-{k}.gguf" for k in ("gpt-2", "llama-bpe", "qwen2", "starcoder", "mpt")}
    result = {
        "made_by": "tests/goldens/make_tokenizer_goldens.py",
        "versions": {"tokenizers": tokenizers.__version__, "python": sys.version.split()[0]},
        "bytes": sum(len(t.encode()) for t in texts),
        "text": ["%016x" % fnv(t.encode()) for t in texts],
        "vocabularies": {name: golden(str(path), corpus, texts) for name, path in files.items()},
    }
    text = json.dumps(result, separators=(",", ":")).replace('","', '",\n"').replace("],[", "],\n[")
    (HERE / "tokenizer_goldens.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
