"""Attention scores of the default model by transformers (fp32 on the dequantised weights), for tests/models/test_attention_scores.cpp.

    python tests/goldens/make_attention_goldens.py [MODEL.gguf]

Needs torch, transformers and gguf. Of three layers, of each head the lower triangle, row by row.
"""

import json
import os
import pathlib
import sys

from reference_model import Transformers, find_model

TEXT = "The cat that the dogs chased was tired, so it slept."


def main():
    import transformers

    path = find_model(sys.argv[1] if len(sys.argv) > 1 else None)
    tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
    ids = tokenizer.encode(TEXT, add_special_tokens=False)
    reference = Transformers(path)
    with reference.torch.no_grad():
        found = reference.model(reference.torch.tensor([ids]), output_attentions=True).attentions
    layers = []
    for layer in (0, len(found) // 2, len(found) - 1):
        scores = found[layer][0]
        rows = [round(float(scores[h, i, j]), 6) for h in range(scores.shape[0]) for i in range(len(ids)) for j in range(i + 1)]
        layers.append({"layer": layer, "scores": rows})
    out = {"made_by": "tests/goldens/make_attention_goldens.py", "versions": [reference.version], "text": TEXT, "ids": ids, "layers": layers}
    pathlib.Path(__file__).with_name("attention.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
