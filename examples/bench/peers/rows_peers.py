"""Rows O1, S1, K1, Q1: OpenVINO GenAI, sampling, tokenizers, quality."""

import json
import pathlib
import types

from . import drive, quality, results
from .drive import Absent, interleave

# What LLMPipeline is given in turn; the fastest one of each phase is what we are set beside. Tried and slower in both: SDPA
# attention, a u8 cache.
OPENVINO_CONFIGS = ({"PERFORMANCE_HINT": "LATENCY"}, {"INFERENCE_PRECISION_HINT": "f32"}, {"DYNAMIC_QUANTIZATION_GROUP_SIZE": 32})
LONG, SHORT = 450, 16  # tokens of the two prompts, about


class Texts:
    """A new piece of WikiText-2 each time, since OpenVINO keeps prefixes."""

    def __init__(self, data):
        self.text = (pathlib.Path(data) / "text" / "wiki.test.raw").read_text("utf-8")
        self.at = 0

    def piece(self, tokens):
        self.at = self.text.find(" ", self.at + 7919) + 1
        return self.text[self.at : self.at + int(4.1 * tokens)]


def openvino(b):
    """Each round gives all engines the same new texts: time to the first token of ~450 and of ~16 tokens, and per token."""
    texts, found = Texts(b.args.data), {}
    workers = {"ours": b.worker("loquor", ctx=1024)}
    reason = ""
    configs = [json.loads(b.args.openvino_config)] if b.args.openvino_config else OPENVINO_CONFIGS
    for config in configs:
        try:
            workers[json.dumps(config)] = b.worker("openvino", config=json.dumps(config))
        except Absent as e:
            reason = str(e)
    if len(workers) == 1:
        return [results.absent("O1", "", "prefill ~450 and decode", reason, peer="OpenVINO GenAI", **b.base())]
    for length in (LONG, SHORT):
        pieces = iter([])

        def run(name, length=length):
            nonlocal pieces
            text = next(pieces, None)
            if text is None:  # each engine of a round gets the same text
                new = texts.piece(length)
                pieces = iter([new] * (len(workers) - 1))
                text = new
            return workers[name].ask("text", text=text, n=32)

        found[length] = interleave(b.args.rounds, {name: (lambda name=name: run(name)) for name in workers})
    return [openvino_row(b, workers, found, *row) for row in (
        ("prefill", f"prefill ~{LONG}", LONG, 1.3, 2.2), ("decode", "decode, short prompt", SHORT, 1.8, 3.0),
        ("decode deep", f"decode, depth ~{LONG}", LONG, 1.8, 3.0))]


