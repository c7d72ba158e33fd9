#!/usr/bin/env python3
"""Runs the crate's tests under valgrind: no error of memory, nothing lost, and nothing left that grows with what was done.

    python valgrind.py CARGO VALGRIND       with the library's place in the environment
"""

import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parents[1]


def programs(cargo):
    """The test programs, by name."""
    command = [cargo, "test", "--offline", "--no-run", "--tests", "--message-format=json"]
    built = subprocess.run(command, cwd=HERE, stdout=subprocess.PIPE, text=True)
    if built.returncode:
        sys.exit("the tests do not build")
    lines = map(json.loads, built.stdout.splitlines())
    return {m["target"]["name"]: m["executable"] for m in lines if m.get("executable") and m["target"]["kind"] == ["test"]}


def run(valgrind, *command):
    result = subprocess.run([valgrind, "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
                             "--error-exitcode=99", *command], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"valgrind {' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")
    return re.search(r"in use at exit: ([\d,]+ bytes in [\d,]+ blocks)", result.stderr)[1]


def main():
    cargo, valgrind = sys.argv[1:]
    tests = programs(cargo)
    left = {rounds: run(valgrind, tests["leaks"], rounds) for rounds in ("1", "2")}
    if left["1"] != left["2"]:
        sys.exit(f"in use at the end after one round: {left['1']}; after two: {left['3']}")
    for name in sorted(tests.keys() - {"leaks"}):
        run(valgrind, tests[name])
    print(f"valgrind: no errors, nothing lost; in use at the end, whatever was done before: {left['1']}")


if __name__ == "__main__":
    main()
