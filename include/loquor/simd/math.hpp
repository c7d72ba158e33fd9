// exp and what is built on it, on 16 lanes; one polynomial for all instruction sets.
#pragma once

#include "loquor/simd/arch.hpp"

namespace lq::simd {

// e^x with a relative error below 2e-7; exactly 0 for x < -87.3 (so that masked attention scores contribute nothing),
// x is capped at 88.3 (3.0e38 ... no infinities).
// Range reduction x = n ln2 + r, |r| <= ln2/2, with ln2 in two parts; degree-6 minimax polynomial (coefficients: Cephes
// expf).
template <class A>
inline typename Lanes<A>::F exp(typename Lanes<A>::F x) noexcept {
  using L = Lanes<A>;
  const auto low = L::set1(-87.3f);
  const auto clamped = L::min(L::max(x, low), L::set1(88.3f));
  const auto n = L::round(L::mul(clamped, L::set1(1.44269504088896341f)));
  auto r = L::fma(n, L::set1(-0.693359375f), clamped);
  r = L::fma(n, L::set1(2.12194440e-4f), r);
  auto p = L::set1(1.9875691500e-4f);
  p = L::fma(p, r, L::set1(1.3981999507e-3f));
  p = L::fma(p, r, L::set1(8.3334519073e-3f));
  p = L::fma(p, r, L::set1(4.1665795894e-2f));
  p = L::fma(p, r, L::set1(1.6666665459e-1f));
  p = L::fma(p, r, L::set1(5.0000001201e-1f));
  p = L::fma(p, L::mul(r, r), L::add(r, L::set1(1.0f)));
  return L::select_less(x, low, L::zero(), L::exp2i(p, n));
}

// x * sigmoid(x).
template <class A>
inline typename Lanes<A>::F silu(typename Lanes<A>::F x) noexcept {
  using L = Lanes<A>;
  return L::div(x, L::add(L::set1(1.0f), exp<A>(L::sub(L::zero(), x))));
}

// tanh(x) = 1 - 2 / (e^2x + 1).
template <class A>
inline typename Lanes<A>::F tanh(typename Lanes<A>::F x) noexcept {
  using L = Lanes<A>;
  const auto e = exp<A>(L::add(x, x));
  return L::sub(L::set1(1.0f), L::div(L::set1(2.0f), L::add(e, L::set1(1.0f))));
}

template <class A>
inline typename Lanes<A>::F sigmoid(typename Lanes<A>::F x) noexcept {
  using L = Lanes<A>;
  return L::div(L::set1(1.0f), L::add(L::set1(1.0f), exp<A>(L::sub(L::zero(), x))));
}

// The standard normal distribution's cumulative function, by erf (Abramowitz & Stegun 7.1.26, absolute error 1.5e-7);
// `density` receives exp(-x^2 / 2) / sqrt(2 pi).
template <class A>
inline typename Lanes<A>::F normal_cdf(typename Lanes<A>::F x, typename Lanes<A>::F* density) noexcept {
  using L = Lanes<A>;
  const auto e = exp<A>(L::mul(L::mul(x, x), L::set1(-0.5f)));
  const auto t = L::div(L::set1(1.0f), L::fma(L::abs(x), L::set1(0.3275911f * 0.70710678f), L::set1(1.0f)));
  auto p = L::set1(1.061405429f);
  p = L::fma(p, t, L::set1(-1.453152027f));
  p = L::fma(p, t, L::set1(1.421413741f));
  p = L::fma(p, t, L::set1(-0.284496736f));
  p = L::fma(p, t, L::set1(0.254829592f));
  const auto tail = L::mul(L::mul(L::mul(p, t), e), L::set1(0.5f));  // of the side x is on
  *density = L::mul(e, L::set1(0.3989422804f));
  return L::select_less(x, L::zero(), tail, L::sub(L::set1(1.0f), tail));
}

}  // namespace lq::simd
