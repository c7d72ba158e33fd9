#!/usr/bin/env python3
"""Packs the crate as `cargo publish` would, without a network, and builds the example of README.md against what is in the package,
as a user does; with the default model at hand the example is also run.

    python package.py CARGO        with the library's place in the environment
"""

import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parents[1]
WANTED = {"Cargo.toml", "README.md", "build.rs", "src/lib.rs", "src/ffi.rs", "examples/generate.rs", "tests/tiny.rs"}


def run(*command, cwd, **environment):
    result = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout


def model_cached():
    cache = os.environ.get("LOQUOR_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loquor")
    return os.path.exists(os.path.join(cache, "models", "SmolLM2-135M-Instruct.Q4_1.gguf"))


def main():
    cargo = sys.argv[1]
    example = re.search(r"```rust\n(.*?)```", (HERE / "README.md").read_text(), re.S).group(1)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        run(cargo, "package", "--offline", "--allow-dirty", "--quiet", "--target-dir", str(folder / "target"), cwd=HERE)
        (archive,) = (folder / "target/package").glob("loquor-*.crate")
        with tarfile.open(archive) as files:
            names = {name.split("/", 1)[1] for name in files.getnames()}
            files.extractall(folder)
        if WANTED - names or any(name.startswith("conformance") or name.endswith(".py") for name in names):
            sys.exit(f"the package holds {sorted(names)}")
        app = folder / "app"
        (app / "src").mkdir(parents=True)
        (app / "src/main.rs").write_text(example)
        (app / "Cargo.toml").write_text('[package]\nname = "app"\nversion = "0.0.0"\nedition = "2021"\n\n[dependencies]\n'
                                        f'loquor = {{ path = "../{archive.stem}" }}\n')
        # An application says itself where the library is at run time; README.md shows how.
        flags = f"-C link-arg=-Wl,-rpath,{os.environ['LOQUOR_LIB_DIR']}"
        run(cargo, "build", "--offline", cwd=app, RUSTFLAGS=flags, CARGO_TARGET_DIR=str(app / "target"))
        done = "builds"
        if model_cached():
            out = run(str(app / "target/debug/app"), cwd=app)
            if len(out) < 50:
                sys.exit(f"the example of README.md printed only: {out!r}")
            done = "works"
        print(f"crate: {len(names)} files, {archive.stat().st_size / 1e3:.0f} KB; the example of README.md {done}"
              + ("" if done == "works" else " (SKIPPED running it: it needs the default model)"))


if __name__ == "__main__":
    main()
