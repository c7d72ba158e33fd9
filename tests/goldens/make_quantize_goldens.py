#!/usr/bin/env python3
"""Writes quantize.json: blocks of fp32 numbers and the bytes that ggml's reference quantisers make of them.

    pip install llama-cpp-python gguf numpy
    python tests/goldens/make_quantize_goldens.py

The bytes come from ggml_quantize_chunk of the library inside llama-cpp-python. gguf-py's own quantisers must agree on the
ordinary blocks (on denormal scales numpy's casts of infinities differ from compiled code).
"""

import ctypes
import importlib.metadata
import json
import pathlib

import gguf
import llama_cpp
import numpy as np

TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"]
SEED = 20240611


def blocks():
    """name -> (n, 32) fp32"""
    rng = np.random.default_rng(SEED)
    out = {}
    out["weights"] = rng.normal(0, 0.02, (24, 32))
    out["heavy tails"] = rng.standard_t(2, (16, 32))
    out["uniform"] = rng.uniform(-3, 5, (8, 32))
    out["zeros"] = np.zeros((1, 32))
    out["negative zeros"] = np.full((1, 32), -0.0)
    out["zeros of both signs"] = np.where(rng.integers(0, 2, (6, 32)) == 0, 0.0, -0.0)
    out["zero is the minimum"] = np.where(rng.integers(0, 2, (6, 32)) == 0, -0.0, rng.uniform(0, 1, (6, 32)))
    out["zero is the maximum"] = np.where(rng.integers(0, 2, (6, 32)) == 0, -0.0, -rng.uniform(0, 1, (6, 32)))
    one = np.zeros((4, 32))
    one[range(4), [0, 15, 16, 31]] = [1, -1, 3e-5, -7]
    out["one value"] = one
    out["constant"] = np.array([1.0, -1.0, 0.1, -2e-3])[:, None] * np.ones((4, 32))
    out["opposite extremes"] = np.where(np.arange(32) % 2 == np.arange(4)[:, None] % 2, 1.25, -1.25)
    ties = rng.integers(-254, 255, (6, 32)) / 2.0  # quotients of k + 1/2 for Q8_0 with d = 1
    ties[:, 0] = [127, -127] * 3
    out["ties of Q8_0"] = ties
    ties = rng.integers(-16, 15, (6, 32)) / 2.0
    ties[:, 0] = [-8, 8] * 3
    out["ties of Q4_0"] = ties
    ties = rng.integers(0, 31, (6, 32)) / 2.0
    ties[:, :2] = [0, 15]
    out["ties of Q4_1"] = ties - 3
    out["f16 ties"] = (1 + rng.integers(0, 4096, (4, 32)) / 4096.0) * 2.0 ** rng.integers(-20, 15, (4, 32))
    out["f16 denormals"] = rng.normal(0, 1e-6, (4, 32))
    out["below f16"] = rng.normal(0, 1e-9, (4, 32))
    out["smallest normals"] = rng.uniform(-4, 4, (4, 32)) * 2.0**-126
    out["denormals"] = rng.integers(-(2**23), 2**23, (4, 32)) * 2.0**-149
    out["smallest denormals"] = rng.integers(-4, 5, (4, 32)) * 2.0**-149
    out["denormals beside normals"] = np.where(rng.integers(0, 2, (4, 32)) == 0, 2.0**-140, rng.normal(0, 0.1, (4, 32)))
    out["largest of f16"] = rng.uniform(-65504, 65504, (4, 32))
    out["beyond f16"] = rng.normal(0, 1e6, (4, 32))
    out["huge"] = rng.uniform(-3.4e38, 3.4e38, (4, 32))
    return {k: np.ascontiguousarray(v, dtype=np.float32) for k, v in out.items()}


def quantizer():
    folder = pathlib.Path(llama_cpp.__file__).parent / "lib"
    lib = ctypes.CDLL(str(folder / "libggml-base.so"))
    lib.ggml_quantize_chunk.restype = ctypes.c_size_t
    lib.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p] + [ctypes.c_int64] * 3 + [ctypes.c_void_p]
    lib.ggml_version.restype = lib.ggml_commit.restype = ctypes.c_char_p

    def run(kind, x):
        if kind == "F32":
            return x.tobytes()
        elems, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
        out = np.zeros(x.size // elems * size, np.uint8)
        n = lib.ggml_quantize_chunk(gguf.GGMLQuantizationType[kind], x.ctypes.data, out.ctypes.data, 0, x.shape[0], x.shape[1], None)
        assert n == out.size
        return out.tobytes()

    return run, f"{lib.ggml_version().decode()} ({lib.ggml_commit().decode()})"


def main():
    run, ggml = quantizer()
    groups, differ = [], set()
    for name, x in blocks().items():
        group = {"name": name, "f32": x.tobytes().hex()}
        for kind in TYPES[1:]:
            data = run(kind, x)
            with np.errstate(all="ignore"):
                if gguf.quants.quantize(x, gguf.GGMLQuantizationType[kind]).tobytes() != data:
                    differ.add((name, kind))
            group[kind] = data.hex()
        groups.append(group)
    print("gguf-py differs from ggml on:", sorted(differ) or "nothing")
    ordinary = ["weights", "heavy tails", "uniform", "constant", "ties of Q8_0", "ties of Q4_0", "ties of Q4_1", "largest of f16"]
    assert not [d for d in differ if d[0] in ordinary]
    versions = {p: importlib.metadata.version(p) for p in ("llama-cpp-python", "gguf", "numpy")}
    path = pathlib.Path(__file__).with_name("quantize.json")
    with path.open("w") as out:
        head = {"made_by": "make_quantize_goldens.py", "seed": SEED, "versions": {**versions, "ggml": ggml}}
        out.write(json.dumps(head)[:-1] + ', "groups": [\n')
        out.write(",\n".join(json.dumps(g) for g in groups) + "\n]}\n")


if __name__ == "__main__":
    main()
