"""Worker processes: each engine lives in one of its own, with its own interpreter, pinned to the same CPUs; only one works at
a time. A worker that cannot start (a peer that is not installed) raises Absent with its reason."""

import json
import os
import pathlib
import subprocess
import sys

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
        self.name = engine
        self.process = subprocess.Popen(
            command(engine, python, model, threads, cpus, **options), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment(variables))
        self.info = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.stdin.close()
            error = self.process.stderr.read().strip().splitlines()
            self.process.wait()
            raise Absent(f"{self.name}: {error[-1] if error else 'ended without a word'}")
        return json.loads(line)

    def ask(self, **job):
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.stdout.read()
            self.process.wait()
        self.process.stderr.close()
