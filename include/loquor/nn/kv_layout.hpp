// How keys and values lie in a KV-cache page. Not the cache itself (models/kv_cache.hpp owns pages).
//
// A page holds kPageTokens consecutive tokens of one sequence for all layers. Within a page, layer l starts at
// l * bytes_per_layer(); within a layer, KV head h starts at h * bytes_per_head(). Keys are kept in panels of 16
// tokens, dimension-major ([hd][16]), so that one vector holds the same dimension of 16 keys and QK needs no horizontal
// sum; values are row-major ([token][hd]), so that PV streams them. The exact layout per type is defined by the kernels
// (kernels/attention.hpp), which are the only readers and writers.
#pragma once

#include <cstddef>

#include "loquor/core/dtype.hpp"

namespace lq {

struct KvLayout {
  static constexpr std::size_t kPageTokens = 64;

  DType type = DType::F16;  // F16, Q8_0 (blocks of 32 along the head dimension) or F32 (reference mode)
  std::size_t n_layer = 0, n_kv_head = 0, head_dim = 0;

  // Keys and values have the same size: n * type for each of kPageTokens tokens.
  std::size_t bytes_per_head() const noexcept { return 2 * kPageTokens * row_bytes(type, head_dim); }
  std::size_t bytes_per_layer() const noexcept { return (n_kv_head * bytes_per_head() + 63) / 64 * 64; }
  std::size_t bytes_per_page() const noexcept { return n_layer * bytes_per_layer(); }
  std::size_t bytes_per_token() const noexcept { return bytes_per_page() / kPageTokens; }
  friend bool operator==(const KvLayout&, const KvLayout&) = default;
};

}  // namespace lq
