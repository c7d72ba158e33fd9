"""What a measurement has to know about its surroundings: the model, the texts, the CPU, the commit."""

import datetime
import hashlib
import os
import pathlib
import platform
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
BENCH = ROOT / "examples" / "bench"


def cache_dir():
    return pathlib.Path(
        os.environ.get("LOQUOR_CACHE")
        or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "loquor")
    )


def default_model():
    return str(cache_dir() / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")


def default_data():
    return str(ROOT.parent / "shared" / "data")


def fingerprint(path):
    """Tells files apart without reading all of them: size, first and last MiB."""
    size = os.path.getsize(path)
    with open(path, "rb") as f:
        digest = hashlib.sha256(str(size).encode() + f.read(1 << 20))
        f.seek(max(0, size - (1 << 20)))
        digest.update(f.read())
    return digest.hexdigest()[:12]


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def cpu_flags():
    try:
        with open("/proc/cpuinfo") as f:
            return set(next(line.split(":", 1)[1] for line in f if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return set()


def commit():
    """Short hash of the checkout, with + if files that git tracks are changed."""
    def git(*args):
        return subprocess.run(["git", "-C", str(ROOT), *args], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def stamp():
    """Goes with every figure that is kept."""
    return {"cpu": cpu_name(), "date": datetime.date.today().isoformat(), "commit": commit()}

