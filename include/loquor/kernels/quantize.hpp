// Rounding activations to int8 in blocks of 32, and the row operations that end in it.
#pragma once

#include "loquor/quant/panel.hpp"
#include "loquor/simd/math.hpp"

namespace lq {

// One row of matmul input: any of the pointers may be nullptr. x and q (cols); d, ds, sum (cols/32).
struct ActRow {
  float* x;
  std::int8_t* q;
  float* d;
  float* ds;
  std::int32_t* sum;
};

namespace kernels {

// d = max|x| / 127, q = round to even(x * 127 / max|x|); an all-zero block has d = 0, q = 0.
template <class A>
inline void quantize_block(typename simd::Lanes<A>::F lo, typename simd::Lanes<A>::F hi, const ActRow& out,
                           std::size_t b) noexcept {
  using L = simd::Lanes<A>;
  const float amax = L::hmax(L::max(L::abs(lo), L::abs(hi)));
  const float inverse = amax > 0.0f ? 127.0f / amax : 0.0f;
  const auto qlo = L::lrint(L::mul(lo, L::set1(inverse)));
  const auto qhi = L::lrint(L::mul(hi, L::set1(inverse)));
  L::istore_i8(out.q + b * kBlock, qlo);
  L::istore_i8(out.q + b * kBlock + 16, qhi);
  const std::int32_t sum = L::ihsum(L::iadd(qlo, qhi));
  const float d = amax / 127.0f;
  out.d[b] = d;
  out.ds[b] = d * static_cast<float>(sum);
  out.sum[b] = sum;
}

// Copies and/or quantises a finished row; cols is a multiple of 32 when q is wanted.
template <class A>
void set_row(const float* x, std::size_t cols, const ActRow& out) noexcept {
  using L = simd::Lanes<A>;
  if (out.q)
    for (std::size_t b = 0; b < cols / kBlock; ++b)
      quantize_block<A>(L::load(x + b * kBlock), L::load(x + b * kBlock + 16), out, b);
  if (out.x && out.x != x)
    for (std::size_t i = 0; i < cols; i += 16) L::store_n(out.x + i, L::load_n(x + i, cols - i), cols - i);
}

// 1 / sqrt(mean(x^2) + eps): sixteen partial sums, added pairwise.
template <class A>
inline float inverse_rms(const float* x, std::size_t n, float eps) noexcept {
  using L = simd::Lanes<A>;
  auto s = L::zero();
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    s = L::fma(v, v, s);
  }
  return 1.0f / __builtin_sqrtf(L::hsum(s) / static_cast<float>(n) + eps);
}

// y_i = x_i * r * w_i, r = 1 / sqrt(mean(x^2) + eps). Zhang and Sennrich 2019.
template <class A>
void rms_norm(const float* x, const float* w, std::size_t n, float eps, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto r = L::set1(inverse_rms<A>(x, n, eps));
  for (std::size_t i = 0; i < n; i += 16)
    L::store_n(y + i, L::mul(L::mul(L::load_n(x + i, n - i), r), L::load_n(w + i, n - i)), n - i);
}

// The same, rounded on the way; n is a multiple of 32.
template <class A>
void rms_norm_quantize(const float* x, const float* w, std::size_t n, float eps, const ActRow& out) noexcept {
  using L = simd::Lanes<A>;
  const auto r = L::set1(inverse_rms<A>(x, n, eps));
  for (std::size_t b = 0; b < n / kBlock; ++b) {
    const std::size_t i = b * kBlock;
    const auto lo = L::mul(L::mul(L::load(x + i), r), L::load(w + i));
    const auto hi = L::mul(L::mul(L::load(x + i + 16), r), L::load(w + i + 16));
    quantize_block<A>(lo, hi, out, b);
  }
}

// (x - mean) / sqrt(var + eps) * w + b. Ba, Kiros and Hinton 2016. Two passes: no cancellation.
template <class A>
void layer_norm(const float* x, const float* w, const float* bias, std::size_t n, float eps, float* y) noexcept {
  using L = simd::Lanes<A>;
  auto s = L::zero();
  for (std::size_t i = 0; i < n; i += 16) s = L::add(s, L::load_n(x + i, n - i));
  const float mean = L::hsum(s) / static_cast<float>(n);
  float var = 0.0f;
  s = L::zero();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const auto c = L::sub(L::load(x + i), L::set1(mean));
    s = L::fma(c, c, s);
  }
  for (; i < n; ++i) var += (x[i] - mean) * (x[i] - mean);
  var = (var + L::hsum(s)) / static_cast<float>(n);
  const auto r = L::set1(1.0f / __builtin_sqrtf(var + eps));
  for (i = 0; i < n; i += 16) {
    auto v = L::mul(L::mul(L::sub(L::load_n(x + i, n - i), L::set1(mean)), r), L::load_n(w + i, n - i));
    if (bias) v = L::add(v, L::load_n(bias + i, n - i));
    L::store_n(y + i, v, n - i);
  }
}

// silu(gate) * up, n values; gate and up advance by `step` floats per 16 (32 when panels alternate, else 16).
template <class A>
void swiglu(const float* gate, const float* up, std::size_t step, std::size_t n, const ActRow& out) noexcept {
  using L = simd::Lanes<A>;
  const auto at = [&](std::size_t i, std::size_t left) noexcept {
    const std::size_t o = i / 16 * step;
    return L::mul(simd::silu<A>(L::load_n(gate + o, left)), L::load_n(up + o, left));
  };
  if (out.q)
    for (std::size_t b = 0; b < n / kBlock; ++b) quantize_block<A>(at(b * kBlock, 16), at(b * kBlock + 16, 16), out, b);
  if (out.x)
    for (std::size_t i = 0; i < n; i += 16) L::store_n(out.x + i, at(i, n - i), n - i);
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel 2016.
template <class A>
void gelu_tanh(const float* x, std::size_t n, float* y) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    const auto inner = L::mul(L::set1(0.7978845608028654f), L::fma(L::mul(L::mul(v, v), v), L::set1(0.044715f), v));
    const auto half = L::mul(L::set1(0.5f), v);
    L::store_n(y + i, L::fma(half, simd::tanh<A>(inner), half), n - i);
  }
}

}  // namespace kernels
}  // namespace lq
