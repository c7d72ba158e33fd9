// What attention_scores() has a pass do beside its work.
#pragma once

#include <cstddef>

#include "loquor/core/context.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {

struct AttentionWatch {
  std::size_t first_layer, n_layers;
  float* out;  // (n_layers, n_head, T, T)

  struct Heads {
    TensorView<const float> q, k;  // (T, n_head * head_dim), (T, n_kv_head * head_dim), rotated
    std::size_t n_head, n_kv_head, head_dim;
    bool causal;
  };
  // The scores of one layer over a whole text, if they are wanted.
  void layer(const Context& ctx, std::size_t layer, const Heads& heads, const AttentionRule& rule) const;
};

}  // namespace lq