def openvino_row(b, workers, found, part, what, length, gate, aim):
    def speed(v):
        return v["prompt_tokens"] / v["first_ms"] * 1e3 if part == "prefill" else 1e3 / v["token_ms"]

    values = {name: [speed(v) for v in vs] for name, vs in found[length].items()}
    peers = {n: v for n, v in values.items() if n != "ours"}
    best = max(peers, key=lambda n: sorted(peers[n])[len(peers[n]) // 2])
    note = "; ".join(f"{n}: {sorted(v)[len(v) // 2]:.0f}" for n, v in peers.items())
    return results.entry("O1", part, what, "tokens/s", values["ours"], values[best], gate=gate, aim=aim, peer=f"OpenVINO GenAI, {best}",
                         note=note, versions=[workers[best].info], **b.base())


CHAIN = "top_k=40,top_p=0.95,temperature=0.8"


def sampling(b):
    """Ours: examples/bench/bench_sampling; llama.cpp's chain through llama_sampler_sample, which fills the candidates first."""
    out = []
    for part, file in (("49k", "Q4_1"), ("152k", "tiny-152k")):
        what = f"sampling, vocabulary {part}: top-k 40, top-p 0.95, temperature 0.8"
        base = {**b.base(), "peer": "llama.cpp", "gate": 5.0, "aim": 20.0}
        try:
            theirs, heads = b.worker("llama.cpp", file, ctx=512), []
            vocab = theirs.ask("sampling", reps=10)["vocab"]

            def ours(vocab=vocab, heads=heads):
                found = json.loads(b.tool("bench_sampling", "--json", "--vocab", vocab, "--calls", 200))
                row = next(r for r in found if r["chain"] == CHAIN)
                heads.append(row.get("us_median_head", 0))
                return row["us_median"]

            got = interleave(b.args.rounds, {"ours": ours, "theirs": lambda: theirs.ask("sampling", reps=300)["us"]})
            note = f"inside a session, where the head leaves the maxima of its blocks: {sorted(heads)[len(heads) // 2]:.1f} us"
            out.append(results.entry("S1", part, what, "us/token", got["ours"], got["theirs"], higher_is_better=False, note=note,
                                     versions=[theirs.info], **base))
        except Absent as e:
            out.append(results.absent("S1", part, what, e, **base))
    return out


def tokenizers(b):
    """One thread, one CPU, the same ids; each library through its Python package, in a process with all of them."""
    texts = [pathlib.Path(b.args.data) / "text" / name for name in ("wiki.test.raw", "tinyshakespeare.txt")]
    base = {**b.base(), "unit": "MB/s"}
    gates = {"tokenizers": ("HF tokenizers", 10.0, 50.0), "tiktoken": ("tiktoken", 3.0, 20.0)}
    out = []
    try:
        found = drive.script("tokenizers_job.py", b.args.loquor_python, b.args.model, b.args.rounds, *texts, cpus=b.args.pin[:1])
    except Absent as e:
        return [results.absent("K1", "", "tokenizer, one thread, same ids", e, peer="HF tokenizers; tiktoken", **b.base())]
    for text, libraries in found.items():
        for name, (title, gate, aim) in gates.items():
            part, what = f"{text}, {name}", f"tokenizer, one thread, same ids ({text})"
            if not isinstance(libraries[name], dict):
                out.append(results.absent("K1", part, what, libraries[name], peer=title, gate=gate, aim=aim, **b.base()))
                continue
            out.append(results.entry("K1", part, what, base["unit"], libraries["loquor"]["mb_per_s"], libraries[name]["mb_per_s"],
                                     gate=gate, aim=aim, peer=title, note=libraries[name]["note"],
                                     versions=[{"name": title, "version": libraries[name]["version"]}], **b.base()))
    return out


def kl(b, file="Q4_1"):
    """Row Q1: 100 prompts of 256 tokens (examples/bench/quality does the same alone)."""
    bin_ = pathlib.Path(b.args.build) / "bin"
    for name in ("dump_logits", "loquor"):
        if not (bin_ / name).exists():
            return [results.absent("Q1", "", "mean KL to fp32", f"{name} is not built", **b.base(file))]
    args = types.SimpleNamespace(
        model=b.file(file), data=b.args.data, dump_logits=str(bin_ / "dump_logits"), reference_dump=None, loquor=str(bin_ / "loquor"),
        peer_python=b.args.peer_python, threads=b.args.threads, prompts=b.args.prompts, length=256, flags=[], cache=None,
        no_llama=False)
    found = quality.measure(args)
    ours, theirs = found["loquor"], found.get("llama.cpp")
    more = {**b.base(file), "peer": "llama.cpp", "missing": found.get("llama.cpp_missing")}
    note = f"top-1 {100 * ours['top1']:.2f} %" + (f", llama.cpp {100 * theirs['top1']:.2f} %" if theirs else "")
    note += f"; {ours['positions']} positions"
    mean = {**results.entry("Q1", "KL", "mean KL to fp32", "", [ours["mean_kl"]], kind="at most", gate=1.2, note=note, **more)}
    mean["score"] = found.get("kl_ratio")
    note = f"{ours['ppl']:.3f}, fp32 {ours['ppl_ref']:.3f}" + (f", llama.cpp {theirs['ppl']:.3f}" if theirs else "")
    ppl = results.entry("Q1", "perplexity", "perplexity over fp32's", "", [ours["ppl_over_ref"]], kind="at most", gate=1.005,
                        note=note, **more)
    if theirs:
        mean["theirs"], ppl["theirs"] = theirs["mean_kl"], theirs["ppl_over_ref"]
    return [mean, ppl]
