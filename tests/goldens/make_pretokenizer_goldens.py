#!/usr/bin/env python3
"""Writes tests/goldens/pretokenizer_goldens.json: where Hugging Face `tokenizers` cuts texts into pieces.

Ids alone can't show every wrong cut, since most wrong cuts fall where no merge would cross. The texts are the chunks of
make_tokenizer_goldens.py and a sweep of the code points below 0x20000 in contexts that the rules tell apart; of the
lengths of the pieces in bytes only a hash is kept, except for a few short texts.

Usage: make_pretokenizer_goldens.py      (pip install tokenizers gguf)
"""
import json
import sys

import tokenizers

from make_tokenizer_goldens import CHUNKS, HERE, chunk, ids_hash, pre_tokenizer

BLOCK, BLOCKS = 0x1000, 0x20
CASES = ["'ſab 'S't'llx", "x'sx 'tis'", "it's IT'S 'Re're 're", "a\U00011de0\U00011de0b!\U00011de0 \U00011de01", "  5 x  \n5  !", "12345 ١٢٣٤٥",
         " \n \n  x", "\t\tx", "\u3000\u3000x \u2028y", "!!\r\n\r\nx!\n", "a\u0301b \u0301", "x \t ", "'", "''ll", " 's", "\u00a0's ½x²"]


def sweep(block):
    return "".join("x%sy %s%s '%sa5%s \n%s  %s!%s\r" % ((chr(c),) * 8)
                   for c in range(block * BLOCK, (block + 1) * BLOCK) if not 0xD800 <= c < 0xE000)


def main():
    corpus = json.loads((HERE / "tokenizer_corpus.json").read_text(encoding="utf-8"))
    chunks, sweeps = [chunk(i, corpus) for i in range(CHUNKS)], [sweep(b) for b in range(BLOCKS)]
    result = {
        "made_by": "tests/goldens/make_pretokenizer_goldens.py",
        "versions": {"tokenizers": tokenizers.__version__, "python": sys.version.split()[0]},
        "texts": CASES,
        "rules": {},
    }
    for pre in ("gpt-2", "smollm", "llama-bpe", "qwen2"):
        splitter = pre_tokenizer(pre)

        def lengths(text):  # each byte is one character of the byte alphabet
            return [len(piece) for piece, _ in splitter.pre_tokenize_str(text)]

        result["rules"][pre] = {"cases": [lengths(t) for t in CASES], "chunks": [ids_hash(lengths(t)) for t in chunks],
                                "sweep": [ids_hash(lengths(t)) for t in sweeps]}
    text = json.dumps(result, separators=(",", ":")).replace('","', '",\n"').replace("],[", "],\n[")
    (HERE / "pretokenizer_goldens.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
