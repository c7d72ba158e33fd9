// Element by element, forward and backward, for training: activations, sums, products, dropout, sums of columns.
#pragma once

#include "loquor/simd/math.hpp"

namespace lq {

enum class Activation : int { relu, tanh, sigmoid, gelu, gelu_tanh, silu };

// Whether an activation's derivative is computed from its input x, or else from its output y.
constexpr bool derivative_from_input(Activation kind) noexcept {
  return kind == Activation::gelu || kind == Activation::gelu_tanh || kind == Activation::silu;
}

namespace kernels {

// fn(i, n): 16 lanes from i on; the last time n < 16 of them count.
template <class Fn>
inline void each_16(std::size_t count, Fn fn) noexcept {
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) fn(i, std::size_t{16});
  if (i < count) fn(i, count - i);
}

// y := alpha x + beta y; y is not read if beta is 0.
template <class A>
void axpby(float alpha, const float* x, float beta, float* y, std::size_t count) noexcept {
  using L = simd::Lanes<A>;
  const auto a = L::set1(alpha), b = L::set1(beta);
  if (beta == 0.0f)
    each_16(count, [&](std::size_t i, std::size_t n) { L::store_n(y + i, L::mul(a, L::load_n(x + i, n)), n); });
  else
    each_16(count, [&](std::size_t i, std::size_t n) {
      L::store_n(y + i, L::fma(a, L::load_n(x + i, n), L::mul(b, L::load_n(y + i, n))), n);
    });
}

// y := a b, or y += a b.
template <class A>
void product(const float* a, const float* b, std::size_t count, float* y, bool add) noexcept {
  using L = simd::Lanes<A>;
  each_16(count, [&](std::size_t i, std::size_t n) {
    const auto start = add ? L::load_n(y + i, n) : L::zero();
    L::store_n(y + i, L::fma(L::load_n(a + i, n), L::load_n(b + i, n), start), n);
  });
}

// out[j] := the sum over rows of x[r * stride + j], in order; added to out if `add`.
template <class A>
void column_sum(const float* x, std::size_t rows, std::size_t stride, std::size_t cols, float* out, bool add) noexcept {
  using L = simd::Lanes<A>;
  each_16(cols, [&](std::size_t j, std::size_t n) {
    auto sum = L::zero();
    for (std::size_t r = 0; r < rows; ++r) sum = L::add(sum, L::load_n(x + r * stride + j, n));
    L::store_n(out + j, add ? L::add(sum, L::load_n(out + j, n)) : sum, n);
  });
}

inline constexpr float kGeluRoot = 0.7978845608f, kGeluCube = 0.044715f;  // Hendrycks & Gimpel 2016

template <class A>
inline typename simd::Lanes<A>::F activate(Activation kind, typename simd::Lanes<A>::F x) noexcept {
  using L = simd::Lanes<A>;
  typename L::F density;
  switch (kind) {
    case Activation::relu:
      return L::max(x, L::zero());
    case Activation::tanh:
      return simd::tanh<A>(x);
    case Activation::sigmoid:
      return simd::sigmoid<A>(x);
    case Activation::gelu:
      return L::mul(x, simd::normal_cdf<A>(x, &density));
    case Activation::gelu_tanh: {
      const auto u = L::mul(L::mul(x, L::set1(kGeluRoot)), L::fma(L::mul(x, x), L::set1(kGeluCube), L::set1(1.0f)));
      return L::mul(L::mul(x, L::set1(0.5f)), L::add(L::set1(1.0f), simd::tanh<A>(u)));
    }
    case Activation::silu:
      break;
  }
  return simd::silu<A>(x);
}

// dy/dx at v, which is x or y as derivative_from_input() says.
template <class A>
inline typename simd::Lanes<A>::F slope(Activation kind, typename simd::Lanes<A>::F v) noexcept {
  using L = simd::Lanes<A>;
  const auto one = L::set1(1.0f), none = L::zero();
  switch (kind) {
    case Activation::relu:
      return L::select_less(none, v, one, none);
    case Activation::tanh:
      return L::sub(one, L::mul(v, v));
    case Activation::sigmoid:
      return L::mul(v, L::sub(one, v));
    case Activation::gelu: {
      typename L::F density;
      const auto cdf = simd::normal_cdf<A>(v, &density);
      return L::fma(v, density, cdf);
    }
    case Activation::gelu_tanh: {
      const auto square = L::mul(v, v), half = L::set1(0.5f);
      const auto u = L::mul(L::mul(v, L::set1(kGeluRoot)), L::fma(square, L::set1(kGeluCube), one));
      const auto t = simd::tanh<A>(u);
      const auto du = L::mul(L::set1(kGeluRoot), L::fma(square, L::set1(3 * kGeluCube), one));
      const auto bend = L::mul(L::mul(L::mul(v, half), L::sub(one, L::mul(t, t))), du);
      return L::fma(half, L::add(one, t), bend);
    }
    case Activation::silu:
      break;
  }
  const auto s = simd::sigmoid<A>(v);
  return L::mul(s, L::fma(v, L::sub(one, s), one));
}

template <class A>
void activation(Activation kind, const float* x, std::size_t count, float* y) noexcept {
  using L = simd::Lanes<A>;
  each_16(count, [&](std::size_t i, std::size_t n) { L::store_n(y + i, activate<A>(kind, L::load_n(x + i, n)), n); });
}

// dx := dy * slope(v), or dx += it.
template <class A>
void activation_grad(Activation kind, const float* v, const float* dy, std::size_t count, float* dx,
                     bool add) noexcept {
  using L = simd::Lanes<A>;
  each_16(count, [&](std::size_t i, std::size_t n) {
    const auto start = add ? L::load_n(dx + i, n) : L::zero();
    L::store_n(dx + i, L::fma(L::load_n(dy + i, n), slope<A>(kind, L::load_n(v + i, n)), start), n);
  });
}

// The gradients of silu(gate) * up, n values; all but dy in runs of 16 that are `step` floats apart.
template <class A>
void swiglu_grad(const float* gate, const float* up, std::size_t step, std::size_t n, const float* dy, float* dgate,
                 float* dup) noexcept {
  using L = simd::Lanes<A>;
  each_16(n, [&](std::size_t i, std::size_t count) {
    const std::size_t at = i / 16 * step;
    const auto g = L::load_n(gate + at, count), d = L::load_n(dy + i, count);
    const auto s = simd::sigmoid<A>(g);
    const auto bend = L::mul(s, L::fma(g, L::sub(L::set1(1.0f), s), L::set1(1.0f)));
    L::store_n(dgate + at, L::mul(L::mul(d, L::load_n(up + at, count)), bend), count);
    L::store_n(dup + at, L::mul(d, L::mul(g, s)), count);
  });
}

// y := x * mask (or y += it), where mask is 0 with probability drop / 65536 and `scale` otherwise: element i by 16 bits
// of a hash of (key, (first + i) / 4), so the same call backward uses the same mask. `first` is a multiple of 16.
template <class A>
void dropout(const float* x, std::size_t count, std::uint64_t key, std::uint64_t first, std::uint32_t drop, float scale,
             float* y, bool add) noexcept {
  using L = simd::Lanes<A>;
  each_16(count, [&](std::size_t i, std::size_t n) {
    float mask[16];
    for (std::size_t q = 0; q < 4; ++q) {
      std::uint64_t z = key + ((first + i) / 4 + q) * 0x9e3779b97f4a7c15u;  // SplitMix64, as core/random.hpp
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      z ^= z >> 31;
      for (std::size_t e = 0; e < 4; ++e) mask[4 * q + e] = ((z >> (16 * e)) & 0xffff) < drop ? 0.0f : scale;
    }
    const auto start = add ? L::load_n(y + i, n) : L::zero();
    L::store_n(y + i, L::fma(L::load_n(x + i, n), L::load(mask), start), n);
  });
}

}  // namespace kernels
}  // namespace lq
