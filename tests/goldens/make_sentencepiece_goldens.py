#!/usr/bin/env python3
"""Writes tests/goldens/sentencepiece_goldens.json: what SentencePiece and Hugging Face `tokenizers` make of about 1 MB of
mixed text and of every code point with the vocabulary of Llama 2 (BPE). The texts are those of
make_tokenizer_goldens.py; only hashes of the ids are kept. "scores" is SentencePiece, which goes by scores; "merges" are
Hugging Face's tokenizers with the merges that transformers derives from the scores, in the form that old and new
tokenizer.json files of the Llama family have.

Usage: make_sentencepiece_goldens.py SHARED_DATA_DIR      (pip install tokenizers sentencepiece gguf)
"""
import json
import pathlib
import sys

import gguf
import sentencepiece
import sentencepiece_models
import tokenizers
from make_tokenizer_goldens import CHUNKS, SWEEP_BLOCK, chunk, ids_hash, sweep_text
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent


def merges_of(tokens, scores, types):
    """transformers' generate_merges."""
    vocab = {t: i for i, t in enumerate(tokens) if types[i] == 1}
    out = []
    for token, i in vocab.items():
        splits = [(token[:n], token[n:]) for n in range(1, len(token))]
        splits = [(a, b) for a, b in splits if a in vocab and b in vocab]
        out += [(a, b, scores[i]) for a, b in sorted(splits, key=lambda p: (vocab[p[0]], vocab[p[1]]))]
    return [(a, b) for a, b, _ in sorted(out, key=lambda m: m[2], reverse=True)]


def hugging_face(tokens, scores, types, first):
    tok = Tokenizer(models.BPE(vocab={t: i for i, t in enumerate(tokens)}, merges=merges_of(tokens, scores, types),
                               unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if first:
        tok.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tok.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    return tok


def main():
    fields = gguf.GGUFReader(pathlib.Path(sys.argv[1]) / "tokenizers" / "ggml-vocab-llama-spm.gguf").fields
    tokens, scores, types = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "scores", "token_type"))
    sp = sentencepiece.SentencePieceProcessor(
        model_proto=sentencepiece_models.model(sentencepiece_models.BPE, tokens, scores, types))
    encoders = {"scores": sp.encode}
    for first in (False, True):
        tok = hugging_face(tokens, scores, types, first)
        encoders["merges, first" if first else "merges"] = lambda t, tok=tok: tok.encode(t).ids
    corpus = json.loads((HERE / "tokenizer_corpus.json").read_text(encoding="utf-8"))
    texts = [chunk(i, corpus) for i in range(CHUNKS)]
    sweeps = [sweep_text(b, set()) for b in range(0x110000 // SWEEP_BLOCK)]
    result = {"made_by": "tests/goldens/make_sentencepiece_goldens.py",
              "versions": {"tokenizers": tokenizers.__version__, "sentencepiece": sentencepiece.__version__}}
    for name, encode in encoders.items():
        result[name] = {"plain": [ids_hash(encode(t)) for t in texts], "sweep": [ids_hash(encode(t)) for t in sweeps]}
    text = json.dumps(result, separators=(",", ":")).replace('","', '",\n"')
    (HERE / "sentencepiece_goldens.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
