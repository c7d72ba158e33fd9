// The Gaussian error linear unit, exact.
#pragma once

#include <cstddef>

#include "loquor/simd/math.hpp"

namespace lq::kernels {

// x Phi(x) = 0.5 x (1 + erf(x / sqrt 2)). Hendrycks and Gimpel 2016.
template <class A>
void gelu_erf(const float* x, std::size_t n, float* y) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    auto density = L::zero();
    L::store_n(y + i, L::mul(v, simd::normal_cdf<A>(v, &density)), n - i);
  }
}

}  // namespace lq::kernels
