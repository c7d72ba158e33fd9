// y = x W^T over 16-row weight panels (quant/panel.hpp). One tile body for every format, batch size and instruction
// set.
//
// Arithmetic per output element, the same in every tile shape (hence bit-identical for one row and for many):
//   block formats: for each block of 32 in order: acc = fma(float(sum q_w q_a), d_w * d_a, acc); the same with the
//   second
//                  digits where the block has them (see quantize.hpp; for others it would add an exact zero); Q4_1 then
//                  acc = fma(m_w, d_a * sum q_a, acc). The integer sums are exact.
//   plain formats and reference mode: acc = fma(w, x, acc) for k = 0, 1, ...
#pragma once

#include <type_traits>

#include "loquor/core/config.hpp"
#include "loquor/quant/panel.hpp"
#include "loquor/simd/arch.hpp"

namespace lq {

// Everything a matmul reads and writes. Panels [panel_begin, panel_end), all `tokens` rows.
struct MatmulArgs {
  const std::byte* panels;  // panel 0
  std::size_t panel_bytes, cols, rows;
  const float* x;            // (tokens, cols), plain formats and reference mode
  const std::int8_t* q;      // (tokens, cols)
  const float* d;            // (tokens, cols/32) scale
  const float* ds;           // (tokens, cols/32) sum of what q, q2 and their scales stand for
  const std::int32_t* sum;   // (tokens, cols/32) sum of q
  const std::int8_t* q2;     // (tokens, cols) second digits
  const float* d2;           // (tokens, cols/32) their scale; 0: the block has none
  const std::int32_t* sum2;  // (tokens, cols/32) sum of q2
  std::size_t tokens;
  float* y;  // (tokens, rows), ldy floats apart
  std::size_t ldy;
  const float* bias;  // (rows) or nullptr
  bool add;           // y += instead of y =
};

namespace kernels {

template <class A, int P, int T>
inline void store_tile(const MatmulArgs& m, std::size_t panel, std::size_t token,
                       typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  for (int p = 0; p < P; ++p) {
    const std::size_t row = (panel + static_cast<std::size_t>(p)) * kPanelRows;
    const std::size_t n = m.rows - row < kPanelRows ? m.rows - row : kPanelRows;
    for (int t = 0; t < T; ++t) {
      float* y = m.y + (token + static_cast<std::size_t>(t)) * m.ldy + row;
      auto v = acc[p][t];
      if (m.bias) v = L::add(v, L::load_n(m.bias + row, n));
      if (m.add) v = L::add(L::load_n(y, n), v);
      L::store_n(y, v, n);
    }
  }
}

// Block formats by what a block adds up: the integer dot products of P panels and T tokens.
template <class A, class Panel>
struct BlockDot;

template <class A, class Panel>
requires(sizeof(Panel::q) == 256) struct BlockDot<A, Panel> {
  using L = simd::Lanes<A>;
  static constexpr std::int32_t kBias = std::is_same_v<Panel, PanelQ4_0> ? 8 : 0;

  template <int P, int T>
  static void run(const Panel* const (&w)[P], const std::int8_t* const (&a)[T], typename L::I (&acc)[P][T]) noexcept {
#pragma GCC unroll 4
    for (int g = 0; g < 4; ++g) {
      typename L::W low[P], high[P];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const auto raw = L::wload(w[p]->q + 64 * g);
        low[p] = L::low_nibbles(raw);
        high[p] = L::high_nibbles(raw);
      }
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          acc[p][t] = L::dot4(acc[p][t], low[p], a[t] + 4 * g);
          acc[p][t] = L::dot4(acc[p][t], high[p], a[t] + 16 + 4 * g);
        }
    }
  }
};

template <class A>
struct BlockDot<A, PanelQ8_0> {
  using L = simd::Lanes<A>;
  static constexpr std::int32_t kBias = L::kDot8Bias;

  template <int P, int T>
  static void run(const PanelQ8_0* const (&w)[P], const std::int8_t* const (&a)[T],
                  typename L::I (&acc)[P][T]) noexcept {
#pragma GCC unroll 8
    for (int g = 0; g < 8; ++g) {
      typename L::W q[P];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) q[p] = L::wload(w[p]->q + 64 * g);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) acc[p][t] = L::dot8(acc[p][t], q[p], a[t] + 4 * g);
    }
  }
};

