// Rotary position embedding of one row of heads.
#pragma once

#include "loquor/simd/arch.hpp"

namespace lq::kernels {

// Rotates pair i of each head by the angle whose cos and sin are given (n_rot/2 of each). Pairs are (2i, 2i+1), or
// (i, i + n_rot/2) when `halves`. Su et al. 2021.
template <class A>
void rope(float* x, std::size_t heads, std::size_t head_dim, std::size_t n_rot, const float* cos, const float* sin,
          bool halves) noexcept {
  const std::size_t n = n_rot / 2;
  for (std::size_t h = 0; h < heads; ++h) {
    float* v = x + h * head_dim;
    for (std::size_t i = 0; i < n; ++i) {
      float* a = halves ? v + i : v + 2 * i;
      float* b = halves ? v + i + n : v + 2 * i + 1;
      const float x0 = *a, x1 = *b;
      *a = __builtin_fmaf(x0, cos[i], -(x1 * sin[i]));
      *b = __builtin_fmaf(x0, sin[i], x1 * cos[i]);
    }
  }
}

}  // namespace lq::kernels
