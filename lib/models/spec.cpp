// The hyper-parameters that all families of the Llama shape declare under the same keys.
#include <cmath>

#include "family.hpp"
#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxWidth = 1 << 20, kMaxLayers = 1024, kMaxHeads = 4096, kMaxHeadDim = 256;

}  // namespace

DecoderSpec read_llama_like(const Metadata& m, RopeStyle rope_style) {
  DecoderSpec s;
  s.arch = m.arch();
  s.n_layer = m.count("block_count", 1, kMaxLayers);
  s.d_model = m.count("embedding_length", 1, kMaxWidth);
  s.d_ff = m.count("feed_forward_length", 1, kMaxWidth);
  s.n_ctx_train = m.count("context_length", 1, std::size_t{1} << 31);
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
  s.rope_base = static_cast<float>(m.number("rope.freq_base", 1.0, 1e12, 10000.0));
  s.norm_eps = static_cast<float>(m.number("attention.layer_norm_rms_epsilon", 0.0, 1.0));
  LQ_CHECK(m.count("expert_count", 0, 1 << 16, 0) == 0, Code::unsupported,
           "model: mixtures of experts are not supported yet");
  s.rope_style = rope_style;
  s.attention_scale = 1.0f / std::sqrt(static_cast<float>(s.head_dim));
  return s;
}

}  // namespace lq
