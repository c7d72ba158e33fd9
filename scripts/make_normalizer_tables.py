#!/usr/bin/env python3
"""Writes lib/text/normalizer_tables.cpp: what BERT's normaliser and pre-tokenizer do to each code point.

They are asked of Hugging Face `tokenizers` (pip install tokenizers), because its Unicode tables are the ones token ids are
compared with. Both treat characters one by one: a text's normal form is that of its characters, put together.

Usage: scripts/make_normalizer_tables.py > lib/text/normalizer_tables.cpp
"""
import tokenizers
from tokenizers import normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
HANGUL = range(0xAC00, 0xD7A4)  # decomposed by arithmetic (Unicode 3.12)
REMOVED, SPACE, IDEOGRAPH, PUNCTUATION = 1, 2, 3, 4


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False) | on
    return normalizers.BertNormalizer(**flags).normalize_str


def classes():
    clean, chinese, pre = bert(clean_text=True), bert(handle_chinese_chars=True), pre_tokenizers.BertPreTokenizer()
    out = {}
    for c in CODE_POINTS:
        s = chr(c)
        if clean(s) == "":
            out[c] = REMOVED
        elif clean(s) == " ":
            out[c] = SPACE
        elif chinese(s) != s:
            assert chinese(s) == f" {s} "
            out[c] = IDEOGRAPH
        elif len(pre.pre_tokenize_str(f"a{s}a")) == 3:
            out[c] = PUNCTUATION
        else:
            assert clean(s) == s and len(pre.pre_tokenize_str(f"a{s}a")) == 1, hex(c)
    return out


def hangul(c):
    i = c - 0xAC00
    tail = i % 28
    return chr(0x1100 + i // 588) + chr(0x1161 + i % 588 // 28) + (chr(0x11A7 + tail) if tail else "")


def mapping(normalize):
    out = {}
    for c in CODE_POINTS:
        to = normalize(chr(c))
        if c in HANGUL:
            assert to in (chr(c), hangul(c))
        elif to != chr(c):
            out[c] = to
    return out


def ranges(table):
    out = []
    for c, value in sorted(table.items()):
        if out and out[-1][1] == c - 1 and out[-1][2] == value:
            out[-1][1] = c
        else:
            out.append([c, c, value])
    return out


def print_rows(name, kind, rows, per_line):
    print(f"const {kind} {name}[] = {{")
    for i in range(0, len(rows), per_line):
        print("  " + ",".join(rows[i : i + per_line]) + ",")
    print("};\nconst std::size_t %sCount = %d;\n" % (name, len(rows)))


def main():
    strip, lower = mapping(bert(strip_accents=True)), mapping(bert(lowercase=True))
    both, chain = bert(strip_accents=True, lowercase=True), bert(lowercase=True)
    for c in CODE_POINTS:
        s = strip.get(c, hangul(c) if c in HANGUL else chr(c))
        assert both(chr(c)) == "".join(map(chain, s)), hex(c)
    pool = []
    at = {}

    def place(text):
        if text not in at:
            at[text] = len(pool)
            pool.extend(ord(x) for x in text)
        return at[text]

    print("// Made by scripts/make_normalizer_tables.py from tokenizers %s; do not edit." % tokenizers.__version__)
    print('#include "loquor/text/normalizer.hpp"\n\n// clang-format off\nnamespace lq::detail {\n')
    rows = ["{0x%x,0x%x,%d}" % tuple(r) for r in ranges(classes())]
    print_rows("kBertClasses", "BertRange", rows, 9)
    for name, table in (("kStripAccents", strip), ("kLowercase", lower)):
        print_rows(name, "CharMapping", ["{0x%x,%d,%d}" % (c, place(to), len(to)) for c, to in sorted(table.items())], 20)
    assert len(pool) < 65536
    print_rows("kMappedTo", "char32_t", ["0x%x" % c for c in pool], 32)
    print("}  // namespace lq::detail")


if __name__ == "__main__":
    main()
