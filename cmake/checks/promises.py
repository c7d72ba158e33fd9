#!/usr/bin/env python3
"""Fails if docs/promises.md names a test that there is not.

    python cmake/checks/promises.py [ROOT]
"""

import pathlib
import re
import sys


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    page = (root / "docs" / "promises.md").read_text(encoding="utf-8")
    tests = "".join(p.read_text(encoding="utf-8") for p in (root / "tests").rglob("*.cpp"))
    names = set(re.findall(r'TEST_CASE\(\s*"([^"]+)"', tests))
    python = "".join(p.read_text(encoding="utf-8") for p in (root / "bindings" / "python" / "tests").glob("*.py"))
    rows = "".join(line for line in page.splitlines(True) if re.match(r"\| \d+\.", line))
    bad = [f'no test "{n}"' for n in re.findall(r'"([^"]+)"', rows) if n not in names]
    bad += [f"no Python test {n}" for n in re.findall(r"\btest_\w+\b(?!\.cpp)", rows) if f"def {n}(" not in python]
    bad += [f"no file {n}" for n in re.findall(r"\btest_\w+\.cpp\b", rows) if not list((root / "tests").rglob(n))]
    print("\n".join(bad) or "promises: every test that is named is there")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
