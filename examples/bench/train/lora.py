#!/usr/bin/env python3
"""A LoRA update of SmolLM2-135M (r = 8 on all seven matrices of a layer, 4 rows of 256 tokens, all learnt, AdamW) here and in torch + PEFT.

    python examples/bench/train/lora.py [--rounds 7] [--threads 2] [--text FILE]

Needs loquor, torch, transformers, peft and gguf; on a machine that does nothing else. Each engine is a process of its own; they take turns, an update at
a time. Memory is the most that was resident from the first update on (VmHWM, reset after loading). torch trains the file's weights dequantised to fp32.
"""

import argparse
import gc
import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[2] / "tests" / "goldens")]

from peers.env import default_data, default_model, stamp  # noqa: E402

ROWS, LENGTH = 4, 256


def reset_peak():
    gc.collect()
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")


def peak_mb():
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmHWM")) / 1024


def turn(seconds=None):
    """Tells the parent what the update took, and waits for the next turn; False when there is none."""
    if seconds is not None:
        print(f"took {seconds} {peak_mb()}", flush=True)
    return sys.stdin.readline().strip() == "go"


def loquor_side(a):
    import tempfile

    import loquor

    model = loquor.Model(a.model, threads=a.threads)
    words = pathlib.Path(a.text).read_text(encoding="utf-8").split()
    rows = [{"text": " ".join(words[i : i + 20]), "end": False} for i in range(0, 20 * 1200, 20)]
    at = [0.0]

    def progress(p):
        if at[0] == 0:
            reset_peak()
        go = turn((time.perf_counter() - at[0]) / full if at[0] else 0.0)
        at[0] = time.perf_counter()
        return go

    # How full rows are: a shorter row would be an easier one.
    tokens = [len(model.tokenize(r["text"])) for r in rows[:200]]
    full = 1.0
    with tempfile.TemporaryDirectory() as folder:
        at_most = LENGTH // max(1, round(statistics.mean(tokens)))
        full = at_most * statistics.mean(tokens) / LENGTH
        turn()
        loquor.finetune(model, rows, folder, rank=8, max_tokens=LENGTH, batch=ROWS, epochs=1000, completions_only=False, progress=progress, checkpoint_every=10**6)


def torch_side(a):
    import peft
    import torch
    from reference_model import Transformers

    torch.set_num_threads(a.threads)
    base = Transformers(a.model).model
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = peft.get_peft_model(base, peft.LoraConfig(r=8, lora_alpha=16, target_modules=targets, task_type="CAUSAL_LM"))
    model.train()
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4)
    generator = torch.Generator().manual_seed(1)
    turn()
    first = True
    while True:
        ids = torch.randint(0, base.config.vocab_size, (ROWS, LENGTH), generator=generator)
        begin = time.perf_counter()
        loss = model(input_ids=ids, labels=ids).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        seconds = time.perf_counter() - begin
        if first:
            reset_peak()
        if not turn(0.0 if first else seconds):
            return
        first = False


def start(name, a):
    args = [sys.executable, __file__, "--side", name, "--model", a.model, "--threads", str(a.threads), "--text", a.text]
    return subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def update(child):
    child.stdin.write("go\n")
    child.stdin.flush()
    for line in child.stdout:
        if line.startswith("took"):
            return tuple(map(float, line.split()[1:]))
    raise SystemExit("an engine ended early")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--model", default=default_model())
    p.add_argument("--text", default=os.path.join(default_data(), "text", "wiki.test.raw"))
    p.add_argument("--side", help=argparse.SUPPRESS)
    a = p.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: a.threads])
    if a.side:
        return {"loquor": loquor_side, "torch": torch_side}[a.side](a)
    children = {name: start(name, a) for name in ("loquor", "torch")}
    seconds, peaks = {n: [] for n in children}, {}
    for r in range(a.rounds + 2):  # the first one warms up, the second follows the reset
        for name in children if r % 2 == 0 else reversed(children):
            took, peaks[name] = update(children[name])
            if r > 1:
                seconds[name].append(took)
    for c in children.values():
        c.stdin.write("stop\n")
        c.stdin.close()
        c.wait()
    ratios = sorted(t / o for t, o in zip(seconds["torch"], seconds["loquor"]))
    s = stamp()
    print(f"LoRA r=8, {ROWS} x {LENGTH} tokens, {a.threads} threads of {s['cpu']}, {s['date']}, {s['commit']}, {a.rounds} rounds")
    for name in children:
        print(f"  {name:8s} {statistics.median(seconds[name]):6.2f} s an update, at most {peaks[name]:5.0f} MB")
    print(f"  {statistics.median(ratios):.2f}x as fast ({ratios[0]:.2f}-{ratios[-1]:.2f}), {peaks['loquor'] / peaks['torch']:.2f} of the memory")


if __name__ == "__main__":
    main()
