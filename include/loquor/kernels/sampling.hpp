// Scans over a row of logits.
#pragma once

#include "loquor/simd/math.hpp"

namespace lq::kernels {

// Index of the largest value, the first of equals; NaN never wins. n >= 1.
template <class A>
std::size_t argmax(const float* x, std::size_t n) noexcept {
  using L = simd::Lanes<A>;
  constexpr std::size_t kChunk = 1024;
  std::size_t best = 0;
  float top = -__builtin_inff();
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = n - begin < kChunk ? n : begin + kChunk;
    auto m = L::set1(top);
    std::size_t i = begin;
    // max(x, m) keeps m when x is NaN in every instruction set: the second operand wins.
    for (; i + 16 <= end; i += 16) m = L::max(L::load(x + i), m);
    float chunk = L::hmax(m);
    for (; i < end; ++i) chunk = x[i] > chunk ? x[i] : chunk;
    if (!(chunk > top)) continue;
    top = chunk;
    for (i = begin; x[i] != top; ++i) {
    }
    best = i;
  }
  return best;
}

// max(x) and sum(exp(x - max)), for log-softmax. n >= 1.
template <class A>
void max_sumexp(const float* x, std::size_t n, float* max, double* sum) noexcept {
  using L = simd::Lanes<A>;
  auto m = L::set1(-__builtin_inff());
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) m = L::max(L::load(x + i), m);
  float top = L::hmax(m);
  for (; i < n; ++i) top = x[i] > top ? x[i] : top;
  *max = top;
  constexpr std::size_t kChunk = 2048;  // fp32 partial sums over chunks, fp64 between them
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = n - begin < kChunk ? n : begin + kChunk;
    auto s = L::zero();
    for (i = begin; i < end; i += 16) {
      auto v = simd::exp<A>(L::sub(L::load_n(x + i, end - i), L::set1(top)));
      if (end - i < 16) {
        float t[16];
        L::store(t, v);
        v = L::load_n(t, end - i);
      }
      s = L::add(s, v);
    }
    total += static_cast<double>(L::hsum(s));
  }
  *sum = total;
}

// Writes the indices i with x[i] >= threshold in ascending order, at most `capacity`; returns how many there are in
// all.
template <class A>
std::size_t collect_at_least(const float* x, std::size_t n, float threshold, std::int32_t* out,
                             std::size_t capacity) noexcept {
  using L = simd::Lanes<A>;
  std::size_t count = 0;
  const auto take = [&](std::size_t i) noexcept {
    if (!(x[i] >= threshold)) return;
    if (count < capacity) out[count] = static_cast<std::int32_t>(i);
    ++count;
  };
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    // Candidates are rare: look at 64 values at a time and go into detail only where one is.
    const auto m =
        L::max(L::max(L::load(x + i), L::load(x + i + 16)), L::max(L::load(x + i + 32), L::load(x + i + 48)));
    if (!(L::hmax(m) >= threshold)) continue;
    for (std::size_t j = i; j < i + 64; ++j) take(j);
  }
  for (; i < n; ++i) take(i);
  return count;
}

}  // namespace lq::kernels
