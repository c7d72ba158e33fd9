"""The small checkpoints of make_hf_goldens.py: for each family what distinguishes it, at a width of some dozens."""

import transformers as t

SIZE = dict(vocab_size=128, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4)
LLAMA = dict(SIZE, num_key_value_heads=2, max_position_embeddings=512, tie_word_embeddings=False, bos_token_id=0, eos_token_id=1)

DECODERS = {
    "llama": lambda: t.LlamaConfig(**LLAMA),
    "llama3": lambda: t.LlamaConfig(**dict(LLAMA, head_dim=32), rope_parameters={
        "rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64}),
    "llama linear": lambda: t.LlamaConfig(**LLAMA, rope_parameters={"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}),
    "qwen2": lambda: t.Qwen2Config(**dict(LLAMA, tie_word_embeddings=True)),
    "llama yarn": lambda: t.LlamaConfig(**LLAMA, rope_parameters={
        "rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64}),
    "mistral": lambda: t.MistralConfig(**dict(LLAMA, sliding_window=24)),
    "mixtral": lambda: t.MixtralConfig(**LLAMA, num_local_experts=4, num_experts_per_tok=2),
    "qwen3": lambda: t.Qwen3Config(**dict(LLAMA, head_dim=32)),
    "qwen3moe": lambda: t.Qwen3MoeConfig(**dict(LLAMA, head_dim=32), num_experts=6, num_experts_per_tok=3,
                                         moe_intermediate_size=32, norm_topk_prob=False),
    "gemma2": lambda: t.Gemma2Config(**dict(LLAMA, tie_word_embeddings=True, head_dim=32), query_pre_attn_scalar=24,
                                     sliding_window=24, attn_logit_softcapping=5.0, final_logit_softcapping=8.0),
    "gemma3": lambda: t.Gemma3TextConfig(**dict(LLAMA, tie_word_embeddings=True, head_dim=32, num_hidden_layers=7),
                                         query_pre_attn_scalar=24, sliding_window=24),
    "phi3": lambda: t.Phi3Config(**LLAMA, pad_token_id=None, sliding_window=40),
    "phi3 long": lambda: t.Phi3Config(**LLAMA, pad_token_id=None, original_max_position_embeddings=64, rope_parameters={
        "rope_type": "longrope", "rope_theta": 10000.0, "partial_rotary_factor": 0.75, "original_max_position_embeddings": 64,
        "short_factor": [1.0 + i / 8 for i in range(6)], "long_factor": [1.5 + i for i in range(6)]}),
    "smollm3": lambda: t.SmolLM3Config(**dict(LLAMA, num_hidden_layers=5), pad_token_id=None),
    "olmo2": lambda: t.Olmo2Config(**LLAMA, pad_token_id=None),
    "granite": lambda: t.GraniteConfig(**LLAMA, embedding_multiplier=3.0, residual_multiplier=0.25, attention_multiplier=0.2,
                                       logits_scaling=4.0),
    "stablelm": lambda: t.StableLmConfig(**LLAMA, use_qkv_bias=True, partial_rotary_factor=0.25),
    "stablelm parallel": lambda: t.StableLmConfig(**LLAMA, use_parallel_residual=True, partial_rotary_factor=0.5),
    "gpt2": lambda: t.GPT2Config(vocab_size=128, n_embd=64, n_layer=3, n_head=4, n_positions=256, n_inner=96),
    "gptneox": lambda: t.GPTNeoXConfig(**SIZE, max_position_embeddings=256, rotary_pct=0.25),
    "gptneox in turn": lambda: t.GPTNeoXConfig(**SIZE, max_position_embeddings=256, rotary_pct=0.5,
                                               use_parallel_residual=False),
    "falcon": lambda: t.FalconConfig(vocab_size=128, hidden_size=64, num_hidden_layers=3, num_attention_heads=4,
                                     max_position_embeddings=256, ffn_hidden_size=96, bias=False),
    "starcoder2": lambda: t.Starcoder2Config(**dict(LLAMA, tie_word_embeddings=True), sliding_window=24),
}

ENCODERS = {
    "bert": lambda: t.BertConfig(**SIZE, max_position_embeddings=128, type_vocab_size=2),
    "distilbert": lambda: t.DistilBertConfig(vocab_size=128, dim=64, hidden_dim=96, n_layers=3, n_heads=4,
                                             max_position_embeddings=128),
}
