// The hyper-parameters that all families declare under the same keys.
#include <cmath>

#include "family.hpp"
#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxWidth = 1 << 20, kMaxLayers = 1024, kMaxHeads = 4096, kMaxHeadDim = 256;

void read_heads(const Metadata& m, DecoderSpec& s) {
  s.n_head = m.count("attention.head_count", 1, kMaxHeads);
  s.n_kv_head = m.count("attention.head_count_kv", 1, s.n_head, s.n_head);
  LQ_CHECK(s.n_head % s.n_kv_head == 0, Code::bad_file, "model: ", s.n_head, " heads cannot share ", s.n_kv_head,
           " key-value heads evenly");
  const std::size_t equal = s.d_model % s.n_head == 0 ? s.d_model / s.n_head : 0;
  s.head_dim =
      equal ? m.count("attention.key_length", 1, kMaxHeadDim, equal) : m.count("attention.key_length", 1, kMaxHeadDim);
  LQ_CHECK(s.head_dim % 2 == 0 && s.head_dim <= kMaxHeadDim, Code::unsupported, "model: heads of ", s.head_dim,
           " dimensions, expected an even number up to ", kMaxHeadDim);
  const std::size_t value = m.count("attention.value_length", 1, kMaxHeadDim, s.head_dim);
  LQ_CHECK(value == s.head_dim, Code::unsupported, "model: values of ", value, " dimensions beside keys of ",
           s.head_dim);
  s.rope_dim = m.count("rope.dimension_count", 2, s.head_dim, s.head_dim);
  LQ_CHECK(s.rope_dim % 2 == 0, Code::bad_file, "model: key 'rope.dimension_count' is odd: ", s.rope_dim);
}

void read_experts(const Metadata& m, DecoderSpec& s) {
  constexpr std::size_t kMaxExperts = 1 << 12;
  s.n_expert = m.count("expert_count", 0, kMaxExperts, 0);
  if (!s.n_expert) return;
  s.n_expert_used = m.count("expert_used_count", 1, s.n_expert);
  s.d_ff = m.count("expert_feed_forward_length", 1, kMaxWidth, s.d_ff);
  s.norm_experts = m.flag("expert_weights_norm").value_or(true);
  LQ_CHECK(m.count("expert_shared_count", 0, kMaxExperts, 0) == 0, Code::unsupported,
           "model: mixtures with shared experts are not supported");
}

DecoderSpec read_all(const Metadata& m, RopeStyle rope_style) {
  DecoderSpec s;
  s.arch = m.arch();
  s.n_layer = m.count("block_count", 1, kMaxLayers);
  s.d_model = m.count("embedding_length", 1, kMaxWidth);
  s.d_ff = m.count("feed_forward_length", 1, kMaxWidth);
  s.n_ctx_train = m.count("context_length", 1, std::size_t{1} << 31);
  read_heads(m, s);
  read_experts(m, s);
  s.rope = m.rope();
  s.rope_style = rope_style;
  s.layers.resize(s.n_layer);
  const std::size_t window = m.count("attention.sliding_window", 0, std::size_t{1} << 31, 0);
  for (LayerSpec& l : s.layers) l.window = window;
  const auto scale = [&](const char* key, double absent) {
    return static_cast<float>(m.number(key, -1e6, 1e6, absent));
  };
  s.attention_scale = scale("attention.scale", 1.0 / std::sqrt(static_cast<double>(s.head_dim)));
  s.attention_cap = scale("attn_logit_softcapping", 0);
  s.logit_cap = scale("final_logit_softcapping", 0);
  LQ_CHECK(s.attention_cap >= 0 && s.logit_cap >= 0, Code::bad_file, "model: caps of ", s.attention_cap, " and ",
           s.logit_cap, ", expected none or positive ones");
  s.embedding_scale = scale("embedding_scale", 1);
  s.residual_scale = scale("residual_scale", 1);
  return s;
}

}  // namespace

DecoderSpec read_common(const Metadata& m, RopeStyle rope_style) {
  DecoderSpec s = read_all(m, rope_style);
  s.norm_eps = static_cast<float>(m.number("attention.layer_norm_rms_epsilon", 0.0, 1.0));
  return s;
}

DecoderSpec read_with_layer_norm(const Metadata& m, RopeStyle rope_style) {
  DecoderSpec s = read_all(m, rope_style);
  s.norm = NormKind::layer;
  s.norm_eps = static_cast<float>(m.number("attention.layer_norm_epsilon", 0.0, 1.0));
  return s;
}

}  // namespace lq
