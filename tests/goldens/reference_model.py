"""What the logit goldens are made from: the prompts, and two other implementations run on the same GGUF file.

`Transformers` dequantises every tensor to fp32 and runs Hugging Face's LlamaForCausalLM on it (eager attention, fp32):
the mathematical reference. `LlamaCpp` runs llama.cpp through llama-cpp-python as its users do. Both give logits for
token ids, so no tokenizer of ours takes part.
"""

import pathlib

import numpy as np

# 50 lengths from 1 to 512 tokens, denser at the short end.
LENGTHS = [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 17, 20, 24, 28, 31, 32, 33, 40, 48, 56, 63, 64, 65, 80, 96,
           112, 127, 128, 129, 144, 160, 176, 192, 208, 224, 256, 257, 288, 320, 352, 384, 416, 448, 480, 512]


def find_model(path=None):
    return str(path or pathlib.Path.home() / ".cache/loquor/models/SmolLM2-135M-Instruct.Q4_1.gguf")


def find_texts():
    root = pathlib.Path(__file__).resolve().parents[2] / ".." / "shared" / "data" / "text"
    return [(root / "wiki.test.raw").read_text("utf-8"), (root / "tinyshakespeare.txt").read_text("utf-8")]


def prompts(tokenize):
    """50 id lists: consecutive pieces of WikiText-2 and Shakespeare, and every fifth a chat turn."""
    texts = find_texts()
    out = []
    for i, n in enumerate(LENGTHS):
        text = texts[i % 2]
        start = text.find("\n", len(text) * (2 * i + 1) // 101) + 1
        piece = text[start : start + 12 * n + 200]
        if i % 5 == 4:
            piece = "<|im_start|>user\n" + piece
        out.append([int(t) for t in tokenize(piece)[:n]])
        assert len(out[-1]) == n
    return out


class Transformers:
    def __init__(self, path):
        import torch
        import transformers
        from gguf import GGUFReader, dequantize

        self.torch = torch
        self.version = f"transformers {transformers.__version__}, torch {torch.__version__}"
        reader = GGUFReader(path)

        def key(name, default=None):
            field = reader.fields.get(name)
            return field.contents() if field else default

        heads, kv_heads = key("llama.attention.head_count"), key("llama.attention.head_count_kv")
        config = transformers.LlamaConfig(
            vocab_size=key("llama.vocab_size"), hidden_size=key("llama.embedding_length"),
            intermediate_size=key("llama.feed_forward_length"), num_hidden_layers=key("llama.block_count"),
            num_attention_heads=heads, num_key_value_heads=kv_heads,
            max_position_embeddings=key("llama.context_length"),
            rms_norm_eps=key("llama.attention.layer_norm_rms_epsilon"),
            rope_parameters={"rope_type": "default", "rope_theta": key("llama.rope.freq_base")},
            tie_word_embeddings=True, attn_implementation="eager", dtype="float32")
        self.model = transformers.LlamaForCausalLM(config).eval()
        tensors = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}

        def unpermute(w, n):  # GGUF keeps rotary pairs adjacent, transformers half a head apart
            return w.reshape(n, w.shape[0] // n // 2, 2, w.shape[1]).swapaxes(1, 2).reshape(w.shape)

        state = {"model.embed_tokens.weight": tensors["token_embd.weight"],
                 "model.norm.weight": tensors["output_norm.weight"],
                 "lm_head.weight": tensors.get("output.weight", tensors["token_embd.weight"])}
        names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
                 "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                 "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
        for layer in range(config.num_hidden_layers):
            for ours, theirs in names.items():
                w = tensors[f"blk.{layer}.{ours}.weight"]
                if ours in ("attn_q", "attn_k"):
                    w = unpermute(w, heads if ours == "attn_q" else kv_heads)
                state[f"model.layers.{layer}.{theirs}.weight"] = w
        self.model.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in state.items()})

    def logits(self, ids):
        with self.torch.inference_mode():
            return self.model(self.torch.tensor([ids])).logits[0].numpy()

    def greedy(self, ids, n):
        """n greedy ids, and for each the distance of its logit to the second best."""
        out, gaps, cache, step = [], [], None, self.torch.tensor([ids])
        with self.torch.inference_mode():
            for _ in range(n):
                r = self.model(step, past_key_values=cache, use_cache=True)
                cache, top = r.past_key_values, self.torch.topk(r.logits[0, -1], 2)
                out.append(int(top.indices[0]))
                gaps.append(float(top.values[0] - top.values[1]))
                step = top.indices[:1][None]
        return out, gaps


class LlamaCpp:
    def __init__(self, path, threads=2):
        import llama_cpp

        self.version = f"llama-cpp-python {llama_cpp.__version__}"
        self.llm = llama_cpp.Llama(path, n_ctx=640, n_batch=512, n_threads=threads, n_threads_batch=threads,
                                   logits_all=True, verbose=False)

    def tokenize(self, text):
        return self.llm.tokenize(text.encode(), add_bos=False, special=True)

    def logits(self, ids):
        self.llm.reset()
        self.llm.eval(ids)
        return np.array(self.llm.scores[: len(ids)], dtype=np.float32)

    def greedy(self, ids, n):
        self.llm.reset()
        self.llm.eval(ids)
        out = []
        for _ in range(n):
            out.append(int(np.argmax(self.llm.scores[self.llm.n_tokens - 1])))
            self.llm.eval(out[-1:])
        return out
