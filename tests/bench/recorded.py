"""Made-up figures in the form that examples/bench/compare keeps, one for each kind of entry. Nothing here was measured."""

STAMP = {"cpu": "Test CPU", "date": "2026-01-02", "commit": "abc1234", "rounds": 7}
LLAMA = {"name": "llama.cpp", "version": "llama-cpp-python 9.9.9", "build": "AVX512 = 1"}


def entry(row, part, what, ours, **more):
    base = {"row": row, "part": part, "what": what, "ours": ours, "ours_min": ours, "ours_max": ours, "file": "Q4_1",
            "isa": "avx512vnni", "unit": "tokens/s", "peer": "llama.cpp", "kind": "ratio", "gate": None, "aim": None, "score": None}
    return {**base, **STAMP, **more}


def ratio(row, part, what, ours, theirs, low, high, gate, aim, **more):
    value = ours / theirs
    return entry(row, part, what, ours, theirs=theirs, ratio=value, ratio_min=low, ratio_max=high, score=value, gate=gate, aim=aim, **more)


ENTRIES = [
    ratio("P1", "", "prefill 512, same file", 1000.0, 250.0, 3.9, 4.2, 7.0, 12.0, macs_per_token=100_000_000),
    ratio("D1", "depth 0", "decode, depth 0, batch 1", 200.0, 100.0, 1.9, 2.1, 1.6, 2.5, bytes_per_token=100_000_000, versions=[LLAMA]),
    ratio("B1", "", "batch-8 decode, all tokens", 900.0, 100.0, 8.5, 9.5, 4.0, 8.0),
    entry("D4", "", "fraction of B in D1", 0.5, unit="", peer="roofline", kind="fraction", gate=0.75, aim=0.92, score=0.5),
    entry("X3", "", "frame loop", 0.1, unit="ms", peer="none has it", kind="at most", gate=0.5, aim=0.2, score=0.1, note="600 frames"),
    entry("D2", "depth 512", "decode, depth 512", 150.0, missing="llama.cpp: not installed", gate=2.0, aim=3.0),
    {"row": "O1", "part": "", "what": "prefill ~450 and decode", "missing": "openvino: No module", "file": "Q4_1", "isa": "avx512vnni",
     "peer": "OpenVINO GenAI", **STAMP},
    ratio("D1", "depth 0", "decode, depth 0, batch 1", 120.0, 100.0, 1.1, 1.3, None, None, isa="avx2", bytes_per_token=100_000_000),
    entry("roofline", "read96", "read96", 40.0, unit="GB/s", peer="", kind="fraction", file="machine", note="1 streams, prefetch 0"),
    entry("roofline", "int8", "int8", 1000.0, unit="Gop/s", peer="", kind="fraction", file="machine", note="vpdpbusd zmm"),
]
