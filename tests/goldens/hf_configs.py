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
}

ENCODERS = {
    "bert": lambda: t.BertConfig(**SIZE, max_position_embeddings=128, type_vocab_size=2),
    "distilbert": lambda: t.DistilBertConfig(vocab_size=128, dim=64, hidden_dim=96, n_layers=3, n_heads=4,
                                             max_position_embeddings=128),
}
