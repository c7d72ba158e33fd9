// Matrix products in fp32: plain formats, and every format in reference mode. acc = fma(w, x, acc) for k = 0, 1, ...
#pragma once

#include "loquor/kernels/matmul_tile.hpp"

namespace lq::kernels {

// fp32 products: one k of a panel at a time, widened from the format.
template <class A, DType kType>
struct Widen;
template <class A>
struct Widen<A, DType::F32> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    return simd::Lanes<A>::load(reinterpret_cast<const float*>(panel) + 16 * k);
  }
};
template <class A>
struct Widen<A, DType::F16> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    return simd::Lanes<A>::from_f16(reinterpret_cast<const std::uint16_t*>(panel) + 16 * k);
  }
};
template <class A>
struct Widen<A, DType::BF16> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    return simd::Lanes<A>::from_bf16(reinterpret_cast<const std::uint16_t*>(panel) + 16 * k);
  }
};
template <class A>
struct Widen<A, DType::Q8_0> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    using L = simd::Lanes<A>;
    const PanelQ8_0& b = reinterpret_cast<const PanelQ8_0*>(panel)[k / kBlock];
    const auto q = L::cvt(L::lane_byte(L::wload(b.q + 64 * (k % kBlock / 4)), static_cast<int>(k % 4)));
    return L::mul(L::from_f16(b.d), L::sub(q, L::set1(128.0f)));
  }
};
template <class A, class Panel>
inline auto nibble_lanes(const Panel& b, std::size_t k) noexcept {
  using L = simd::Lanes<A>;
  const auto raw = L::wload(b.q + 64 * (k % 16 / 4));
  return L::cvt(L::lane_byte(k % kBlock < 16 ? L::low_nibbles(raw) : L::high_nibbles(raw), static_cast<int>(k % 4)));
}
template <class A>
struct Widen<A, DType::Q4_0> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    using L = simd::Lanes<A>;
    const PanelQ4_0& b = reinterpret_cast<const PanelQ4_0*>(panel)[k / kBlock];
    return L::mul(L::from_f16(b.d), L::sub(nibble_lanes<A>(b, k), L::set1(8.0f)));
  }
};
template <class A>
struct Widen<A, DType::Q4_1> {
  static auto at(const std::byte* panel, std::size_t k) noexcept {
    using L = simd::Lanes<A>;
    const PanelQ4_1& b = reinterpret_cast<const PanelQ4_1*>(panel)[k / kBlock];
    return L::add(L::mul(L::from_f16(b.d), nibble_lanes<A>(b, k)), L::from_f16(b.m));
  }
};

template <class A, DType kType, int P, int T>
inline void tile_plain(const MatmulArgs& m, std::size_t panel, std::size_t token) noexcept {
  using L = simd::Lanes<A>;
  typename L::F acc[P][T];
  for (auto& row : acc)
    for (auto& v : row) v = L::zero();
  const std::byte* base = m.panels + panel * m.panel_bytes;
  for (std::size_t k = 0; k < m.cols; ++k) {
    typename L::F w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) w[p] = Widen<A, kType>::at(base + static_cast<std::size_t>(p) * m.panel_bytes, k);
#pragma GCC unroll 12
    for (int t = 0; t < T; ++t) {
      const auto x = L::set1(m.x[(token + static_cast<std::size_t>(t)) * m.cols + k]);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) acc[p][t] = L::fma(w[p], x, acc[p][t]);
    }
  }
  store_tile<A, P, T>(m, panel, token, acc);
}

// Walks panels x tokens in tiles of the arch's shape; smaller ones at the edges. Tokens are innermost for large
// batches, so that a panel stays in L1 while all rows pass it.
template <class A, int P, int T, class Tile>
inline void walk_tokens(const MatmulArgs& m, std::size_t panel, const Tile& tile) noexcept {
  std::size_t t = 0;
  for (; t + T <= m.tokens; t += T) tile.template operator()<P, T>(m, panel, t);
  if constexpr (T > 4)
    for (; t + 4 <= m.tokens; t += 4) tile.template operator()<P, 4>(m, panel, t);
  if constexpr (T > 2)
    for (; t + 2 <= m.tokens; t += 2) tile.template operator()<P, 2>(m, panel, t);
  if constexpr (T > 1)
    for (; t < m.tokens; ++t) tile.template operator()<P, 1>(m, panel, t);
}

template <class A, class Tile>
inline void walk(const MatmulArgs& m, std::size_t begin, std::size_t end, const Tile& tile) noexcept {
  using L = simd::Lanes<A>;
  std::size_t p = begin;
  if (m.tokens == 1) {
    // One token: more panels at once hide the latency of the dot products and keep several streams in flight.
    for (; p + 2 <= end; p += 2) tile.template operator()<2, 1>(m, p, 0);
    for (; p < end; ++p) tile.template operator()<1, 1>(m, p, 0);
    return;
  }
  for (; p + L::kGemmPanels <= end; p += L::kGemmPanels) walk_tokens<A, L::kGemmPanels, L::kGemmRows>(m, p, tile);
  for (; p < end; ++p) walk_tokens<A, 1, L::kGemmRows>(m, p, tile);
}

template <class A, DType kType>
inline void matmul_plain(const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  walk<A>(m, begin, end, []<int P, int T>(const MatmulArgs& args, std::size_t panel, std::size_t token) noexcept {
    tile_plain<A, kType, P, T>(args, panel, token);
  });
}

}  // namespace lq::kernels
