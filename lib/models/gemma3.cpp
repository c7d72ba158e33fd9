// Gemma 3, the text model: Gemma 2 without caps, with norms of each head of queries and keys, and a window with a
// rotary base of its own in five of six layers. Gemma team 2025; transformers, modeling_gemma3.py.
#include <cmath>

#include "family.hpp"
#include "hf_common.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

constexpr std::size_t kPattern = 6;

DecoderSpec read_gemma3(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::halves);
  s.post_norm = true;
  s.qk_norm = QkNorm::heads;
  s.ffn = FfnKind::geglu_tanh;
  s.embedding_scale = std::sqrt(static_cast<float>(s.d_model));
  s.local_rope.base = static_cast<float>(m.number("rope.freq_base_swa", 1.0, 1e12, 10000.0));
  for (std::size_t i = 0; i < s.n_layer; ++i) {
    if (i % kPattern == kPattern - 1)
      s.layers[i].window = 0;
    else
      s.layers[i].rope = 1;
  }
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "gelu_pytorch_tanh");
  check_layer_types(c, kPattern);
  write_sizes(c, keys);
  write_rms_epsilon(c, keys);
  write_rope(c, keys, head_dim_of(c));
  write_window(c, keys);
  keys.f32("rope.freq_base_swa", c.number("rope_parameters.sliding_attention.rope_theta")
                                     .value_or(c.number("rope_local_base_freq").value_or(10000.0)));
  keys.f32("attention.scale", 1 / std::sqrt(c.number("query_pre_attn_scalar").value_or(256)));
  if (const auto n = c.number("final_logit_softcapping")) keys.f32("final_logit_softcapping", *n);
}

constexpr HfRule kRules[] = {
    LQ_HF_GEMMA,
    LQ_HF_ATTENTION,
    LQ_HF_MLP,
    {"layers.#.self_attn.q_norm.weight", "blk.#.attn_q_norm.weight", HfTransform::plus_one},
    {"layers.#.self_attn.k_norm.weight", "blk.#.attn_k_norm.weight", HfTransform::plus_one},
};

}  // namespace

extern const Family family_gemma3;
const Family family_gemma3{"gemma3", read_gemma3, {"gemma3_text", "model.", write_keys, kRules}};

}  // namespace lq
