"""docs/benchmarks.md and docs/benchmarks.png from the entries that are kept. No figure comes from anywhere else."""

from . import results
from .results import WHAT

HEAD = """# Benchmarks

Written by `examples/bench/compare` from [benchmarks.json](benchmarks.json); do not edit. Medians of interleaved rounds: each
round measures every engine once, in turn, on the same pinned cores and the same tokens; a ratio is the median of the rounds' own
ratios, with the smallest and the largest. Over 1.0x Loquor is better. A missed gate is shown as missed.

![Loquor against its peers](benchmarks.png)

## To repeat it

{setup}
"""
SETUP = """    cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DLQ_DEVELOPER_MODE=ON
    cmake --build build --target loquor_cli dump_logits roofline bench_sampling example_frame_loop
    python3 -m venv .bench && .bench/bin/pip install . numpy gguf tokenizers tiktoken matplotlib
    CMAKE_ARGS="-DGGML_NATIVE=ON" .bench/bin/pip install --no-binary llama-cpp-python llama-cpp-python
    .bench/bin/python examples/bench/compare --update                   # everything; a row at a time: --rows D1,P1

Optional, each in an environment of its own: OpenVINO GenAI, and a llama.cpp without AVX-512 for the AVX2 table (pip must not take the
wheel above from its cache):

    python3 -m venv .openvino && .openvino/bin/pip install openvino-genai openvino-tokenizers
    python3 -m venv .llama-avx2 && CMAKE_ARGS="-DGGML_NATIVE=OFF -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON" \\
      .llama-avx2/bin/pip install --no-cache-dir --no-binary llama-cpp-python llama-cpp-python
    .bench/bin/python examples/bench/compare --update --openvino-python .openvino/bin/python \\
      --peer-python-avx2 .llama-avx2/bin/python"""

TITLES = {"Q4_1": "SmolLM2-135M-Instruct, Q4_1", "Q4_0": "SmolLM2-135M-Instruct, Q4_0 (head Q8_0)", "Q8_0": "SmolLM2-135M-Instruct, Q8_0",
          "F16": "SmolLM2-135M-Instruct, F16", "qwen2.5-0.5b": "Qwen2.5-0.5B shape, random weights, Q4_0 (head Q8_0)",
          "llama-3.2-1b": "Llama-3.2-1B shape, random weights, Q4_0 (head Q8_0)"}
ISAS = {"avx2": "Loquor with `LQ_FORCE_ISA=avx2`, llama.cpp built without AVX-512"}
ROOFLINE = {"read96": "B, read bandwidth over 96 MB", "read2048": "read bandwidth over 2 GB", "int8": "int8 peak",
            "fp32": "fp32 peak", "bf16": "bf16 peak"}
ORDER = {row: i for i, row in enumerate(WHAT)}


def number(x):
    if x is None:
        return ""
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}" if abs(x) >= 0.1 else f"{x:.2g}"


def limit(e, name):
    value = e.get(name)
    if value is None:
        return ""
    if e["kind"] == "at most":
        return f"<= {value:g}"
    return f"{value:.3g}x" if e["kind"] == "ratio" else f"{value:.2f}"


def ratio(e):
    if e.get("ratio") is not None:
        return f"{e['ratio']:.2f}x ({e['ratio_min']:.2f}-{e['ratio_max']:.2f})"
    if e["row"] == "Q1" and e.get("theirs"):
        return f"{e['ours'] / e['theirs']:.3f}"
    return f"({number(e['ours_min'])}-{number(e['ours_max'])})" if e.get("ours_min") != e.get("ours_max") else ""


def table_row(e):
    if e.get("ours") is None:
        return f"| {e['row']} | {e['what']} | not measured: {e['missing']} | | {e.get('peer', '')} | | | | |"
    if e["row"] == "roofline":
        return f"| | {ROOFLINE[e['part']]} | {number(e['ours'])} {e['unit']} | {e['note']} | | | | |"
    peer = f"{number(e['theirs'])} ({e['peer']})" if e.get("theirs") is not None else f"({e['peer']}) {e.get('missing') or ''}"
    return (f"| {e['row']} | {e['what']} | {number(e['ours'])} {e['unit']} | {peer.strip()} | {ratio(e)} | {limit(e, 'gate')} | "
            f"{limit(e, 'aim')} | {results.verdict(e)} |")


def table(entries):
    lines = ["| | what | Loquor | peer | ratio (min-max) | at least | aim | |", "|---|---|---|---|---|---|---|---|"]
    return "\n".join(lines + [table_row(e) for e in entries])


def notes(entries):
    return "\n".join(f"- {e['row']} {e['part']}: {e['note']}".replace(" : ", ": ") for e in entries if e.get("note"))


def roofline_table(roof):
    lines = ["| | measured | how |", "|---|---|---|"]
    for e in roof:
        lines.append(f"| {ROOFLINE[e['part']]} | {number(e['ours'])} {e['unit']} | {e['note']} |")
    return "\n".join(lines)


