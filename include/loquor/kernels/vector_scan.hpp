// Dot products of one vector with many: the exact search for nearest neighbours. Rows are `stride` elements apart and
// filled up with zeros, as is q: no tails.
#pragma once

#include "loquor/simd/math.hpp"

namespace lq::kernels {

inline constexpr std::size_t kScanStride = 64;     // strides are multiples of this
inline constexpr std::size_t kScanMost = 1 << 16;  // and at most this, so that sums fit int32

// out[r] := sum q[i] rows[r][i], exactly. All bytes in -127..127, so that pairs of products fit int16 everywhere.
template <class A>
void dot_rows_i8(const std::int8_t* q, const std::int8_t* rows, std::size_t n, std::size_t stride,
                 std::int32_t* out) noexcept {
  using L = simd::Lanes<A>;
  std::size_t r = 0;
  for (; r + 16 <= n; r += 16) {
    typename L::I sums[16];
    const std::int8_t* block = rows + r * stride;
    // Two rows share a load of q; more would not pay, since rows come from memory.
    for (std::size_t k = 0; k < 16; k += 2) {
      auto a = L::izero(), b = a;
      const std::int8_t *x = block + k * stride, *y = x + stride;
      for (std::size_t i = 0; i < stride; i += 64) {
        const auto w = L::wload(q + i);
        a = L::dot_bytes(a, w, L::wload(x + i));
        b = L::dot_bytes(b, w, L::wload(y + i));
      }
      sums[k] = a;
      sums[k + 1] = b;
    }
    L::istore(out + r, L::ihsum16(sums));
  }
  for (; r < n; ++r) {
    auto a = L::izero();
    for (std::size_t i = 0; i < stride; i += 64) a = L::dot_bytes(a, L::wload(q + i), L::wload(rows + r * stride + i));
    out[r] = L::ihsum(a);
  }
}

// sum q[i] row[i]: a query that is not rounded, to put the best of the rounded ones in order.
template <class A>
float dot_row_mixed(const float* q, const std::int8_t* row, std::size_t stride) noexcept {
  using L = simd::Lanes<A>;
  auto a = L::zero();
  for (std::size_t i = 0; i < stride; i += 16) a = L::fma(L::load(q + i), L::from_i8(row + i), a);
  return L::hsum(a);
}

}  // namespace lq::kernels
