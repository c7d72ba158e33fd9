// Layer and RMS normalisation for training: forward with the statistics the backward pass needs, and the gradients.
#pragma once

#include "loquor/simd/arch.hpp"

namespace lq {

struct NormStats {
  float mean, rstd;  // mean is 0 for RMS
};

namespace kernels {

// y := (x - mean) rstd w + b; `center` false leaves out the mean (RMS norm); b may be nullptr.
template <class A>
void norm_train(const float* x, const float* w, const float* b, std::size_t count, float eps, bool center, float* y,
                NormStats* stats) noexcept {
  using L = simd::Lanes<A>;
  float mean = 0;
  if (center) {
    auto s = L::zero();
    for (std::size_t i = 0; i < count; i += 16) s = L::add(s, L::load_n(x + i, count - i));
    mean = L::hsum(s) / static_cast<float>(count);
  }
  auto s = L::zero();
  const auto m = L::set1(mean);
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const auto d = L::sub(L::load(x + i), m);
    s = L::fma(d, d, s);
  }
  float square = L::hsum(s);
  for (; i < count; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float rstd = 1.0f / __builtin_sqrtf(square / static_cast<float>(count) + eps);
  const auto r = L::set1(rstd);
  for (i = 0; i < count; i += 16) {
    const std::size_t n = count - i;
    const auto normal = L::mul(L::sub(L::load_n(x + i, n), m), r);
    L::store_n(y + i, L::fma(normal, L::load_n(w + i, n), b ? L::load_n(b + i, n) : L::zero()), n);
  }
  *stats = {mean, rstd};
}

// With g = dy w and xhat the normalised row: dx = rstd (g - mean(g) - xhat mean(g xhat)), without mean(g) for RMS.
template <class A>
void norm_grad(const float* x, const float* w, const float* dy, NormStats stats, std::size_t count, bool center,
               float* dx, bool add) noexcept {
  using L = simd::Lanes<A>;
  const auto m = L::set1(stats.mean), r = L::set1(stats.rstd);
  auto sum = L::zero(), dot = L::zero();
  for (std::size_t i = 0; i < count; i += 16) {
    const std::size_t n = count - i;
    const auto g = L::mul(L::load_n(dy + i, n), L::load_n(w + i, n));  // 0 past the end
    sum = L::add(sum, g);
    dot = L::fma(g, L::mul(L::sub(L::load_n(x + i, n), m), r), dot);
  }
  const float scale = 1.0f / static_cast<float>(count);
  const auto c1 = L::set1(center ? L::hsum(sum) * scale : 0.0f), c2 = L::set1(L::hsum(dot) * scale);
  for (std::size_t i = 0; i < count; i += 16) {
    const std::size_t n = count - i;
    const auto g = L::mul(L::load_n(dy + i, n), L::load_n(w + i, n));
    const auto normal = L::mul(L::sub(L::load_n(x + i, n), m), r);
    const auto d = L::sub(L::sub(g, c1), L::mul(normal, c2));
    L::store_n(dx + i, L::fma(d, r, add ? L::load_n(dx + i, n) : L::zero()), n);
  }
}

// dw += the sum over rows of dy xhat, db += that of dy, for `cols` columns from x and dy on; db may be nullptr.
template <class A>
void norm_weight_grad(const float* x, const float* dy, const NormStats* stats, std::size_t rows, std::size_t stride,
                      std::size_t cols, float* dw, float* db) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t j = 0; j < cols; j += 16) {
    const std::size_t n = cols - j;
    auto w = L::zero(), b = L::zero();
    for (std::size_t r = 0; r < rows; ++r) {
      const auto g = L::load_n(dy + r * stride + j, n);
      const auto normal =
          L::mul(L::sub(L::load_n(x + r * stride + j, n), L::set1(stats[r].mean)), L::set1(stats[r].rstd));
      w = L::fma(g, normal, w);
      b = L::add(b, g);
    }
    L::store_n(dw + j, L::add(w, L::load_n(dw + j, n)), n);
    if (db) L::store_n(db + j, L::add(b, L::load_n(db + j, n)), n);
  }
}

}  // namespace kernels
}  // namespace lq
