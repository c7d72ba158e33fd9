#!/usr/bin/env python3
"""Writes dequantize.json: random blocks of the quantised GGUF types, and what gguf-py's dequantize() makes of them: the
first block's values, and a checksum (lq::checksum) over the fp32 bytes of all.

    pip install gguf numpy
    python tests/goldens/make_dequantize_goldens.py
"""

import importlib.metadata
import json
import pathlib

import gguf
import numpy as np
from make_chat_goldens import checksum

# Where a block has its f16 scales.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
          "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}
SEED = 20260711


def main():
    rng = np.random.default_rng(SEED)
    types = {}
    for name, scales in SCALES.items():
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        blocks = rng.integers(0, 256, (16 * (1 if elements > 32 else 8), size), dtype=np.uint8)
        for at in scales:
            values = (rng.normal(0, 0.02, len(blocks)) * 2.0 ** rng.integers(-12, 6, len(blocks))).astype(np.float16)
            values[:4] = [0.0, -0.0, 6e-8, -65504]
            blocks[:, at : at + 2] = values.view(np.uint8).reshape(-1, 2)
        if name == "MXFP4":
            blocks[:, 0] = rng.integers(100, 140, len(blocks))
            blocks[:4, 0] = [0, 1, 2, 254]
        values = gguf.quants.dequantize(blocks, kind).astype(np.float32)
        types[name] = {"blocks": blocks.tobytes().hex(), "checksum": checksum(values.tobytes()),
                       "last": values.reshape(-1)[-elements:].tobytes().hex()}
    out = {"made_by": pathlib.Path(__file__).name, "seed": SEED, "types": types,
           "versions": {p: importlib.metadata.version(p) for p in ("gguf", "numpy")}}
    pathlib.Path(__file__).with_name("dequantize.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
