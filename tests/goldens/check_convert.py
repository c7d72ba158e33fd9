#!/usr/bin/env python3
"""Folders that transformers wrote, converted by `loquor convert`, loaded by llama.cpp: the same ids and logits as transformers'.

    python tests/goldens/check_convert.py build/bin/loquor

Needs torch, transformers, gguf and llama-cpp-python, and the default model for its tokenizer. Random weights in small shapes of the architectures that both know.
"""

import os
import subprocess
import sys
import tempfile

import numpy as np
from reference_model import find_model

TEXT = "The cat sat on the mat and slept."


def main():
    import llama_cpp
    import torch
    import transformers

    path = find_model()
    tokenizer = transformers.AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path))
    ids = tokenizer.encode(TEXT, add_special_tokens=False)
    worst = 0.0
    for config, kind in ((transformers.LlamaConfig, transformers.LlamaForCausalLM), (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
                         (transformers.Qwen3Config, transformers.Qwen3ForCausalLM)):
        torch.manual_seed(0)
        more = {"head_dim": 64} if "Qwen3" in config.__name__ else {}
        model = kind(config(hidden_size=256, num_attention_heads=4, num_key_value_heads=2, num_hidden_layers=3, intermediate_size=512, vocab_size=len(tokenizer),
                            max_position_embeddings=2048, tie_word_embeddings=True, bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, **more)).eval()
        for p in model.parameters():
            p.data = torch.randn_like(p) * 0.05
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder + "/hf")
            tokenizer.save_pretrained(folder + "/hf")
            subprocess.run([sys.argv[1], "convert", folder + "/hf", folder + "/out.gguf", "--type", "F32"], check=True, stdout=subprocess.DEVNULL)
            with torch.no_grad():
                wanted = model(torch.tensor([ids])).logits[0].numpy()
            peer = llama_cpp.Llama(folder + "/out.gguf", logits_all=True, verbose=False, n_ctx=256)
            assert peer.tokenize(TEXT.encode(), add_bos=False) == ids
            peer.eval(ids)
            apart = float(np.abs(np.array(peer.scores[: len(ids)]) - wanted).max() / wanted.std())
            peer.close()
        print(f"{kind.__name__}: ids equal, logits at most {apart:.1e} of their spread apart")
        worst = max(worst, apart)
    return 0 if worst < 5e-3 else 1


if __name__ == "__main__":
    sys.exit(main())
