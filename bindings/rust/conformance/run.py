#!/usr/bin/env python3
"""Runs the conformance cases. Their only dependency, serde_json, comes from cargo's cache or else from the registry; where it is
in neither, the exit code is 77: skipped.

    python run.py CARGO        with LQ_CASES, LQ_ENCODER and the library's place in the environment
"""

import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def fetched(cargo):
    # For this machine alone: the lock file names packages that other targets would need.
    rustc = subprocess.run(["rustc", "-vV"], capture_output=True, text=True).stdout
    host = next((line.split()[1] for line in rustc.splitlines() if line.startswith("host: ")), None)
    target = ["--target", host] if host else []
    for where in (["--offline"], []):
        # Without a network the answer should come soon.
        patience = {"CARGO_NET_RETRY": "1", "CARGO_HTTP_TIMEOUT": "20", **os.environ}
        result = subprocess.run([cargo, "fetch", "--locked", *target, *where], cwd=HERE, env=patience, capture_output=True, text=True)
        if result.returncode == 0:
            return True
    print(result.stderr.strip())
    return False


def main():
    cargo = sys.argv[1]
    if not fetched(cargo):
        print("SKIPPED: the conformance cases need serde_json, which is not in cargo's cache and could not be fetched")
        sys.exit(77)
    sys.exit(subprocess.run([cargo, "test", "--locked", "--offline", "--", "--nocapture"], cwd=HERE).returncode)


if __name__ == "__main__":
    main()
