// Part of loquor.hpp: attention scores to look at.
#ifndef LOQUOR_LQ_ATTENTION_HPP
#define LOQUOR_LQ_ATTENTION_HPP

#include "lq_attention.h"
#include "lq_model.hpp"

namespace loquor {

// (n_layers, n_head, tokens, tokens) probabilities: row i of a head is how token i weighs the tokens.
struct AttentionScores {
  std::size_t n_layers = 0, n_head = 0, tokens = 0;
  std::vector<float> values;
  const float* row(std::size_t layer, std::size_t head, std::size_t token) const noexcept {
    return values.data() + ((layer * n_head + head) * tokens + token) * tokens;
  }
};

// Of the layers from `first_layer` on; n_layers 0: all of them.
inline AttentionScores attention_scores(const Model& model, const std::vector<std::int32_t>& tokens,
                                        std::uint32_t first_layer = 0, std::uint32_t n_layers = 0) {
  std::uint32_t layers = 0, heads = 0;
  detail::check(lq_attention_shape(&layers, &heads, model.get()));
  std::size_t count = 0;
  detail::check(
      lq_attention_scores(nullptr, 0, &count, model.get(), tokens.data(), tokens.size(), first_layer, n_layers));
  AttentionScores out;
  out.n_layers = n_layers ? n_layers : layers - first_layer;
  out.n_head = heads;
  out.tokens = tokens.size();
  out.values.resize(count);
  detail::check(lq_attention_scores(out.values.data(), count, nullptr, model.get(), tokens.data(), tokens.size(),
                                    first_layer, n_layers));
  return out;
}

}  // namespace loquor

#endif
