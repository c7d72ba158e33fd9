#!/usr/bin/env python3
"""Builds a program in a module of its own that requires this one, as a user does; and gofmt.

    python check_module.py GO          with cgo's flags in the environment
"""

import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = 'package main\n\nimport "loquor"\n\nfunc main() { println(loquor.Version()) }\n'


def run(*command, cwd):
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout + result.stderr


def main():
    go = sys.argv[1]
    unformatted = run(pathlib.Path(go).resolve().with_name("gofmt"), "-l", ".", cwd=HERE)
    if unformatted:
        sys.exit(f"not formatted: {unformatted}")
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "main.go").write_text(PROGRAM)
        run(go, "mod", "init", "app", cwd=folder)
        run(go, "mod", "edit", "-require=loquor@v0.0.0", f"-replace=loquor={HERE}", cwd=folder)
        version = run(go, "run", "-race", ".", cwd=folder).strip()
    print(f"a module that requires loquor runs with the library {version}")


if __name__ == "__main__":
    main()
