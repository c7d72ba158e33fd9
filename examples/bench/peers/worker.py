"""worker.py ENGINE --model FILE --threads N [--cpus 0,1] [--ctx N] ...: one engine in a process of its own.

It says what it is, then reads a JSON job a line and answers each with a line; --once JOB does one job in a fresh process.
Nothing is imported that a job does not need: the start of the process and its memory are measured too.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# 32 tokens of SmolLM2's vocabulary
PROMPT = ("You are a helpful assistant. Answer briefly and plainly. Why do the leaves of many trees turn red and yellow in "
          "autumn before they all fall down to earth?")


def bench_tokens(n, seed=0):
    """n token ids that all engines get: fixed, ordinary (no control tokens), not repeating."""
    return [100 + ((i + 1000 * seed) * 7919 + 13) % 40000 for i in range(n)]


def make_engine(args):
    if args.engine == "loquor":
        from peers.loquor_engine import Loquor

        return Loquor(args.model, args.threads, args.ctx)
    if args.engine == "llama.cpp":
        from peers.llama_engine import LlamaCpp

        return LlamaCpp(args.model, args.threads, args.ctx, args.n_seq, args.flash_attn)
    if args.engine == "openvino":
        from peers.openvino_engine import OpenVino

        return OpenVino(args.model, args.threads, args.config)
    raise SystemExit(f"unknown engine {args.engine}")


class Jobs:
    """One method a job; each returns what JSON can say."""

    def __init__(self, engine):
        self.engine, self.held = engine, 0  # held: how many of bench_tokens() are in the cache

    def start_at(self, depth):
        """Holds exactly the first `depth` tokens."""
        if self.held < depth or depth == 0:
            self.engine.rewind(0)
            self.engine.eval(bench_tokens(depth)) if depth else None
        else:
            self.engine.rewind(depth)
        self.held = depth

    def prefill(self, n, seed=0):
        """Tokens a second of reading n tokens into an empty context."""
        self.engine.rewind(0)
        self.held = 0
        tokens = bench_tokens(n, seed)
        start = time.perf_counter()
        self.engine.eval(tokens)
        return n / (time.perf_counter() - start)

    def decode(self, depth, n):
        """Tokens a second of n tokens, one by one, after `depth` tokens."""
        self.start_at(depth)
        tokens = bench_tokens(n, 1)
        start = time.perf_counter()
        for t in tokens:
            self.engine.eval([t])
        return n / (time.perf_counter() - start)

    def decode_for(self, seconds):
        """As decode() from depth 0, until the time is over; at most 512 tokens at a time, then from depth 0 again."""
        start, made = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            if made % 512 == 0:
                self.start_at(0)
            self.engine.eval([100 + made * 7919 % 40000])
            made += 1
        return made / (time.perf_counter() - start)

    def batch(self, n_seq, n):
        self.held = 0
        return self.engine.decode_batch(n_seq, n)

    def sampling(self, reps):
        self.held = 0
        return {"us": self.engine.sampling_us(reps), "vocab": self.engine.n_vocab}

    def greedy(self, n):
        """The greedy continuation of the prompt."""
        self.engine.rewind(0)
        self.held = 0
        self.engine.eval(self.engine.tokenize(PROMPT))
        out = []
        for _ in range(n):
            out.append(self.engine.argmax())
            self.engine.eval(out[-1:])
        return out

    def text(self, text, n):
        self.held = 0
        return self.engine.text_prompt(text, n)

    def logits(self, tokens, path):
        logits = self.engine.all_logits(tokens)
        logits.tofile(path)
        return logits.shape[1]

    def first_token(self):
        """Milliseconds from the interpreter's first line to the first token of an answer to a prompt of 32 tokens."""
        token = self.engine.first_token(PROMPT)
        return {"token": token, "in_process_ms": (time.perf_counter() - STARTED) * 1e3}

    def rss(self):
        """Peak resident MiB of a process that held a conversation of 1,900 tokens in a context of 2,048."""
        self.prefill(1800)
        for t in bench_tokens(100, 1):
            self.engine.eval([t])
        with open("/proc/self/status") as f:  # getrusage() would count the parent's pages from before exec
            return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM"))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("engine")
    ap.add_argument("--model")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--cpus", default="")
    ap.add_argument("--ctx", type=int, default=1024)
    ap.add_argument("--n-seq", type=int, default=1)
    ap.add_argument("--flash-attn", type=int)
    ap.add_argument("--config", default="{}")
    ap.add_argument("--once")
    args = ap.parse_args()
    if args.cpus:
        os.sched_setaffinity(0, {int(c) for c in args.cpus.split(",")})
    jobs = Jobs(make_engine(args))
    if args.once:
        print(json.dumps(getattr(jobs, args.once)()), flush=True)
        os._exit(0)  # tearing down is not what is measured
    print(json.dumps(jobs.engine.version()), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        print(json.dumps(getattr(jobs, job.pop("what"))(**job)), flush=True)


if __name__ == "__main__":
    main()
