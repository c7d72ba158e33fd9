// Attention scores to look at: the probabilities by which each head of each layer weighs the tokens of a text. They are
// what softmax(q k^T scale) gives for the pass's own rotated queries and keys (before keys are rounded for the cache),
// in a computation of their own: the kernels never hold them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "loquor/models/decoder.hpp"
#include "loquor/models/encoder.hpp"

namespace lq {

inline constexpr std::size_t kMaxWatchedTokens = 4096;

// Of layers [first_layer, first_layer + n_layers) over one text: out (n_layers, n_head, T, T), each row a query whose
// weights of the keys sum to 1; 0 for keys it does not see. Throws Error{invalid_argument} for layers or tokens that
// are none, and texts of no token, more than kMaxWatchedTokens or than the model has positions; Error{out_of_memory}.
void attention_scores(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> tokens,
                      std::size_t first_layer, std::size_t n_layers, float* out);
void attention_scores(const std::shared_ptr<const Encoder>& model, std::span<const std::int32_t> tokens,
                      std::size_t first_layer, std::size_t n_layers, float* out);

}  // namespace lq
