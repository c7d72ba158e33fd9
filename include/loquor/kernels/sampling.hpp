// Scans over a row of logits. NaN counts as absent, as if it were -infinity.
#pragma once

#include <bit>

#include "loquor/simd/math.hpp"

namespace lq::kernels {

// Logits are looked at in blocks of this many: four vectors, four cache lines, four panels of a weight matrix.
inline constexpr std::size_t kLogitBlock = 64;

template <class A>
float largest(const float* x, std::size_t n) noexcept {
  using L = simd::Lanes<A>;
  // max(x, m) keeps m when x is NaN in every instruction set: the second operand wins.
  auto a = L::set1(-__builtin_inff()), b = a;
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    a = L::max(L::load(x + i), a);
    b = L::max(L::load(x + i + 16), b);
  }
  float m = L::hmax(L::max(a, b));
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  return m;
}

// Index of the largest value, the first of equals; NaN never wins. n >= 1.
template <class A>
std::size_t argmax(const float* x, std::size_t n) noexcept {
  using L = simd::Lanes<A>;
  const float top = largest<A>(x, n);
  const auto limit = L::set1(top);
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    if (const std::uint32_t found = L::at_least(L::load(x + i), limit))
      return i + static_cast<std::size_t>(__builtin_ctz(found));
  for (; i < n; ++i)
    if (x[i] >= top) return i;
  return 0;
}

// maxima[b] := the largest of x[64 b], ..., x[64 b + 63], fewer in the last block.
template <class A>
void block_max(const float* x, std::size_t n, float* maxima) noexcept {
  using L = simd::Lanes<A>;
  const auto least = L::set1(-__builtin_inff());
  std::size_t i = 0;
  for (; i + kLogitBlock <= n; i += kLogitBlock) {
    const auto half = L::max(L::load(x + i + 16), L::max(L::load(x + i), least));
    *maxima++ = L::hmax(L::max(L::load(x + i + 48), L::max(L::load(x + i + 32), half)));
  }
  if (i < n) *maxima = largest<A>(x + i, n - i);
}

// sum(exp(x - top)), for softmax; top >= all of x. n >= 1.
template <class A>
double sum_exp(const float* x, std::size_t n, float top) noexcept {
  using L = simd::Lanes<A>;
  constexpr std::size_t kChunk = 2048;  // fp32 partial sums over chunks, fp64 between them
  const auto t = L::set1(top);
  double total = 0;
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = n - begin < kChunk ? n : begin + kChunk;
    auto s = L::zero();
    std::size_t i = begin;
    // exp() takes a NaN for its smallest argument, e^-87: nothing beside the top's 1.
    for (; i + 16 <= end; i += 16) s = L::add(s, simd::exp<A>(L::sub(L::load(x + i), t)));
    if (i < end) {
      float tail[16];
      L::store(tail, simd::exp<A>(L::sub(L::load_n(x + i, end - i), t)));
      s = L::add(s, L::load_n(tail, end - i));
    }
    total += static_cast<double>(L::hsum(s));
  }
  return total;
}

// Writes the indices i with x[i] >= threshold in ascending order, at most `capacity`; returns how many there are in
// all.
template <class A>
std::size_t collect_at_least(const float* x, std::size_t n, float threshold, std::int32_t* out,
                             std::size_t capacity) noexcept {
  using L = simd::Lanes<A>;
  const auto limit = L::set1(threshold);
  std::size_t count = 0, i = 0;
  for (; i + 64 <= n; i += 64) {
    std::uint64_t found = 0;
    for (std::size_t j = 0; j < 64; j += 16)
      found |= static_cast<std::uint64_t>(L::at_least(L::load(x + i + j), limit)) << j;
    for (; found; found &= found - 1, ++count)
      if (count < capacity) out[count] = static_cast<std::int32_t>(i) + __builtin_ctzll(found);
  }
  for (; i < n; ++i) {
    if (!(x[i] >= threshold)) continue;
    if (count < capacity) out[count] = static_cast<std::int32_t>(i);
    ++count;
  }
  return count;
}

template <class A>
std::size_t count_at_least(const float* x, std::size_t n, float threshold) noexcept {
  using L = simd::Lanes<A>;
  const auto limit = L::set1(threshold);
  std::size_t count = 0, i = 0;
  for (; i + 16 <= n; i += 16)
    count += static_cast<std::size_t>(__builtin_popcount(L::at_least(L::load(x + i), limit)));
  for (; i < n; ++i) count += x[i] >= threshold;
  return count;
}

// A value that at least k >= 1 of x reach, and unless many are equal at most k + k / 2; -infinity if there are fewer
// than k. Halves the interval between the least and the largest, as integers of the same order, and counts: some ten
// passes, where exact selection is a chain of mispredicted branches.
template <class A>
float reached_by(const float* x, std::size_t n, std::size_t k) noexcept {
  using L = simd::Lanes<A>;
  const auto order = [](float v) noexcept {
    const auto bits = std::bit_cast<std::int32_t>(v);
    return bits ^ ((bits >> 31) & 0x7fffffff);
  };
  auto least = L::set1(__builtin_inff()), most = L::set1(-__builtin_inff());
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    least = L::min(L::load(x + i), least);
    most = L::max(L::load(x + i), most);
  }
  float low = -L::hmax(L::sub(L::zero(), least)), high = L::hmax(most);
  for (; i < n; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
  }
  if (count_at_least<A>(x, n, low) < k) return -__builtin_inff();
  // At least k reach `from`, fewer reach `to`.
  for (std::int64_t from = order(low), to = std::int64_t{order(high)} + 1; to - from > 1;) {
    const std::int64_t middle = from + (to - from) / 2;
    const auto bits = static_cast<std::int32_t>(middle);
    const float v = std::bit_cast<float>(bits ^ ((bits >> 31) & 0x7fffffff));
    const std::size_t reached = count_at_least<A>(x, n, v);
    if (reached < k) {
      to = middle;
      continue;
    }
    from = middle;
    low = v;
    if (reached <= k + k / 2) break;
  }
  return low;
}

// ranks[i] := how many come before x[i] when sorted, best first, equal values in their present order. For short lists
// without NaN: all pairs are compared, sixteen at a time, and no branch depends on the values.
template <class A>
void rank(const float* x, std::size_t n, std::int32_t* ranks) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = L::set1(x[i]);
    int before = 0;
    for (std::size_t j = 0; j < n; j += 16) {
      const auto other = L::load_n(x + j, n - j);
      const std::uint32_t there = n - j < 16 ? (1u << (n - j)) - 1 : 0xffffu;
      const std::uint32_t earlier = j + 16 <= i ? 0xffffu : j > i ? 0u : (1u << (i - j)) - 1;
      const std::uint32_t better = ~L::at_least(v, other), as_good = L::at_least(other, v);
      before += __builtin_popcount(there & (better | (as_good & earlier)));
    }
    ranks[i] = before;
  }
}

// y := x * factor, within +-bound; -infinity stays, NaN becomes it. In place allowed.
template <class A>
void scale_logits(const float* x, std::size_t n, float factor, float bound, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto none = L::set1(-__builtin_inff()), lowest = L::set1(-__FLT_MAX__);
  const auto f = L::set1(factor), high = L::set1(bound), low = L::set1(-bound);
  const auto scaled = [&](typename L::F v) noexcept {
    v = L::max(v, none);
    return L::select_less(v, lowest, v, L::min(L::max(L::mul(v, f), low), high));
  };
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) L::store(y + i, scaled(L::load(x + i)));
  if (i < n) L::store_n(y + i, scaled(L::load_n(x + i, n - i)), n - i);
}

}  // namespace lq::kernels
