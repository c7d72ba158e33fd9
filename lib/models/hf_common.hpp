// What the checkpoints of many families have in common. Private to lib/models.
#pragma once

#include "hf_family.hpp"

namespace lq {

// The keys that config.json's usual names give: sizes, heads, rotary base and scaling, norm epsilon, window if it is
// used. Throws Error{unsupported} for an activation other than SiLU.
void write_common_keys(const HfConfig& config, HfKeys& keys);
// The same in parts. The window is not written.
void write_sizes(const HfConfig& config, HfKeys& keys);
void write_rope(const HfConfig& config, HfKeys& keys, std::size_t rope_dim);
void write_rms_epsilon(const HfConfig& config, HfKeys& keys);
void write_window(const HfConfig& config, HfKeys& keys);
// Error{unsupported} unless the activation is one of those, separated by spaces.
void check_activation(const HfConfig& config, std::string_view known);
std::size_t head_dim_of(const HfConfig& config);
// How much of a head is rotated, by "partial_rotary_factor".
std::size_t rotated_part(const HfConfig& config);
// Error{unsupported} unless every layer has a window but each n-th.
void check_layer_types(const HfConfig& config, std::size_t n);

#define LQ_HF_WEIGHT(from, to) \
  { "layers.#." from ".weight", "blk.#." to ".weight" }
#define LQ_HF_LINEAR(from, to) \
  LQ_HF_WEIGHT(from, to), { "layers.#." from ".bias", "blk.#." to ".bias" }
#define LQ_HF_ENDS                                                                   \
  {"embed_tokens.weight", "token_embd.weight"}, {"lm_head.weight", "output.weight"}, \
      {"norm.weight", "output_norm.weight"}, {"norm.bias", "output_norm.bias"}, {    \
    "layers.#.self_attn.rotary_emb.inv_freq", "", HfTransform::skip                  \
  }
#define LQ_HF_NORMS LQ_HF_LINEAR("input_layernorm", "attn_norm"), LQ_HF_LINEAR("post_attention_layernorm", "ffn_norm")
#define LQ_HF_ATTENTION                                                                   \
  LQ_HF_LINEAR("self_attn.q_proj", "attn_q"), LQ_HF_LINEAR("self_attn.k_proj", "attn_k"), \
      LQ_HF_LINEAR("self_attn.v_proj", "attn_v"), LQ_HF_LINEAR("self_attn.o_proj", "attn_output")
#define LQ_HF_PAIRED_ATTENTION                                                           \
  {"layers.#.self_attn.q_proj.weight", "blk.#.attn_q.weight", HfTransform::pairs_q},     \
      {"layers.#.self_attn.q_proj.bias", "blk.#.attn_q.bias", HfTransform::pairs_q},     \
      {"layers.#.self_attn.k_proj.weight", "blk.#.attn_k.weight", HfTransform::pairs_k}, \
      {"layers.#.self_attn.k_proj.bias", "blk.#.attn_k.bias", HfTransform::pairs_k},     \
      LQ_HF_LINEAR("self_attn.v_proj", "attn_v"), LQ_HF_LINEAR("self_attn.o_proj", "attn_output")
#define LQ_HF_GEMMA                                                                                            \
  {"embed_tokens.weight", "token_embd.weight"}, {"lm_head.weight", "output.weight"},                           \
      {"norm.weight", "output_norm.weight", HfTransform::plus_one},                                            \
      {"layers.#.input_layernorm.weight", "blk.#.attn_norm.weight", HfTransform::plus_one},                    \
      {"layers.#.post_attention_layernorm.weight", "blk.#.post_attention_norm.weight", HfTransform::plus_one}, \
      {"layers.#.pre_feedforward_layernorm.weight", "blk.#.ffn_norm.weight", HfTransform::plus_one}, {         \
    "layers.#.post_feedforward_layernorm.weight", "blk.#.post_ffw_norm.weight", HfTransform::plus_one          \
  }
#define LQ_HF_MLP                                                                   \
  LQ_HF_LINEAR("mlp.gate_proj", "ffn_gate"), LQ_HF_LINEAR("mlp.up_proj", "ffn_up"), \
      LQ_HF_LINEAR("mlp.down_proj", "ffn_down")

}  // namespace lq
