#!/usr/bin/env python3
"""Compiles and runs the C and C++ examples of README.md as a reader would, or runs the Python one.

    python tests/readme/run.py SOURCE-DIR BUILD-DIR        C and C++ against build/lib/libloquor.so
    python tests/readme/run.py SOURCE-DIR --python         with the interpreter's own loquor
    python tests/readme/run.py README --script LANGUAGE COMMAND...     the first block of LANGUAGE, as the last argument of COMMAND

Without the default model the examples are only compiled.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile


def block(readme, language):
    return re.search(rf"```{language}\n(.*?)```", readme, re.S).group(1)


def model_cached():
    cache = os.environ.get("LOQUOR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loquor")
    return os.path.exists(os.path.join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf"))


def run(command, **kwargs):
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, **kwargs)
    if result.returncode:
        sys.exit(f"{command[0]} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout


def run_script(readme, language, command):
    if not model_cached():
        print("README: SKIPPED running the example, it needs the default model")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"example.{language}")
        path.write_text(block(readme.read_text(), language))
        out = run([*command, str(path)])
        if len(out) < 50:
            sys.exit(f"the example of {readme} printed only: {out!r}")
        print(f"{readme}: the example works")


def main():
    if sys.argv[2] == "--script":
        run_script(pathlib.Path(sys.argv[1]), sys.argv[3], sys.argv[4:])
        return
    source = pathlib.Path(sys.argv[1])
    readme = (source / "README.md").read_text()
    if sys.argv[2] == "--python":
        code = block(readme, "python")
        compile(code, "README.md", "exec")
        if model_cached():
            out = run([sys.executable, "-c", code])
            if len(out) < 50:
                sys.exit(f"the Python example printed only: {out!r}")
        print("README: the Python example works" if model_cached() else "README: SKIPPED running the Python example, it needs the default model")
        return
    library = pathlib.Path(sys.argv[2]) / "lib"
    with tempfile.TemporaryDirectory() as folder:
        for language, compiler, flags in (("c", "cc", ["-std=c99"]), ("cpp", "c++", ["-std=c++17"])):
            path = pathlib.Path(folder, f"example.{language}")
            path.write_text(block(readme, language))
            program = path.with_suffix("")
            run([compiler, *flags, "-Wall", "-Wextra", "-Wno-unused-parameter", f"-I{source / 'capi'}", str(path), "-o", str(program), f"-L{library}", "-lloquor", f"-Wl,-rpath,{library}"])
            if model_cached():
                out = run([str(program)])
                if len(out) < 50:
                    sys.exit(f"the {language} example printed only: {out!r}")
    print("README: the C and C++ examples work" if model_cached() else "README: SKIPPED running the examples, they need the default model")


if __name__ == "__main__":
    main()
