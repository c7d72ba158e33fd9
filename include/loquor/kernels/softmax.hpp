// Softmax of a row, its gradient, and cross entropy, for training.
#pragma once

#include "loquor/kernels/sampling.hpp"

namespace lq::kernels {

// y := softmax(scale x) over the first n >= 1 values, 0 in the rest of `total`. x == y is allowed. scale > 0.
template <class A>
void softmax(const float* x, std::size_t n, std::size_t total, float scale, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto top = L::set1(largest<A>(x, n) * scale), s = L::set1(scale), low = L::set1(-1e30f);
  auto sum = L::zero();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const auto e = simd::exp<A>(L::sub(L::mul(L::load(x + i), s), top));
    sum = L::add(sum, e);
    L::store(y + i, e);
  }
  if (i < n) {
    float rest[16];
    L::store(rest, low);
    for (std::size_t j = i; j < n; ++j) rest[j - i] = x[j] * scale;
    const auto e = simd::exp<A>(L::sub(L::load(rest), top));  // e^-1e30 is 0
    sum = L::add(sum, e);
    L::store_n(y + i, e, n - i);
  }
  const auto inverse = L::set1(1.0f / L::hsum(sum));
  for (i = 0; i < n; i += 16) L::store_n(y + i, L::mul(L::load_n(y + i, n - i), inverse), n - i);
  for (i = n; i < total; i += 16) L::store_n(y + i, L::zero(), total - i);
}

// dx := scale p (dp - sum(p dp)); dp == dx is allowed.
template <class A>
void softmax_grad(const float* p, const float* dp, std::size_t count, float scale, float* dx) noexcept {
  using L = simd::Lanes<A>;
  auto dot = L::zero();
  for (std::size_t i = 0; i < count; i += 16)
    dot = L::fma(L::load_n(p + i, count - i), L::load_n(dp + i, count - i), dot);
  const auto mean = L::set1(L::hsum(dot)), s = L::set1(scale);
  for (std::size_t i = 0; i < count; i += 16) {
    const std::size_t n = count - i;
    L::store_n(dx + i, L::mul(L::mul(L::load_n(p + i, n), s), L::sub(L::load_n(dp + i, n), mean)), n);
  }
}

// -log softmax(x)[target]; x becomes scale (softmax(x) - one_hot(target)), the loss's gradient, unless scale is 0.
template <class A>
double cross_entropy(float* x, std::size_t count, std::size_t target, float scale) noexcept {
  using L = simd::Lanes<A>;
  const float top = largest<A>(x, count), picked = x[target];
  const double sum = sum_exp<A>(x, count, top);
  const double loss = __builtin_log(sum) + static_cast<double>(top) - static_cast<double>(picked);
  if (scale == 0.0f) return loss;
  const auto t = L::set1(top), factor = L::set1(static_cast<float>(static_cast<double>(scale) / sum));
  for (std::size_t i = 0; i < count; i += 16) {
    const std::size_t n = count - i;
    L::store_n(x + i, L::mul(simd::exp<A>(L::sub(L::load_n(x + i, n), t)), factor), n);
  }
  x[target] -= scale;
  return loss;
}

}  // namespace lq::kernels
