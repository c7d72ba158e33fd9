"""What the logit goldens are made from: the prompts, and two other implementations run on the same GGUF file.

`Transformers` dequantises every tensor to fp32 and runs Hugging Face's LlamaForCausalLM or Qwen2ForCausalLM on it
(eager attention, fp32):
the mathematical reference. `LlamaCpp` runs llama.cpp through llama-cpp-python as its users do. Both give logits for
token ids, so no tokenizer of ours takes part.
"""

import pathlib

import numpy as np

# 50 lengths from 1 to 512 tokens, denser at the short end.
LENGTHS = [1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 17, 20, 24, 28, 31, 32, 33, 40, 48, 56, 63, 64, 65, 80, 96,
           112, 127, 128, 129, 144, 160, 176, 192, 208, 224, 256, 257, 288, 320, 352, 384, 416, 448, 480, 512]

# llama3 rotary scaling of models by general.name. The GGUF file has what the formula gives (rope_freqs.weight);
# transformers is given the parameters, so that it computes the frequencies by itself.
LLAMA3_ROPE = {
    "Tiny llama3": {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                    "original_max_position_embeddings": 64},
    "llama-3.2-1b, random weights": {"factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                                     "original_max_position_embeddings": 8192},
}


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
    """A GGUF file of the llama or qwen2 architecture as transformers computes it."""

    def __init__(self, path):
        import torch
        import transformers
        from gguf import GGUFReader, dequantize

        self.torch = torch
        self.version = f"transformers {transformers.__version__}, torch {torch.__version__}"
        reader = GGUFReader(path)
        tensors = {t.name: dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors}
        config, kind = self.config(transformers, reader.fields, tensors)
        self.model = kind(config).eval()
        state = self.state(config, tensors, permuted=kind is transformers.LlamaForCausalLM)
        self.model.load_state_dict({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in state.items()})

    @staticmethod
    def config(transformers, fields, tensors):
        def key(name, default=None):
            field = fields.get(name if name.startswith("general.") else f"{arch}.{name}")
            return field.contents() if field else default

        arch = key("general.architecture")
        kinds = {"llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
                 "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM)}
        make, kind = kinds[arch]
        heads = key("attention.head_count")
        rope = {"rope_type": "default", "rope_theta": key("rope.freq_base")}
        if key("rope.scaling.type") == "linear":
            rope |= {"rope_type": "linear", "factor": key("rope.scaling.factor")}
        if "rope_freqs.weight" in tensors:  # the formula's parameters are not in the file, only what it gives
            rope |= {"rope_type": "llama3"} | LLAMA3_ROPE[key("general.name")]
        config = make(
            vocab_size=tensors["token_embd.weight"].shape[0], hidden_size=key("embedding_length"),
            intermediate_size=key("feed_forward_length"), num_hidden_layers=key("block_count"),
            num_attention_heads=heads, num_key_value_heads=key("attention.head_count_kv", heads),
            head_dim=key("attention.key_length", key("embedding_length") // heads),
            max_position_embeddings=key("context_length"), rms_norm_eps=key("attention.layer_norm_rms_epsilon"),
            rope_parameters=rope, tie_word_embeddings="output.weight" not in tensors, attn_implementation="eager",
            dtype="float32")
        return config, kind

    @staticmethod
    def state(config, tensors, permuted):
        def unpermute(w, n):  # GGUF keeps the llama family's rotary pairs adjacent, transformers half a head apart
            return w.reshape(n, w.shape[0] // n // 2, 2, -1).swapaxes(1, 2).reshape(w.shape)

        state = {"model.embed_tokens.weight": tensors["token_embd.weight"],
                 "model.norm.weight": tensors["output_norm.weight"],
                 "lm_head.weight": tensors.get("output.weight", tensors["token_embd.weight"])}
        names = {"attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm", "attn_q": "self_attn.q_proj",
                 "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
                 "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj"}
        heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
        for layer in range(config.num_hidden_layers):
            for ours, theirs in names.items():
                for part in ("weight", "bias"):
                    w = tensors.get(f"blk.{layer}.{ours}.{part}")
                    if w is not None:
                        w = unpermute(w, heads[ours]) if permuted and ours in heads else w
                        state[f"model.layers.{layer}.{theirs}.{part}"] = w
        return state

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
