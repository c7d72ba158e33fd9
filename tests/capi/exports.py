#!/usr/bin/env python3
"""Checks what libloquor exports and needs.

usage: exports.py NM LIBLOQUOR.SO LIBLOQUOR.A HEADER-FOLDER SYMBOL-LIST

1. The shared library exports exactly the names of the golden list, which are exactly the functions the headers declare.
2. Every symbol of ours in the archive is hidden but those, so a shared library made from it exports no more.
3. No object of ours calls abort, exit or an assert, or writes to stdout or stderr.
"""
import pathlib
import re
import subprocess
import sys

FORBIDDEN = re.compile(
    r"^(abort|exit|_exit|_Exit|quick_exit|raise|kill|signal|sigaction|__assert_fail|printf|__printf_chk|puts|putchar"
    r"|perror|stdout|stderr|_ZSt4cout|_ZSt4cerr|_ZSt4clog|setlocale|chdir|fork|system)(@|$)"
)


def nm(tool, *arguments):
    return subprocess.run([tool, *arguments], check=True, capture_output=True, text=True).stdout.splitlines()


def main():
    tool, shared, archive, headers, golden_path = sys.argv[1:]
    golden = set(pathlib.Path(golden_path).read_text().split())
    text = "".join(p.read_text() for p in sorted(pathlib.Path(headers).glob("lq_*.h")))
    declared = set(re.findall(r"LQ_API\s[^;{]*?\b(lq_\w+)\(", text))
    failures = []

    exported = {line.split()[-1].split("@")[0] for line in nm(tool, "-D", "--defined-only", shared)} - {"LOQUOR_1"}
    for title, have in (("exported", exported), ("declared in the headers", declared)):
        failures += [f"{name} is {title} but not in {golden_path}" for name in sorted(have - golden)]
        failures += [f"{name} is in {golden_path} but not {title}" for name in sorted(golden - have)]

    member, defined, foreign = "", set(), set()
    for line in nm(tool, "-A", archive):
        fields = line.split(":")
        member, parts = fields[-2], fields[-1].split()
        kind, name = parts[-2], parts[-1]
        if kind == "U" and FORBIDDEN.match(name):
            failures.append(f"{member} refers to {name}")
        if kind in "TDBR":  # strong global definitions
            defined.add(name)
            if not name.startswith(("lq_", "_Z")):
                foreign.add(name)
    failures += [f"{name} is missing from the archive" for name in sorted(golden - defined)]
    failures += [f"the archive defines {name}, outside our names" for name in sorted(foreign)]

    print("\n".join(failures) or f"ok: {len(exported)} functions exported, nothing else")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
