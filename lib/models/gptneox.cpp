// GPT-NeoX and Pythia: LayerNorm, biases, GELU without a gate, a part of each head rotated, both halves of a layer
// beside each other. Black et al. 2022; Biderman et al. 2023; transformers, modeling_gpt_neox.py.
#include "family.hpp"
#include "hf_common.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

DecoderSpec read_gptneox(const Metadata& m) {
  DecoderSpec s = read_with_layer_norm(m, RopeStyle::halves);
  s.parallel = m.flag("use_parallel_residual").value_or(true);
  s.ffn = FfnKind::gelu;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "gelu");
  write_sizes(c, keys);
  write_rope(c, keys, rotated_part(c));
  keys.f32("attention.layer_norm_epsilon", c.number("layer_norm_eps").value_or(1e-5));
  keys.flag("use_parallel_residual", c.flag("use_parallel_residual").value_or(true));
}

constexpr HfRule kRules[] = {
    {"embed_in.weight", "token_embd.weight"},
    {"embed_out.weight", "output.weight"},
    {"final_layer_norm.weight", "output_norm.weight"},
    {"final_layer_norm.bias", "output_norm.bias"},
    LQ_HF_NORMS,
    {"layers.#.attention.query_key_value.weight", "blk.#.attn_qkv.weight", HfTransform::head_qkv},
    {"layers.#.attention.query_key_value.bias", "blk.#.attn_qkv.bias", HfTransform::head_qkv},
    LQ_HF_LINEAR("attention.dense", "attn_output"),
    LQ_HF_LINEAR("mlp.dense_h_to_4h", "ffn_up"),
    LQ_HF_LINEAR("mlp.dense_4h_to_h", "ffn_down"),
    {"layers.#.attention.bias", "", HfTransform::skip},
    {"layers.#.attention.masked_bias", "", HfTransform::skip},
    {"layers.#.attention.rotary_emb.inv_freq", "", HfTransform::skip},
};

}  // namespace

extern const Family family_gptneox;
const Family family_gptneox{"gptneox", read_gptneox, {"gpt_neox", "gpt_neox.", write_keys, kRules}};

}  // namespace lq