// Adds one digit of the activations of block b: q with its scales and sums.
template <class A, class Panel, int P, int T>
LQ_ALWAYS_INLINE void add_digit(const Panel* const (&w)[P], const std::int8_t* q, const float* d,
                                const std::int32_t* sum, const MatmulArgs& m, std::size_t token, std::size_t b,
                                typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  using Dot = BlockDot<A, Panel>;
  const std::size_t blocks = m.cols / kBlock;
  const std::int8_t* a[T];
  typename L::I dot[P][T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const std::size_t row = token + static_cast<std::size_t>(t);
    a[t] = q + row * m.cols + b * kBlock;
    const auto init = Dot::kBias ? L::iset1(-Dot::kBias * sum[row * blocks + b]) : L::izero();
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) dot[p][t] = init;
  }
  Dot::template run<P, T>(w, a, dot);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const auto dw = L::from_f16(w[p]->d);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const std::size_t at = (token + static_cast<std::size_t>(t)) * blocks + b;
      acc[p][t] = L::fma(L::cvt(dot[p][t]), L::mul(dw, L::set1(d[at])), acc[p][t]);
    }
  }
}

// P panels x T tokens of a block format. Registers: P*T int32 and P*T fp32 accumulators, 2P weights, P scales.
template <class A, class Panel, int P, int T>
inline void tile_blocks(const MatmulArgs& m, std::size_t panel, std::size_t token) noexcept {
  using L = simd::Lanes<A>;
  const std::size_t blocks = m.cols / kBlock;
  typename L::F acc[P][T];
  for (auto& row : acc)
    for (auto& v : row) v = L::zero();
  const Panel* base = reinterpret_cast<const Panel*>(m.panels + panel * m.panel_bytes);
  for (std::size_t b = 0; b < blocks; ++b) {
    const Panel* w[P];
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) w[p] = base + static_cast<std::size_t>(p) * blocks + b;
    // The same block of the next panels: in L2 by the time this thread gets there.
    if constexpr (T == 1)
      for (std::size_t line = 0; line < sizeof(Panel) * P; line += 64)
        L::prefetch(reinterpret_cast<const std::byte*>(base) + P * m.panel_bytes + b * sizeof(Panel) * P + line);
    add_digit<A, Panel, P, T>(w, m.q, m.d, m.sum, m, token, b, acc);
    bool second = false;
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) second |= m.d2[(token + static_cast<std::size_t>(t)) * blocks + b] != 0.0f;
    if (second) add_digit<A, Panel, P, T>(w, m.q2, m.d2, m.sum2, m, token, b, acc);
    if constexpr (std::is_same_v<Panel, PanelQ4_1>) {
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const auto mw = L::from_f16(w[p]->m);
#pragma GCC unroll 8
        for (int t = 0; t < T; ++t)
          acc[p][t] = L::fma(mw, L::set1(m.ds[(token + static_cast<std::size_t>(t)) * blocks + b]), acc[p][t]);
      }
    }
  }
  store_tile<A, P, T>(m, panel, token, acc);
}

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
    typename L::F x[T];
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) x[t] = L::set1(m.x[(token + static_cast<std::size_t>(t)) * m.cols + k]);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) {
      const auto w = Widen<A, kType>::at(base + static_cast<std::size_t>(p) * m.panel_bytes, k);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) acc[p][t] = L::fma(w, x[t], acc[p][t]);
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
  for (; p + L::kPanels <= end; p += L::kPanels) walk_tokens<A, L::kPanels, L::kTokens>(m, p, tile);
  for (; p < end; ++p) walk_tokens<A, 1, L::kTokens>(m, p, tile);
}

template <class A, class Panel>
inline void matmul_blocks(const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  walk<A>(m, begin, end, []<int P, int T>(const MatmulArgs& args, std::size_t panel, std::size_t token) noexcept {
    tile_blocks<A, Panel, P, T>(args, panel, token);
  });
}

template <class A, DType kType>
inline void matmul_plain(const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  walk<A>(m, begin, end, []<int P, int T>(const MatmulArgs& args, std::size_t panel, std::size_t token) noexcept {
    tile_plain<A, kType, P, T>(args, panel, token);
  });
}

// Integer arithmetic for block formats, fp32 for the others.
template <class A>
void matmul(DType type, const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  switch (type) {
    case DType::Q4_0:
      return matmul_blocks<A, PanelQ4_0>(m, begin, end);
    case DType::Q4_1:
      return matmul_blocks<A, PanelQ4_1>(m, begin, end);
    case DType::Q8_0:
      return matmul_blocks<A, PanelQ8_0>(m, begin, end);
    case DType::F16:
      return matmul_plain<A, DType::F16>(m, begin, end);
    case DType::BF16:
      return matmul_plain<A, DType::BF16>(m, begin, end);
    default:
      return matmul_plain<A, DType::F32>(m, begin, end);
  }
}

// fp32 arithmetic for every format.
template <class A>
void matmul_reference(DType type, const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  switch (type) {
    case DType::Q4_0:
      return matmul_plain<A, DType::Q4_0>(m, begin, end);
    case DType::Q4_1:
      return matmul_plain<A, DType::Q4_1>(m, begin, end);
    case DType::Q8_0:
      return matmul_plain<A, DType::Q8_0>(m, begin, end);
    default:
      return matmul<A>(type, m, begin, end);
  }
}

}  // namespace kernels
}  // namespace lq
