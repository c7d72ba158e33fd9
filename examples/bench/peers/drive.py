"""Worker processes: each engine lives in one of its own, with its own interpreter, pinned to the same CPUs; only one works at
a time. A worker that cannot start (a peer that is not installed) raises Absent with its reason."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

WORKER = pathlib.Path(__file__).with_name("worker.py")


class Absent(RuntimeError):
    """The peer is not there; the message says why."""


def command(engine, python, model, threads, cpus=(), **options):
    cmd = [python or sys.executable, str(WORKER), engine, "--model", str(model), "--threads", str(threads)]
    if cpus:
        cmd += ["--cpus", ",".join(map(str, cpus))]
    for name, value in options.items():
        cmd += [f"--{name.replace('_', '-')}", str(value)]
    return cmd


def environment(extra=None):
    return {**os.environ, "TOKENIZERS_PARALLELISM": "false", **(extra or {})}


class Worker:
    """One JSON line in, one out. The process is ended by close()."""

    def __init__(self, engine, python, model, threads, cpus=(), variables=None, **options):
        self.name, self.errors = engine, tempfile.TemporaryFile("w+")  # not a pipe: nobody reads one that fills up
        try:
            self.process = subprocess.Popen(
                command(engine, python, model, threads, cpus, **options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=self.errors, text=True, env=environment(variables))
        except OSError as e:
            self.errors.close()
            raise Absent(f"{engine}: {e}") from None
        self.info = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.errors.seek(0)
            error = self.errors.read().strip().splitlines()
            self.errors.close()
            raise Absent(f"{self.name}: {error[-1] if error else 'ended without a word'}")
        return json.loads(line)

    def ask(self, what, **job):
        self.process.stdin.write(json.dumps({"what": what, **job}) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.stdout.read()
            self.process.stdout.close()
            self.process.wait()
        self.errors.close()


def once(job, engine, python, model, threads, cpus=(), variables=None, **options):
    """(what the job gave, milliseconds from starting the process to its answer)."""
    cmd = command(engine, python, model, threads, cpus, once=job, **options)
    start = time.perf_counter()
    with subprocess.Popen(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(variables)) as p:
        line = p.stdout.readline()
        took = time.perf_counter() - start
        error = p.stderr.read().strip().splitlines()
    if not line:
        raise Absent(f"{engine}: {error[-1] if error else 'ended without a word'}")
    return json.loads(line), took * 1e3


def script(name, python, *args, cpus=()):
    """The JSON that a script beside this file prints, pinned."""
    pin = (lambda: os.sched_setaffinity(0, set(cpus))) if cpus else None
    try:
        run = subprocess.run([python or sys.executable, str(WORKER.with_name(name)), *map(str, args)], capture_output=True, text=True,
                             env=environment(), preexec_fn=pin)
    except OSError as e:
        raise Absent(f"{name}: {e}") from None
    if run.returncode != 0:
        raise Absent(f"{name}: {(run.stderr.strip().splitlines() or ['failed'])[-1]}")
    return json.loads(run.stdout)


def tool(build, name, *args, cpus=(), variables=None):
    """What a program of the build tree prints, pinned."""
    path = pathlib.Path(build) / "bin" / name
    if not path.exists():
        raise Absent(f"{path.name} is not built (cmake --build {pathlib.Path(build).name} --target {path.name})")
    pin = (lambda: os.sched_setaffinity(0, set(cpus))) if cpus else None
    run = subprocess.run([str(path), *map(str, args)], capture_output=True, text=True, env=environment(variables), preexec_fn=pin)
    if run.returncode != 0:
        raise Absent(f"{name}: {(run.stderr.strip().splitlines() or ['failed'])[-1]}")
    return run.stdout


def interleave(rounds, runs):
    """{name: [value of each round]}: every round runs each of `runs` ({name: function}) once, the order turning. One round
    before warms up and is not counted."""
    names = list(runs)
    got = {name: [] for name in names}
    for r in range(-1, rounds):
        for name in names if r % 2 == 0 else names[::-1]:
            value = runs[name]()
            if r >= 0:
                got[name].append(value)
    return got
