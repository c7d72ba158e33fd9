#!/usr/bin/env python3
"""Writes a GGUF model with the shape of a real one and random weights: speed does not depend on what the weights are, so
engines can be compared on shapes whose real files are not at hand. Its text is nonsense.

    python examples/bench/random_gguf.py qwen2.5-0.5b OUT.gguf --type Q4_0 --head Q8_0
    python examples/bench/random_gguf.py --list

The vocabulary comes from a GGUF file that has one (--vocab; weights in it are not read), or is the 256 bytes (--vocab
bytes, the tiny presets). The same arguments give the same bytes. Needs gguf and numpy.
"""

import argparse
import math
import pathlib
import sys
import zlib

import gguf
import numpy as np

TOKENIZERS = pathlib.Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "tokenizers"
SMOLLM2 = pathlib.Path.home() / ".cache/loquor/models/SmolLM2-135M-Instruct.Q4_1.gguf"

# Sizes from the published config.json of each model; factors: (factor, low, high, original context) of llama3 scaling.
PRESETS = {
    "qwen2.5-0.5b": dict(arch="qwen2", layers=24, width=896, heads=14, kv_heads=2, head_dim=64, ff=4864, context=32768,
                         base=1e6, eps=1e-6, tied=True, vocab=TOKENIZERS / "ggml-vocab-qwen2.gguf"),
    "llama-3.2-1b": dict(arch="llama", layers=16, width=2048, heads=32, kv_heads=8, head_dim=64, ff=8192,
                         context=131072, base=5e5, eps=1e-5, tied=True, factors=(32.0, 1.0, 4.0, 8192),
                         vocab=TOKENIZERS / "ggml-vocab-llama-bpe.gguf"),
    "smollm2-135m": dict(arch="llama", layers=30, width=576, heads=9, kv_heads=3, head_dim=64, ff=1536, context=8192,
                         base=1e5, eps=1e-5, tied=True, vocab=SMOLLM2),
    "tiny-152k": dict(arch="qwen2", layers=1, width=64, heads=2, kv_heads=1, head_dim=32, ff=96, context=2048,  # for sampling
                      base=1e6, eps=1e-6, tied=True, vocab=TOKENIZERS / "ggml-vocab-qwen2.gguf"),
    "tiny-qwen2": dict(arch="qwen2", layers=2, width=64, heads=4, kv_heads=2, head_dim=32, ff=96, context=512,
                       base=1e6, eps=1e-6, tied=True, vocab="bytes"),
    "tiny-llama3": dict(arch="llama", layers=2, width=64, heads=4, kv_heads=2, head_dim=32, ff=96, context=512,
                        base=1e4, eps=1e-5, tied=False, factors=(8.0, 1.0, 4.0, 64), vocab="bytes"),
}
TYPES = {"Q4_0": "MOSTLY_Q4_0", "Q4_1": "MOSTLY_Q4_1", "Q8_0": "MOSTLY_Q8_0", "F16": "MOSTLY_F16", "F32": "ALL_F32"}
SLICE = 1 << 22  # values made and quantised at a time


def rope_factors(p):
    """The divisors of the rotary frequencies that rope type "llama3" amounts to (Grattafiori et al. 2024)."""
    factor, low, high, original = p["factors"]
    out = []
    for i in range(0, p["head_dim"], 2):
        turns = original / (2 * math.pi * p["base"] ** (i / p["head_dim"]))  # within the original context
        smooth = min(max((turns - low) / (high - low), 0.0), 1.0)
        out.append(1 / ((1 - smooth) / factor + smooth))
    return np.array(out, np.float32)


def tensors(p, body, head):
    """Yields (name, shape, type, mean, standard deviation). The deviations keep activations of order 1: queries and keys
    give scores of deviation 2 or so, the last norm times the head logits of deviation 3. The layers together add
    values of deviation 4 or so, so that under a tied head the likeliest token is not always the one just read."""
    q, kv, c, ff = p["heads"] * p["head_dim"], p["kv_heads"] * p["head_dim"], p["width"], p["ff"]
    residual = 4 / math.sqrt(2 * p["layers"])
    yield "token_embd.weight", (p["n_vocab"], c), head if p["tied"] else body, 0, 3 / math.sqrt(c)
    yield "output_norm.weight", (c,), "F32", 1, 0.1
    if not p["tied"]:
        yield "output.weight", (p["n_vocab"], c), head, 0, 3 / math.sqrt(c)
    for layer in range(p["layers"]):
        rows = {"attn_q": (q, c, 1.5), "attn_k": (kv, c, 1.5), "attn_v": (kv, c, 1), "attn_output": (c, q, residual),
                "ffn_gate": (ff, c, 1), "ffn_up": (ff, c, 1), "ffn_down": (c, ff, 2 * residual)}
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", (c,), "F32", 1, 0.1
        for name, (n, k, gain) in rows.items():
            yield f"blk.{layer}.{name}.weight", (n, k), body, 0, gain / math.sqrt(k)
            if p["arch"] == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                yield f"blk.{layer}.{name}.bias", (n,), "F32", 0, 0.3


