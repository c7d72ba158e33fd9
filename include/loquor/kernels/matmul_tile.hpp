// What the tiles of all formats share: their arguments, and how a tile of results is stored.
#pragma once

#include "loquor/core/config.hpp"
#include "loquor/kernels/quantize.hpp"

namespace lq {

// Everything a matmul reads and writes; `tokens` rows.
struct MatmulArgs {
  const std::byte* panels;  // panel 0
  std::size_t panel_bytes, cols, rows;
  const float* x;              // (tokens, cols), plain formats and reference mode
  const std::byte* blocks;     // quantised rows, see ActRow
  const Outlier* outliers;     // (tokens, cols/4)
  const std::uint32_t* first;  // (tokens, segments + 1)
  const float* big;            // (tokens)
  std::size_t tokens;
  float* y;  // (tokens, rows), ldy floats apart
  std::size_t ldy;
  const float* bias;  // (rows) or nullptr
  bool add;           // y += instead of y =
};

namespace kernels {

template <class A, int P, int T>
inline void store_tile(const MatmulArgs& m, std::size_t panel, std::size_t token,
                       typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  for (int p = 0; p < P; ++p) {
    const std::size_t row = (panel + static_cast<std::size_t>(p)) * kPanelRows;
    const std::size_t n = m.rows - row < kPanelRows ? m.rows - row : kPanelRows;
    for (int t = 0; t < T; ++t) {
      float* y = m.y + (token + static_cast<std::size_t>(t)) * m.ldy + row;
      auto v = acc[p][t];
      if (m.bias) v = L::add(v, L::load_n(m.bias + row, n));
      if (m.add) v = L::add(L::load_n(y, n), v);
      L::store_n(y, v, n);
    }
  }
}

}  // namespace kernels
}  // namespace lq
