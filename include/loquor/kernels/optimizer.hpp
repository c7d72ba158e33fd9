// Optimizer steps over a run of parameters; each also clears the gradient, while it is in the cache.
#pragma once

#include "loquor/kernels/elementwise.hpp"

namespace lq {

struct AdamStep {
  float rate;  // learning rate / (1 - beta1^t)
  float beta1, beta2;
  float eps;
  float root;    // sqrt(1 - beta2^t)
  float shrink;  // what each parameter is multiplied by first: 1 - learning rate * decoupled decay
  float decay;   // added to the gradient as decay * parameter (Adam with L2)
  float scale;   // of the gradient: clipping
};

struct SgdStep {
  float rate, momentum;
  float decay;
  float scale;
  bool nesterov, first;  // first: the momentum buffer is the gradient (torch)
};

namespace kernels {

// Kingma & Ba 2015; Loshchilov & Hutter 2019. The arithmetic is torch.optim's.
template <class A>
void adam_step(const AdamStep& s, float* w, float* g, float* m, float* v, std::size_t count) noexcept {
  using L = simd::Lanes<A>;
  const auto b1 = L::set1(s.beta1), b2 = L::set1(s.beta2), c1 = L::set1(1.0f - s.beta1), c2 = L::set1(1.0f - s.beta2);
  const auto shrink = L::set1(s.shrink), decay = L::set1(s.decay), scale = L::set1(s.scale);
  const auto rate = L::set1(-s.rate), root = L::set1(1.0f / s.root), eps = L::set1(s.eps);
  each_16(count, [&](std::size_t i, std::size_t n) {
    const auto w0 = L::load_n(w + i, n), grad = L::fma(w0, decay, L::mul(L::load_n(g + i, n), scale));
    const auto m1 = L::fma(L::load_n(m + i, n), b1, L::mul(grad, c1));
    const auto v1 = L::fma(L::load_n(v + i, n), b2, L::mul(L::mul(grad, grad), c2));
    const auto step = L::div(m1, L::fma(L::sqrt(v1), root, eps));
    L::store_n(w + i, L::fma(step, rate, L::mul(w0, shrink)), n);
    L::store_n(m + i, m1, n);
    L::store_n(v + i, v1, n);
    L::store_n(g + i, L::zero(), n);
  });
}

// m may be nullptr if there is no momentum.
template <class A>
void sgd_step(const SgdStep& s, float* w, float* g, float* m, std::size_t count) noexcept {
  using L = simd::Lanes<A>;
  const auto decay = L::set1(s.decay), scale = L::set1(s.scale), rate = L::set1(-s.rate), keep = L::set1(s.momentum);
  each_16(count, [&](std::size_t i, std::size_t n) {
    const auto w0 = L::load_n(w + i, n);
    auto grad = L::fma(w0, decay, L::mul(L::load_n(g + i, n), scale));
    if (m) {
      const auto m1 = s.first ? grad : L::fma(L::load_n(m + i, n), keep, grad);
      L::store_n(m + i, m1, n);
      grad = s.nesterov ? L::fma(m1, keep, grad) : m1;
    }
    L::store_n(w + i, L::fma(grad, rate, w0), n);
    L::store_n(g + i, L::zero(), n);
  });
}

// The sum of squares: fp32 partial sums over chunks of 1,024, fp64 between them.
template <class A>
double sum_squares(const float* x, std::size_t count) noexcept {
  using L = simd::Lanes<A>;
  double total = 0;
  for (std::size_t c = 0; c < count; c += 1024) {
    const std::size_t end = count - c < 1024 ? count : c + 1024;
    auto s = L::zero();
    for (std::size_t i = c; i < end; i += 16) {
      const auto v = L::load_n(x + i, end - i);
      s = L::fma(v, v, s);
    }
    total += static_cast<double>(L::hsum(s));
  }
  return total;
}

}  // namespace kernels
}  // namespace lq
