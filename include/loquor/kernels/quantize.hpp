// Rounding activations to int8 in blocks of 32, and the row operations that end in it.
//
// A few blocks of a row hold outliers, and their coarse steps make nearly all of the rounding error: of SmolLM2's rows
// about one block in five has a step over 3 % of the row's root mean square. Such a block gets a second int8 digit,
// 1/254 of the first one's step; that takes the divergence from fp32 down by a factor of five to ten (docs/STATUS.md
// has the figures) for a second pass over these blocks only.
#pragma once

#include "loquor/quant/panel.hpp"
#include "loquor/simd/math.hpp"

namespace lq {

// One row of matmul input: x may be nullptr, and q, in which case all below it are unused. x, q, q2 (cols); the others
// (cols/32). A block stands for d * q + d2 * q2, which adds up to ds; d2 is 0 where there is no second digit.
struct ActRow {
  float* x;
  std::int8_t *q, *q2;
  float *d, *d2, *ds;
  std::int32_t *sum, *sum2;
};

// Blocks whose step exceeds this fraction of the row's root mean square get a second digit.
inline constexpr float kSecondDigit = 0.02f;

namespace kernels {

// mean(x^2): sixteen partial sums, added pairwise.
template <class A>
inline float mean_square(const float* x, std::size_t n) noexcept {
  using L = simd::Lanes<A>;
  auto s = L::zero();
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    s = L::fma(v, v, s);
  }
  return L::hsum(s) / static_cast<float>(n);
}

// d = max|x| / 127, q = round to even(x * 127 / max|x|); an all-zero block has d = 0, q = 0.
template <class A>
inline void quantize_block(const float* x, float limit, const ActRow& out, std::size_t b) noexcept {
  using L = simd::Lanes<A>;
  const auto lo = L::load(x), hi = L::load(x + 16);
  const float amax = L::hmax(L::max(L::abs(lo), L::abs(hi)));
  const auto inverse = L::set1(amax > 0.0f ? 127.0f / amax : 0.0f);
  const auto qlo = L::lrint(L::mul(lo, inverse)), qhi = L::lrint(L::mul(hi, inverse));
  const float d = amax / 127.0f;
  auto rlo = L::izero(), rhi = L::izero();
  float d2 = 0.0f;
  if (d > limit) {
    d2 = d / 254.0f;
    const auto minus_d = L::set1(-d), fine = L::set1(1.0f / d2);
    rlo = L::lrint(L::mul(L::fma(L::cvt(qlo), minus_d, lo), fine));
    rhi = L::lrint(L::mul(L::fma(L::cvt(qhi), minus_d, hi), fine));
  }
  L::istore_i8(out.q + b * kBlock, qlo);
  L::istore_i8(out.q + b * kBlock + 16, qhi);
  L::istore_i8(out.q2 + b * kBlock, rlo);
  L::istore_i8(out.q2 + b * kBlock + 16, rhi);
  out.d[b] = d;
  out.d2[b] = d2;
  out.sum[b] = L::ihsum(L::iadd(qlo, qhi));
  out.sum2[b] = L::ihsum(L::iadd(rlo, rhi));
  out.ds[b] = __builtin_fmaf(d, static_cast<float>(out.sum[b]), d2 * static_cast<float>(out.sum2[b]));
}

// Copies and/or quantises a finished row; cols is a multiple of 32 when q is wanted.
template <class A>
void set_row(const float* x, std::size_t cols, const ActRow& out) noexcept {
  using L = simd::Lanes<A>;
  if (out.q) {
    const float limit = kSecondDigit * __builtin_sqrtf(mean_square<A>(x, cols));
    for (std::size_t b = 0; b < cols / kBlock; ++b) quantize_block<A>(x + b * kBlock, limit, out, b);
  }
  if (out.x && out.x != x)
    for (std::size_t i = 0; i < cols; i += 16) L::store_n(out.x + i, L::load_n(x + i, cols - i), cols - i);
}

// y_i = x_i * r * w_i, r = 1 / sqrt(mean(x^2) + eps). Zhang and Sennrich 2019.
template <class A>
void rms_norm(const float* x, const float* w, std::size_t n, float eps, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto r = L::set1(1.0f / __builtin_sqrtf(mean_square<A>(x, n) + eps));
  for (std::size_t i = 0; i < n; i += 16)
    L::store_n(y + i, L::mul(L::mul(L::load_n(x + i, n - i), r), L::load_n(w + i, n - i)), n - i);
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
void swiglu(const float* gate, const float* up, std::size_t step, std::size_t n, float* y) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; i += 16) {
    const std::size_t at = i / 16 * step;
    L::store_n(y + i, L::mul(simd::silu<A>(L::load_n(gate + at, n - i)), L::load_n(up + at, n - i)), n - i);
  }
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