def fractions(entries, roof):
    """How much of the machine decode and prefill use, for each file."""
    peak = {(e["part"], e["isa"]): e["ours"] for e in roof}
    lines = ["| file | decode, depth 0 | of B | prefill 512 | of the int8 peak |", "|---|---|---|---|---|"]
    for (file, isa), group in grouped(entries, ("file", "isa")).items():
        rows = {e["row"]: e for e in group if e["row"] in ("D1", "P1") and e.get("ours")}
        if len(rows) < 2:
            continue
        gbs, gops = rows["D1"]["ours"] * rows["D1"]["bytes_per_token"] / 1e9, rows["P1"]["ours"] * rows["P1"]["macs_per_token"] * 2 / 1e9
        b, p = peak.get(("read96", isa)), peak.get(("int8", isa))
        lines.append(f"| {TITLES.get(file, file)}, {isa} | {gbs:.1f} GB/s | {f'{gbs / b:.2f}' if b else ''} | {gops:,.0f} Gop/s | "
                     f"{f'{gops / p:.2f}' if p else ''} |")
    return "\n".join(lines)


def grouped(entries, keys):
    out = {}
    for e in entries:
        out.setdefault(tuple(e[k] for k in keys), []).append(e)
    return out


def versions(entries):
    found = {}
    for e in entries:
        for v in e.get("versions", []):
            if v["name"] != "Loquor":
                found.setdefault((v["name"], v["version"]), set()).update([v["build"]] if v.get("build") else [])
    lines = []
    for (name, version), builds in sorted(found.items()):
        lines.append(f"- {name}: {version}" + "".join(f"  \n  `{' '.join(b.split())}`" for b in sorted(builds)))
    return "\n".join(lines)


def when(rows):
    dates, commits = sorted({e["date"] for e in rows}), sorted({e["commit"] for e in rows})
    rounds = [e["rounds"] for e in rows if e["row"] in ("D1", "D2", "P1", "P2", "B1") and "rounds" in e]
    text = f"Measured {' to '.join(dict.fromkeys([dates[0], dates[-1]]))} at commit {', '.join(commits)}" if rows else ""
    return text + (f"; at least {min(rounds)} rounds for speed." if rounds else ".")


def machine(cpu, entries):
    """All that was measured on one kind of CPU."""
    roof = [e for e in entries if e["row"] == "roofline"]
    rows = sorted((e for e in entries if e["row"] in ORDER), key=lambda e: ORDER[e["row"]])
    out = [f"## {cpu}", f"Two threads on two pinned cores. {when(rows)}"]
    tables = grouped(rows, ("file", "isa"))
    for file, isa in sorted(tables, key=lambda k: (k[1] == "avx2", list(TITLES).index(k[0]))):
        title = TITLES[file] + (f": {ISAS[isa]}" if isa in ISAS else f" ({isa})")
        out += [f"### {title}", table(tables[file, isa]), notes(tables[file, isa])]
    if roof:
        out += ["### The roofline", "All threads at once; the best of several loops each (`examples/bench/roofline.cpp`). Decode reads the "
                "file's matrices once a token; prefill does two operations for each weight of the layers and token."]
        out += [f"{isa}:\n\n{roofline_table(group)}" for (isa,), group in grouped(roof, ("isa",)).items()] + [fractions(rows, roof)]
    out += ["### Versions", versions(rows)]
    return "\n\n".join(part for part in out if part)


def markdown(entries):
    parts = [HEAD.format(setup=SETUP)] + [machine(cpu, group) for (cpu,), group in grouped(entries, ("cpu",)).items()]
    return "\n".join(parts).rstrip() + "\n"


def plot(entries, path):
    """Bars of the ratios with their gates, of the CPU that was measured last."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    cpu = max(entries, key=lambda e: e["date"])["cpu"]
    best = [e for e in entries if e["cpu"] == cpu and e["file"] == "Q4_1" and e["isa"] != "avx2" and e.get("ratio")]
    best.sort(key=lambda e: ORDER[e["row"]], reverse=True)
    fig, ax = plt.subplots(figsize=(8, 0.32 * len(best) + 1))
    y = range(len(best))
    ax.barh(y, [e["ratio"] for e in best], color=["#4477aa" if results.verdict(e) != "missed" else "#cc6677" for e in best])
    ax.hlines(y, [e["ratio_min"] for e in best], [e["ratio_max"] for e in best], color="black", linewidth=1)
    gates = [(i, e["gate"]) for i, e in enumerate(best) if e.get("gate") and e["kind"] == "ratio"]
    ax.scatter([g for _, g in gates], [i for i, _ in gates], marker="|", s=120, color="#ddaa33", zorder=3, label="gate")
    ax.set_yticks(list(y), [f"{e['row']} {e['part'] or e['what']} / {e['peer'].split(',')[0]}" for e in best], fontsize=7)
    ax.set_xscale("log")
    ax.axvline(1, color="grey", linewidth=0.8)
    ticks = [0.5, 1, 2, 5, 10, 20, 50]
    ax.set_xticks(ticks, [f"{t:g}x" for t in ticks])
    ax.minorticks_off()
    ax.set_xlabel(f"times better than the peer; {cpu}, 2 threads")
    ax.legend(loc="lower right", fontsize=7)
    fig.tight_layout()
    fig.savefig(path, dpi=90, metadata={"Software": None})
    plt.close(fig)
