#!/usr/bin/env python3
"""Packs the staged npm package, installs it into an empty folder without a network and loads it there.

    python package.py PACKAGE-FOLDER NPM NODE
"""

import json
import pathlib
import subprocess
import sys
import tempfile


def run(*command, cwd):
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout


def main():
    package, npm, node = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        dry = json.loads(run(npm, "pack", "--dry-run", "--json", "--offline", cwd=package))
        entry = dry[0] if isinstance(dry, list) else next(iter(dry.values()))
        files = {f["path"] for f in entry["files"]}
        wanted = {"package.json", "README.md", "index.js", "index.d.ts", "lib/session.js", "src/module.c", "scripts/build.js"}
        if wanted - files or not any(f.startswith("prebuilds/") for f in files) or any(f.startswith("tests/") for f in files):
            sys.exit(f"the package holds {sorted(files)}")
        run(npm, "pack", "--offline", "--pack-destination", str(folder), cwd=package)
        (archive,) = folder.glob("*.tgz")
        (folder / "app").mkdir()
        (folder / "app/package.json").write_text('{"name": "app", "private": true}')
        run(npm, "install", "--offline", "--no-audit", "--no-fund", str(archive), cwd=folder / "app")
        version = run(node, "-p", "require('loquor').version", cwd=folder / "app").strip()
        print(f"npm package: {len(files)} files, {archive.stat().st_size / 1e6:.1f} MB, loads as {version}")


if __name__ == "__main__":
    main()
