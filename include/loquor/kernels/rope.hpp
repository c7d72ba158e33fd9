// Rotary position embedding of one row of heads.
#pragma once

#include "loquor/simd/arch.hpp"

namespace lq::kernels {

// Rotates pair i of each head by the angle whose cos and sin are given (n_rot/2 of each). Pairs are (2i, 2i+1), or
// (i, i + n_rot/2) when `halves`. Su et al. 2021.
template <class A>
void rope(float* x, std::size_t heads, std::size_t head_dim, std::size_t n_rot, const float* cos, const float* sin,
          bool halves) noexcept {
  using L = simd::Lanes<A>;
  const std::size_t n = n_rot / 2;
  for (std::size_t h = 0; h < heads; ++h) {
    float* v = x + h * head_dim;
    for (std::size_t i = 0; i < n; i += 16) {
      const std::size_t m = n - i < 16 ? n - i : 16;
      const auto c = L::load_n(cos + i, m), s = L::load_n(sin + i, m);
      typename L::F a, b;
      if (halves) {
        a = L::load_n(v + i, m);
        b = L::load_n(v + n + i, m);
      } else {
        L::load_pairs(v + 2 * i, m, a, b);
      }
      const auto x0 = L::fma(a, c, L::sub(L::zero(), L::mul(b, s)));
      const auto x1 = L::fma(a, s, L::mul(b, c));
      if (halves) {
        L::store_n(v + i, x0, m);
        L::store_n(v + n + i, x1, m);
      } else {
        L::store_pairs(v + 2 * i, m, x0, x1);
      }
    }
  }
}

}  // namespace lq::kernels
