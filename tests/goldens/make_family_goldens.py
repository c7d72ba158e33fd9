#!/usr/bin/env python3
"""Writes tests/goldens/families.json: what transformers (fp32) makes of the tiny random models of tests/tiny_model.hpp, one
for each thing an architecture may do differently (biases, order of rotary pairs, rotary scaling, head width, tied head):
all logits at a few positions of a 96-token prompt, and 64 greedy tokens. Prints how far llama.cpp is from that.

    cmake --build build --target dump_tiny
    python tests/goldens/make_family_goldens.py build/bin/dump_tiny     # needs torch, transformers, gguf, llama-cpp-python
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from make_chat_goldens import checksum
from reference_model import LlamaCpp, Transformers

PROMPT, CONTINUE = 96, 64
AT = [0, 31, 63, 64, 95]


def main():
    models = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], check=True)
        for path in sorted(pathlib.Path(folder).glob("*.gguf")):
            reference, peer = Transformers(str(path)), LlamaCpp(str(path))
            ids = np.random.default_rng(4).integers(0, reference.model.config.vocab_size, PROMPT).tolist()
            logits = reference.logits(ids)
            greedy, gaps = reference.greedy(ids, CONTINUE)
            print(f"{path.name}: deviation of logits {logits.std():.3f}, llama.cpp differs by at most "
                  f"{np.abs(peer.logits(ids) - logits).max():.4f}, {len(set(greedy))} distinct greedy tokens, the closest "
                  f"call {min(gaps):.4f}", file=sys.stderr)
            models.append({"checksum": checksum(path.read_bytes()), "ids": ids, "greedy": greedy,
                           "logits": {at: [round(float(v), 5) for v in logits[at]] for at in AT}})
    out = {"made_by": "tests/goldens/make_family_goldens.py", "versions": [reference.version, peer.version],
           "models": models}
    target = pathlib.Path(__file__).with_name("families.json")
    target.write_text(json.dumps(out, separators=(",", ":")) + "\n")
    print(f"{target}: {target.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
