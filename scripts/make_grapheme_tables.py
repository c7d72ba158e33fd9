#!/usr/bin/env python3
"""Writes lib/text/grapheme_tables.cpp: the classes that the rules for grapheme clusters (Unicode annex 29) go by.

Usage: scripts/make_grapheme_tables.py > lib/text/grapheme_tables.cpp      (pip install regex)
"""
import regex

# GraphemeClass in include/loquor/text/graphemes.hpp; a later row wins.
ROWS = [("consonant", "InCB=Consonant"), ("pictograph", "Extended_Pictographic"), ("control", "GCB=Control"),
        ("carriage_return", "GCB=CR"), ("line_feed", "GCB=LF"), ("extend", "GCB=Extend"), ("linker", "InCB=Linker"),
        ("prepend", "GCB=Prepend"), ("spacing_mark", "GCB=SpacingMark"), ("regional", "GCB=Regional_Indicator"),
        ("hangul_l", "GCB=L"), ("hangul_v", "GCB=V"), ("hangul_t", "GCB=T"), ("zwj", "GCB=ZWJ")]
NAMES = [name for name, _ in ROWS]


def main():
    classes = [""] * 0x110000
    for name, prop in ROWS:
        for m in regex.finditer(r"\p{%s}+" % prop, "".join(map(chr, range(0x110000)))):
            classes[m.start():m.end()] = [name] * (m.end() - m.start())
    # The few that extend a cluster but end a conjunct.
    for m in regex.finditer(r"[\p{GCB=Extend}--[\p{InCB=Extend}\p{InCB=Linker}]]", "".join(map(chr, range(0x110000))),
                            flags=regex.V1):
        classes[m.start()] = "extend_only"
    print("// Made by scripts/make_grapheme_tables.py from regex %s; do not edit." % regex.__version__)
    print('#include "loquor/text/graphemes.hpp"\n\n// clang-format off\nnamespace lq::detail {\n')
    print("const GraphemeRange kGraphemeRanges[] = {")
    count = first = 0
    for c in range(1, 0x110001):
        if c < 0x110000 and classes[c] == classes[first]:
            continue
        if classes[first]:
            print("  {0x%x, 0x%x, GraphemeClass::%s}," % (first, c - 1, classes[first]))
            count += 1
        first = c
    print("};\nconst std::size_t kGraphemeRangesCount = %d;\n\n}  // namespace lq::detail" % count)


if __name__ == "__main__":
    main()