def values(name, shape, type_, mean, deviation, seed):
    """The tensor's bytes as an array; a generator of its own for each tensor, so that order does not matter."""
    random = np.random.Generator(np.random.SFC64([seed, zlib.crc32(name.encode())]))
    width = shape[-1]
    rows = math.prod(shape) // width
    step = max(1, SLICE // width)
    parts = []
    for at in range(0, rows, step):
        x = random.standard_normal((min(step, rows - at), width), np.float32) * np.float32(deviation) + np.float32(mean)
        parts.append(gguf.quants.quantize(x, gguf.GGMLQuantizationType[type_]))
    out = np.concatenate(parts)
    return out[0] if len(shape) == 1 else out


def byte_alphabet():
    """GPT-2's letters for bytes: printable Latin-1 stands for itself, the others for U+0100 and on."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b if b in own else next(others)) for b in range(256)]


def add_byte_vocabulary(w):
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *byte_alphabet(), "\u0120t"]
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    w.add_token_merges(["\u0120 t"])
    w.add_bos_token_id(0)
    w.add_eos_token_id(2)
    w.add_add_bos_token(False)
    return len(tokens)


def copy_vocabulary(w, path):
    fields = gguf.GGUFReader(path).fields
    for name, field in fields.items():
        if name.startswith("tokenizer."):
            sub_type = field.types[1] if len(field.types) > 1 else None
            w.add_key_value(name, field.contents(), field.types[0], sub_type)
    return len(fields["tokenizer.ggml.tokens"].data)


def add_shape(w, p):
    w.add_block_count(p["layers"])
    w.add_context_length(p["context"])
    w.add_embedding_length(p["width"])
    w.add_feed_forward_length(p["ff"])
    w.add_head_count(p["heads"])
    w.add_head_count_kv(p["kv_heads"])
    w.add_key_length(p["head_dim"])
    w.add_value_length(p["head_dim"])
    w.add_rope_dimension_count(p["head_dim"])
    w.add_rope_freq_base(p["base"])
    w.add_layer_norm_rms_eps(p["eps"])
    w.add_vocab_size(p["n_vocab"])


def write(preset, out, body, head, seed=0, vocab=None):
    p = dict(PRESETS[preset])
    vocab = vocab or p["vocab"]
    w = gguf.GGUFWriter(str(out), p["arch"])
    w.add_name(f"{preset}, random weights")
    w.add_file_type(gguf.LlamaFileType[TYPES[body]])
    p["n_vocab"] = add_byte_vocabulary(w) if str(vocab) == "bytes" else copy_vocabulary(w, vocab)
    add_shape(w, p)
    plan = list(tensors(p, body, head))
    if "factors" in p:
        w.add_tensor("rope_freqs.weight", rope_factors(p))
    sizes = []
    for name, shape, type_, _, _ in plan:
        kind = gguf.GGMLQuantizationType[type_]
        stored = gguf.quants.quant_shape_to_byte_shape(shape, kind)
        w.add_tensor_info(name, stored, np.dtype(np.uint8), math.prod(stored), kind)
        sizes.append(math.prod(stored))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_ti_data_to_file()
    if "factors" in p:
        w.write_tensor_data(rope_factors(p))
    for row, size in zip(plan, sizes):
        data = values(*row, seed)
        assert data.nbytes == size
        w.write_tensor_data(data)
    w.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("preset", nargs="?", choices=PRESETS)
    parser.add_argument("out", nargs="?", type=pathlib.Path)
    parser.add_argument("--type", choices=TYPES, default="Q4_0", help="of the layers' matrices")
    parser.add_argument("--head", choices=TYPES, help="of the head, and of an embedding tied to it (default: --type)")
    parser.add_argument("--vocab", help="GGUF file to take the vocabulary from, or 'bytes'")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="list the presets")
    args = parser.parse_args()
    if args.list:
        for name, p in PRESETS.items():
            print(name, {k: str(v) if k == "vocab" else v for k, v in p.items()})
    elif args.preset is None or args.out is None:
        parser.error("PRESET and OUT are needed")
    else:
        write(args.preset, args.out, args.type, args.head or args.type, args.seed, args.vocab)
        print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


if __name__ == "__main__":
    main()
