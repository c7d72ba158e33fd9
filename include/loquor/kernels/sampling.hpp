// Scans over a row of logits. NaN counts as absent, as if it were -infinity.
#pragma once

#include <bit>

#include "loquor/simd/math.hpp"

namespace lq::kernels {

// Logits are looked at in blocks of this many: four vectors, four cache lines, four panels of a weight matrix.
inline constexpr std::size_t kLogitBlock = 64;

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

// maxima[b] := the largest of x[64 b], ..., x[64 b + 63], fewer in the last block.
template <class A>
void block_max(const float* x, std::size_t n, float* maxima) noexcept {
  using L = simd::Lanes<A>;
  const auto least = L::set1(-__builtin_inff());
  std::size_t i = 0;
  for (; i + kLogitBlock <= n; i += kLogitBlock) {
    // As above: a NaN in the first operand gives way to the second.
    const auto a = L::max(L::load(x + i + 16), L::max(L::load(x + i), least));
    const auto b = L::max(L::load(x + i + 48), L::max(L::load(x + i + 32), least));
    *maxima++ = L::hmax(L::max(a, b));
  }
  if (i == n) return;
  float m = -__builtin_inff();
  for (; i < n; ++i) m = x[i] > m ? x[i] : m;
  *maxima = m;
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
