#!/usr/bin/env python3
"""Writes tests/goldens/wordpiece_goldens.json: what Hugging Face `tokenizers` makes of about 1 MB of mixed text and of every
code point with BERT's vocabulary, in lower case without accents, and as the text is. The texts are those of
make_tokenizer_goldens.py; only hashes of the ids are kept.

Usage: make_wordpiece_goldens.py SHARED_DATA_DIR      (pip install tokenizers gguf)
"""
import json
import pathlib
import sys

import gguf
import tokenizers
from make_tokenizer_goldens import CHUNKS, SWEEP_BLOCK, chunk, ids_hash, sweep_text
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent


def build(path, lowercase):
    fields = gguf.GGUFReader(path).fields
    tokens, types = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "token_type"))
    # As GGUF spells them: U+2581 before the pieces that begin a word, nothing before the others.
    spelt = [t if k != 1 else t[1:] if t[0] == "\u2581" else "##" + t for t, k in zip(tokens, types)]
    tok = Tokenizer(models.WordPiece({t: i for i, t in enumerate(spelt)}, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=lowercase)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tok


def main():
    path = str(pathlib.Path(sys.argv[1]) / "tokenizers" / "ggml-vocab-bert-bge.gguf")
    corpus = json.loads((HERE / "tokenizer_corpus.json").read_text(encoding="utf-8"))
    texts = [chunk(i, corpus) for i in range(CHUNKS)]
    sweeps = [sweep_text(b, set()) for b in range(0x110000 // SWEEP_BLOCK)]
    result = {"made_by": "tests/goldens/make_wordpiece_goldens.py", "versions": {"tokenizers": tokenizers.__version__}}
    for name, lowercase in (("uncased", True), ("cased", False)):
        tok = build(path, lowercase)
        result[name] = {"plain": [ids_hash(tok.encode(t).ids) for t in texts],
                        "sweep": [ids_hash(tok.encode(t).ids) for t in sweeps]}
    text = json.dumps(result, separators=(",", ":")).replace('","', '",\n"')
    (HERE / "wordpiece_goldens.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
