"""How far an engine's distributions are from fp32 on the same file: mean KL, top-1 agreement, perplexity (row Q1).

The fp32 reference is Loquor's reference mode, whose logits agree with transformers to 2e-4 (docs/STATUS.md). What does not
change from one build to the next is kept in a cache folder: the token ids, the reference's log probabilities (50 MB a
prompt) and llama.cpp's figures at every position.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from . import env
from .drive import Worker

FIELDS = ("kl", "same", "nll", "ref_nll")


def pieces(data, count, length):
    """`count` texts of somewhat more than `length` tokens, in turn from WikiText-2 and Shakespeare."""
    texts = [(pathlib.Path(data) / "text" / name).read_text("utf-8") for name in ("wiki.test.raw", "tinyshakespeare.txt")]
    out = []
    for i in range(count):
        text = texts[i % 2]
        start = text.find("\n", len(text) * i // (count + 1)) + 1
        out.append(text[start : start + 12 * length + 200])
    return out


def token_ids(cache, loquor, model, data, count, length):
    """Lists of `length` ids. The first n of 100 are the same texts whatever n is, so that subsets share the cache."""
    path = cache / f"ids-{length}.json"
    if path.exists():
        ids = json.loads(path.read_text())
        if len(ids) >= count:
            return ids[:count]
    ids = []
    for text in pieces(data, max(count, 100), length):
        run = subprocess.run([loquor, "tokenize", "--model", model, "--json"], input=text, capture_output=True, text=True, check=True)
        found = json.loads(run.stdout)
        ids.append([t["id"] if isinstance(t, dict) else t for t in found["tokens"]][:length])
        assert len(ids[-1]) == length, f"a piece has only {len(ids[-1])} tokens"
    # Quick runs take the first prompts: let those be from all over the texts.
    order = sorted(range(len(ids)), key=lambda i: (i * 37 % len(ids)))
    ids = [ids[i] for i in order]
    path.write_text(json.dumps(ids))
    return ids[:count]


class Dump:
    """tests/goldens/dump_logits streaming the logits of all prompts."""

    def __init__(self, tool, model, ids, flags):
        self.job = tempfile.NamedTemporaryFile("w", suffix=".json")
        json.dump({"prompts": ids, "greedy": 0}, self.job)
        self.job.flush()
        self.process = subprocess.Popen([tool, model, self.job.name, *flags], stdout=subprocess.PIPE)
        self.n_vocab = int(self.read(1, "<i4")[0])

    def read(self, count, dtype):
        data = self.process.stdout.read(4 * count)
        if len(data) != 4 * count:
            raise RuntimeError("dump_logits ended early")
        return np.frombuffer(data, dtype)

    def logits(self, ids):
        return self.read(len(ids) * self.n_vocab, "<f4").reshape(len(ids), self.n_vocab)


def kept(cache, kind, ids):
    """The file of what is kept for these ids; it may not be there yet."""
    return cache / f"{kind}-{hashlib.sha256(repr(ids).encode()).hexdigest()[:12]}{'.npz' if kind == 'llama' else '.npy'}"


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def reference_log(cache, ids, dump):
    """float32 (len(ids), vocab). dump() makes the stream of the prompts that are not in the cache yet."""
    path = kept(cache, "ref", ids)
    if not path.exists():
        part = path.with_name("part-" + path.name)
        np.save(part, log_softmax(dump().logits(ids)).astype(np.float32))
        part.rename(path)
    return np.load(path, mmap_mode="r")


def compare(ref, logits, ids):
    """Figures at each position; 32 rows at a time, so that memory stays small."""
    out = {f: [] for f in FIELDS}
    for at in range(0, len(ids), 32):
        r = np.asarray(ref[at : at + 32], np.float64)
        x = log_softmax(logits[at : at + 32])
        out["kl"].append((np.exp(r) * (r - x)).sum(axis=1))
        out["same"].append(r.argmax(axis=1) == x.argmax(axis=1))
        following = np.asarray(ids[at + 1 : at + 33])
        rows = np.arange(len(following))
        out["nll"].append(-x[rows, following])
        out["ref_nll"].append(-r[rows, following])
    return {f: np.concatenate(v) for f, v in out.items()}


def summary(parts):
    joined = {f: np.concatenate([p[f] for p in parts]) for f in FIELDS}
    kl = joined["kl"]
    ppl, ref = (float(np.exp(joined[f].mean())) for f in ("nll", "ref_nll"))
    by_prompt = np.array([p["kl"].mean() for p in parts])
    return {"positions": len(kl), "mean_kl": float(kl.mean()), "max_kl": float(kl.max()),
            "mean_kl_error": float(by_prompt.std(ddof=1) / len(parts) ** 0.5) if len(parts) > 1 else 0.0,
            "top1": float(joined["same"].mean()), "ppl": ppl, "ppl_ref": ref, "ppl_over_ref": ppl / ref}


def llama_parts(cache, model, ids, python, threads):
    """llama.cpp's figures per prompt, or why there are none."""
    parts, worker = [], None
    scratch = tempfile.NamedTemporaryFile(suffix=".f32")
    try:
        for i, prompt in enumerate(ids):
            path = kept(cache, "llama", prompt)
            if not path.exists():
                worker = worker or Worker("llama.cpp", python, model, threads, ctx=512)
                n_vocab = worker.ask("logits", tokens=prompt, path=scratch.name)
                logits = np.fromfile(scratch.name, "<f4").reshape(len(prompt), n_vocab)
                ref = np.load(kept(cache, "ref", prompt), mmap_mode="r")
                np.savez(path, **compare(ref, logits, prompt))
            parts.append(dict(np.load(path)))
            print(f"\rllama.cpp {i + 1}/{len(ids)} ", end="", file=sys.stderr, flush=True)
    finally:
        if worker:
            worker.close()
        print(file=sys.stderr)
    return parts


def ours_parts(cache, args, ids, flags):
    dump_flags = ["--threads", str(args.threads)]
    missing = [p for p in ids if not kept(cache, "ref", p).exists()]
    made = []

    def reference():
        if not made:
            tool = args.reference_dump or args.dump_logits
            made.append(Dump(tool, args.model, missing, ["--reference", "--kv", "F32", *dump_flags]))
        return made[0]

    refs = [reference_log(cache, p, reference) for p in ids]
    ours, parts = Dump(args.dump_logits, args.model, ids, dump_flags + flags), []
    for i, prompt in enumerate(ids):
        parts.append(compare(refs[i], ours.logits(prompt), prompt))
        print(f"\rloquor {i + 1}/{len(ids)} ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return parts


def measure(args):
    """args: model, data, dump_logits, reference_dump, loquor, peer_python, threads, prompts, length, flags, cache, no_llama."""
    root = pathlib.Path(args.cache) if args.cache else env.cache_dir() / "quality"
    cache = root / f"{pathlib.Path(args.model).stem}-{env.fingerprint(args.model)}"
    cache.mkdir(parents=True, exist_ok=True)
    ids = token_ids(cache, args.loquor, args.model, args.data, args.prompts, args.length)
    out = {"prompts": len(ids), "length": args.length, "loquor": summary(ours_parts(cache, args, ids, args.flags))}
    if not args.no_llama:
        try:
            out["llama.cpp"] = summary(llama_parts(cache, args.model, ids, args.peer_python, args.threads))
            out["kl_ratio"] = out["loquor"]["mean_kl"] / out["llama.cpp"]["mean_kl"]
        except (RuntimeError, OSError) as e:
            out["llama.cpp_missing"] = str(e)
    return out
