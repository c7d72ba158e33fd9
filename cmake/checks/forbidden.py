#!/usr/bin/env python3
"""Fails if the library could end the host, write to its streams, or backtrack over user text.

    python cmake/checks/forbidden.py [ROOT]
"""

import pathlib
import re
import sys

FORBIDDEN = {
    r"\b(?:std::)?(?:abort|exit|_exit|quick_exit|terminate|raise)\s*\(": "ends the host",
    r"\bassert\s*\(": "ends the host",
    r"\b(?:std::)?(?:printf|fprintf|puts|fputs|putchar|perror)\s*\(|std::(?:cout|cerr|clog)\b": "writes to the host's streams",
    r"\bstd::regex\b": "backtracks, recursively",
    r"\b(?:setlocale|setenv|putenv|chdir|signal|sigaction|srand)\s*\(|std::locale\b": "changes the process",
}


def code_only(text):
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    bad = []
    for base in ("include", "lib", "capi"):
        for path in sorted((root / base).rglob("*")):
            if path.suffix not in (".hpp", ".cpp", ".h"):
                continue
            for number, line in enumerate(code_only(path.read_text(encoding="utf-8")).split("\n"), 1):
                for pattern, why in FORBIDDEN.items():
                    if re.search(pattern, line):
                        bad.append(f"{path.relative_to(root)}:{number}: {why}: {line.strip()}")
    print("\n".join(bad) or "forbidden: nothing that ends the host or writes to its streams")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
