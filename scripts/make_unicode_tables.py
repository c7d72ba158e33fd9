#!/usr/bin/env python3
"""Writes lib/text/unicode_tables.cpp: the character classes that pre-tokenizers need, for every code point.

The classes are asked of the regular expression engine of Hugging Face `tokenizers` (pip install tokenizers), because
that engine's Unicode version is the one token ids are compared with. Its `Digits` pre-tokenizer uses another, newer
table; code points that only it calls numbers get a class of their own.

Usage: scripts/make_unicode_tables.py > lib/text/unicode_tables.cpp
"""
import tokenizers
from tokenizers import Regex, pre_tokenizers

BLOCK = 128
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def matching(pattern):
    splitter = pre_tokenizers.Split(Regex(pattern), "removed")
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        part = CODE_POINTS[i : i + 4096]
        left = set("".join(text for text, _ in splitter.pre_tokenize_str("".join(map(chr, part)))))
        found.update(c for c in part if chr(c) not in left)
    return found


def isolated_digits():
    splitter = pre_tokenizers.Digits(individual_digits=True)
    found = set()
    for i in range(0, len(CODE_POINTS), 4096):
        text = "a".join(map(chr, CODE_POINTS[i : i + 4096]))
        found.update(ord(t) for t, _ in splitter.pre_tokenize_str(text) if len(t) == 1 and t != "a")
    return found


def main():
    letters, numbers, spaces, digits = matching(r"\p{L}"), matching(r"\p{N}"), matching(r"\s"), isolated_digits()
    assert not numbers - digits and not letters & numbers and not spaces & (letters | digits)
    classes = {c: 4 for c in digits} | {c: 3 for c in spaces} | {c: 2 for c in numbers} | {c: 1 for c in letters}
    top = max(classes) // BLOCK + 1
    blocks, index = {}, []
    for b in range(top):
        row = tuple(classes.get(c, 0) for c in range(b * BLOCK, (b + 1) * BLOCK))
        index.append(blocks.setdefault(row, len(blocks)))
    words = []
    for row in blocks:
        for w in range(0, BLOCK, 16):
            words.append("0x%016x" % sum(v << (4 * i) for i, v in enumerate(row[w : w + 16])))
    print("// Made by scripts/make_unicode_tables.py from tokenizers %s; do not edit." % tokenizers.__version__)
    print("// %d letters, %d numbers, %d white space, %d newer numbers." % (
        len(letters), len(numbers), len(spaces), len(digits - numbers)))
    print('#include "loquor/text/unicode.hpp"\n\n// clang-format off\nnamespace lq::detail {\n')
    print("const std::uint8_t kClassIndex[kClassBlocks] = {")
    for i in range(0, len(index), 28):
        print("  " + ",".join(map(str, index[i : i + 28])) + ",")
    print("};\n\nconst std::uint64_t kClassBits[] = {")
    for i in range(0, len(words), 6):
        print("  " + ",".join(words[i : i + 6]) + ",")
    print("};\n\n}  // namespace lq::detail")
    assert len(blocks) < 256 and top == 1608, (len(blocks), top)  # kClassBlocks in unicode.hpp


if __name__ == "__main__":
    main()
