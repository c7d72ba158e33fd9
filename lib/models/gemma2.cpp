// Gemma 2: norms before and after each half of a layer, GELU as the gate's activation, embeddings times the root of the
// width, caps on scores and logits, a window in every other layer. Gemma team 2024; transformers, modeling_gemma2.py.
#include <cmath>

#include "family.hpp"
#include "hf_common.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

DecoderSpec read_gemma2(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::halves);
  s.post_norm = true;
  s.ffn = FfnKind::geglu_tanh;
  s.embedding_scale = std::sqrt(static_cast<float>(s.d_model));
  for (std::size_t i = 0; i < s.n_layer; ++i)
    if (i % 2 == 1) s.layers[i].window = 0;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "gelu_pytorch_tanh");
  check_layer_types(c, 2);
  write_sizes(c, keys);
  write_rms_epsilon(c, keys);
  write_rope(c, keys, head_dim_of(c));
  write_window(c, keys);
  keys.f32("attention.scale", 1 / std::sqrt(c.number("query_pre_attn_scalar").value_or(256)));
  if (const auto n = c.number("attn_logit_softcapping")) keys.f32("attn_logit_softcapping", *n);
  if (const auto n = c.number("final_logit_softcapping")) keys.f32("final_logit_softcapping", *n);
}

constexpr HfRule kRules[] = {LQ_HF_GEMMA, LQ_HF_ATTENTION, LQ_HF_MLP};

}  // namespace

extern const Family family_gemma2;
const Family family_gemma2{"gemma2", read_gemma2, {"gemma2", "model.", write_keys, kRules}};

}  // namespace lq
