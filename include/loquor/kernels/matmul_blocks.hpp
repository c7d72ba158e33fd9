// Matrix products of block formats in integer arithmetic. A vector lane is an output row.
//
// Arithmetic per output element, the same in every tile shape (hence bit-identical for one row and for many): the
// columns are taken in segments (quantize.hpp). In a segment, for each block of 32 in order
//     acc = fma(float(sum q_w q_a), d_w * d_a, acc), and for Q4_1 then  acc = fma(m_w, sum of what the block stands
//     for, acc),
// (panels with two scales a block: the same for each half; sums of halves are taken here, in integers),
// then for its outliers in order  h = fma(float(sum q_w digits), d_w, h), and at last acc = fma(h, big, acc). The
// integer sums are exact.
//
// Fewer than kManyRows read the packed panels as they are. Many rows read panels unpacked to one byte a weight, kStrip
// rows at a time, so that unpacking is shared by all of them.
#pragma once

#include <type_traits>

#include "loquor/kernels/matmul_tile.hpp"

namespace lq::kernels {

// One packed panel type: the dwords of group i (columns 4i.. of the block) and their product with four digits.
template <class A, class Panel>
struct Packed {
  using L = simd::Lanes<A>;
  static constexpr bool kNibbles = sizeof(Panel::q) == 256;
  static constexpr bool kMin = requires(const Panel& p) { p.m; };
  static constexpr bool kHalves = sizeof(Panel::d) == 64;            // a scale for each half of a block
  static constexpr bool kSigned = std::is_same_v<Panel, PanelQ8_0>;  // codes need all eight bits
  static constexpr std::int32_t kBias = std::is_same_v<Panel, PanelQ4_0> ? 8
                                        : std::is_same_v<Panel, PanelG8> ? 32
                                        : kSigned                        ? L::kDot8Bias
                                                                         : 0;

  static typename L::W group(const Panel& p, std::size_t i) noexcept {
    if constexpr (!kNibbles) return L::wload(p.q + 64 * i);
    const auto raw = L::wload(p.q + 64 * (i % 4));
    return i < 4 ? L::low_nibbles(raw) : L::high_nibbles(raw);
  }
  static typename L::I dot(typename L::I acc, const typename L::W& w, const std::int8_t* a) noexcept {
    if constexpr (kSigned) return L::dot8(acc, w, a);
    return L::dot4(acc, w, a);
  }
};

// Block b of the tile of T rows that begins at `token`, and of it the four digits of group i of row t.
template <int T>
LQ_ALWAYS_INLINE const std::byte* row_block(const MatmulArgs& m, std::size_t b, std::size_t token) noexcept {
  return m.blocks + (token * (m.cols / kBlock) + b * T) * kRowBlockBytes;
}
template <int T>
LQ_ALWAYS_INLINE const std::int8_t* digits(const std::int8_t* block, std::size_t i, int t) noexcept {
  return block + 4 * (T * i + static_cast<std::size_t>(t));
}

// P panels of a matrix in the file's layout, `blocks` blocks each.
template <class A, class Panel, int P>
struct PackedStrip {
  using L = simd::Lanes<A>;
  using Format = Packed<A, Panel>;
  const Panel* base;
  std::size_t blocks;

  const Panel& at(int p, std::size_t b) const noexcept { return base[static_cast<std::size_t>(p) * blocks + b]; }
  // `h`: the half of the block, where halves have scales of their own.
  typename L::F scale(int p, std::size_t b, std::size_t h = 0) const noexcept {
    return L::from_f16(at(p, b).d + 16 * h);
  }
  typename L::F min(int p, std::size_t b, std::size_t h = 0) const noexcept { return L::from_f16(at(p, b).m + 16 * h); }
  typename L::W group(int p, std::size_t b, std::size_t i) const noexcept { return Format::group(at(p, b), i); }

  // Groups [kBegin, kEnd) of a block; nibbles: all of them.
  template <int T, std::size_t kBegin = 0, std::size_t kEnd = 8>
  void dot(std::size_t b, const std::int8_t* a, typename L::I (&acc)[P][T]) const noexcept {
    if constexpr (!Format::kNibbles) {
#pragma GCC unroll 8
      for (std::size_t i = kBegin; i < kEnd; ++i)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          const auto w = group(p, b, i);
#pragma GCC unroll 8
          for (int t = 0; t < T; ++t) acc[p][t] = Format::dot(acc[p][t], w, digits<T>(a, i, t));
        }
    } else {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) {
          const auto raw = L::wload(at(p, b).q + 64 * i);
          const auto low = L::low_nibbles(raw), high = L::high_nibbles(raw);
#pragma GCC unroll 8
          for (int t = 0; t < T; ++t) {
            acc[p][t] = Format::dot(acc[p][t], low, digits<T>(a, i, t));
            acc[p][t] = Format::dot(acc[p][t], high, digits<T>(a, i + 4, t));
          }
        }
    }
  }
  // The same blocks of the next strip: in L2 by the time this thread gets there.
  template <int T>
  LQ_ALWAYS_INLINE void prefetch(const MatmulArgs&, std::size_t b, std::size_t) const noexcept {
    const auto* next = reinterpret_cast<const std::byte*>(base + static_cast<std::size_t>(P) * blocks + b * P);
    for (std::size_t line = 0; line < sizeof(Panel) * P; line += 64) L::prefetch(next + line);
  }
};

// One segment of P panels, one byte a weight and fp32 scales: 31 KiB for two panels, read from L1 by row after row.
template <class A, class Panel, int P>
struct UnpackedStrip {
  using L = simd::Lanes<A>;
  using Format = Packed<A, Panel>;
  alignas(64) std::uint8_t q[kSegmentBlocks][8][P][64];
  static constexpr std::size_t kScales = Format::kHalves ? 2 : 1;
  alignas(64) float d[kSegmentBlocks][P][16 * kScales], m[Format::kMin ? kSegmentBlocks : 1][P][16 * kScales];
  std::size_t first;  // block

  void load(const PackedStrip<A, Panel, P>& from, std::size_t begin, std::size_t end) noexcept {
    first = begin;
    for (std::size_t b = begin; b < end; ++b)
      for (int p = 0; p < P; ++p) {
        for (std::size_t i = 0; i < 8; ++i) L::wstore(q[b - first][i][p], from.group(p, b, i));
        for (std::size_t h = 0; h < kScales; ++h) {
          L::store(d[b - first][p] + 16 * h, from.scale(p, b, h));
          if constexpr (Format::kMin) L::store(m[b - first][p] + 16 * h, from.min(p, b, h));
        }
      }
  }
  // The same block of the next tile, from L2 into L1.
  template <int T>
  LQ_ALWAYS_INLINE void prefetch(const MatmulArgs& args, std::size_t b, std::size_t token) const noexcept {
    const std::byte* next = row_block<T>(args, b, token) + T * (args.cols / kBlock) * kRowBlockBytes;
#pragma GCC unroll 8
    for (std::size_t line = 0; line < T * kRowBlockBytes; line += 64) L::prefetch_l1(next + line);
  }
  typename L::F scale(int p, std::size_t b, std::size_t h = 0) const noexcept {
    return L::load(d[b - first][p] + 16 * h);
  }
  typename L::F min(int p, std::size_t b, std::size_t h = 0) const noexcept {
    return L::load(m[b - first][p] + 16 * h);
  }
  typename L::W group(int p, std::size_t b, std::size_t i) const noexcept { return L::wload(q[b - first][i][p]); }

  template <int T, std::size_t kBegin = 0, std::size_t kEnd = 8>
  void dot(std::size_t b, const std::int8_t* a, typename L::I (&acc)[P][T]) const noexcept {
#pragma GCC unroll 8
    for (std::size_t i = kBegin; i < kEnd; ++i) {
      typename L::W w[P];
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) w[p] = group(p, b, i);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t)
#pragma GCC unroll 8
        for (int p = 0; p < P; ++p) acc[p][t] = Format::dot(acc[p][t], w[p], digits<T>(a, i, t));
    }
  }
};

// Half h of block b of rows token.., for panels with a scale for each half. The bias of the codes, or the sums that the
// minima need, come from a product with a constant: a row's block has only its whole sum.
template <class A, int P, int T, std::size_t kHalf, class Strip>
LQ_ALWAYS_INLINE void add_half(const MatmulArgs& m, const Strip& w, std::size_t b, std::size_t token,
                               typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  using Format = typename Strip::Format;
  constexpr std::size_t kBegin = 4 * kHalf, kEnd = kBegin + 4;
  const std::byte* block = row_block<T>(m, b, token);
  const auto* a = reinterpret_cast<const std::int8_t*>(block);
  const float* d = reinterpret_cast<const float*>(block + T * kBlock);
  const auto times = L::wbytes(Format::kBias ? Format::kBias : 1);
  typename L::F sum[T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    auto s = L::izero();
#pragma GCC unroll 8
    for (std::size_t i = kBegin; i < kEnd; ++i) s = L::dot4(s, times, digits<T>(a, i, t));
    sum[t] = L::cvt(s);
  }
  typename L::I dot[P][T];
  for (auto& row : dot)
    for (auto& v : row) v = L::izero();
  w.template dot<T, kBegin, kEnd>(b, a, dot);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const auto dw = w.scale(p, b, kHalf);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) {
      const auto da = L::set1(d[t]);
      auto q = L::cvt(dot[p][t]);
      if constexpr (Format::kBias != 0) q = L::sub(q, sum[t]);  // exact: below 2^24
      acc[p][t] = L::fma(q, L::mul(dw, da), acc[p][t]);
      if constexpr (Format::kMin) acc[p][t] = L::fma(w.min(p, b, kHalf), L::mul(sum[t], da), acc[p][t]);
    }
  }
}

// Adds block b of rows token.. to a tile. Registers: P*T int32 and P*T fp32 accumulators, P or 2P weights, P scales.
template <class A, int P, int T, class Strip>
LQ_ALWAYS_INLINE void add_block(const MatmulArgs& m, const Strip& w, std::size_t b, std::size_t token,
                                typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  using Format = typename Strip::Format;
  if constexpr (Format::kHalves) {
    add_half<A, P, T, 0>(m, w, b, token, acc);
    return add_half<A, P, T, 1>(m, w, b, token, acc);
  }
  const std::byte* block = row_block<T>(m, b, token);
  const float* d = reinterpret_cast<const float*>(block + T * kBlock);
  const float* ds = d + T;
  const std::int32_t* sum = reinterpret_cast<const std::int32_t*>(ds + T);
  typename L::I dot[P][T];
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const auto init = Format::kBias ? L::iset1(-Format::kBias * sum[t]) : L::izero();
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) dot[p][t] = init;
  }
  w.template dot<T>(b, reinterpret_cast<const std::int8_t*>(block), dot);
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p) {
    const auto dw = w.scale(p, b);
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) acc[p][t] = L::fma(L::cvt(dot[p][t]), L::mul(dw, L::set1(d[t])), acc[p][t]);
    if constexpr (Format::kMin) {
      const auto mw = w.min(p, b);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) acc[p][t] = L::fma(mw, L::set1(ds[t]), acc[p][t]);
    }
  }
}

// Adds the outliers of one segment.
template <class A, int P, int T, class Strip>
LQ_ALWAYS_INLINE void add_outliers(const MatmulArgs& m, const Strip& w, std::size_t segment, std::size_t token,
                                   typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  using L = simd::Lanes<A>;
  using Format = typename Strip::Format;
#pragma GCC unroll 8
  for (int t = 0; t < T; ++t) {
    const std::size_t row = token + static_cast<std::size_t>(t);
    const std::uint32_t* first = m.first + row * (segments(m.cols) + 1) + segment;
    const Outlier *o = m.outliers + row * (m.cols / 4), *end = o + first[1];
    o += first[0];
    if (o == end) continue;
    typename L::F h[P];
    for (auto& v : h) v = L::zero();
    for (; o != end; ++o) {
      const std::size_t b = o->group / 8, i = o->group % 8;
      const auto init = Format::kBias ? L::iset1(-Format::kBias * o->sum) : L::izero();
#pragma GCC unroll 8
      for (int p = 0; p < P; ++p) {
        const std::size_t half = Format::kHalves ? i / 4 : 0;
        h[p] = L::fma(L::cvt(Format::dot(init, w.group(p, b, i), o->digits)), w.scale(p, b, half), h[p]);
        if constexpr (Format::kHalves && Format::kMin)  // else the block's ds has their part
          h[p] = L::fma(w.min(p, b, half), L::set1(static_cast<float>(o->sum)), h[p]);
      }
    }
    const auto big = L::set1(m.big[row]);
#pragma GCC unroll 8
    for (int p = 0; p < P; ++p) acc[p][t] = L::fma(h[p], big, acc[p][t]);
  }
}

template <class A, int P, int T, class Strip>
LQ_ALWAYS_INLINE void add_segment(const MatmulArgs& m, const Strip& w, std::size_t segment, std::size_t token,
                                  typename simd::Lanes<A>::F (&acc)[P][T]) noexcept {
  const std::size_t blocks = m.cols / kBlock, begin = segment * kSegmentBlocks;
  const std::size_t end = blocks - begin < kSegmentBlocks ? blocks : begin + kSegmentBlocks;
  for (std::size_t b = begin; b < end; ++b) {
    w.template prefetch<T>(m, b, token);
    add_block<A, P, T>(m, w, b, token, acc);
  }
  add_outliers<A, P, T>(m, w, segment, token, acc);
}

template <class A, class Panel, int P, int T>
inline void tile_few(const MatmulArgs& m, std::size_t panel, std::size_t token) noexcept {
  using L = simd::Lanes<A>;
  typename L::F acc[P][T];
  for (auto& row : acc)
    for (auto& v : row) v = L::zero();
  const PackedStrip<A, Panel, P> w{reinterpret_cast<const Panel*>(m.panels + panel * m.panel_bytes), m.cols / kBlock};
  for (std::size_t s = 0; s < segments(m.cols); ++s) add_segment<A, P, T>(m, w, s, token, acc);
  store_tile<A, P, T>(m, panel, token, acc);
}

// Rows [begin, begin + n), n <= kStrip, of the accumulators kept between the segments of a long matrix.
inline constexpr std::size_t kStrip = 96;  // whole tiles of 6, 4 or 3 rows

template <class A, class Panel, int P, int T>
inline void tile_many(const MatmulArgs& m, const UnpackedStrip<A, Panel, P>& w, std::size_t panel, std::size_t segment,
                      std::size_t token, float* kept) noexcept {
  using L = simd::Lanes<A>;
  typename L::F acc[P][T];
#pragma GCC unroll 8
  for (int p = 0; p < P; ++p)
#pragma GCC unroll 8
    for (int t = 0; t < T; ++t) acc[p][t] = segment ? L::load(kept + 16 * (t * P + p)) : L::zero();
  if (segment + 1 == segments(m.cols))  // results go to lines that no cache holds: ask for them early
    for (int t = 0; t < T; ++t)
      for (int p = 0; p < P; ++p)
        L::prefetch_l1(m.y + (token + static_cast<std::size_t>(t)) * m.ldy +
                       (panel + static_cast<std::size_t>(p)) * kPanelRows);
  add_segment<A, P, T>(m, w, segment, token, acc);
  if (segment + 1 == segments(m.cols)) return store_tile<A, P, T>(m, panel, token, acc);
  for (int p = 0; p < P; ++p)
    for (int t = 0; t < T; ++t) L::store(kept + 16 * (t * P + p), acc[p][t]);
}

// The tiles of row_tile() in [begin, end), of kMost rows at most.
template <int kMost, class Tile>
inline void for_tiles(std::size_t begin, std::size_t end, const Tile& tile) noexcept {
  std::size_t t = begin;
  for (; t + kMost <= end; t += kMost) tile.template operator()<kMost>(t);
  if constexpr (kMost > 4)
    for (; t + 4 <= end; t += 4) tile.template operator()<4>(t);
  if constexpr (kMost > 2)
    for (; t + 2 <= end; t += 2) tile.template operator()<2>(t);
  for (; t < end; ++t) tile.template operator()<1>(t);
}

template <class A, class Panel, int P>
inline void strip_many(const MatmulArgs& m, std::size_t panel) noexcept {
  constexpr int kT = simd::Lanes<A>::kTokens;
  const PackedStrip<A, Panel, P> packed{reinterpret_cast<const Panel*>(m.panels + panel * m.panel_bytes),
                                        m.cols / kBlock};
  UnpackedStrip<A, Panel, P> w;
  alignas(64) float kept[kStrip * P * 16];
  const std::size_t last = segments(m.cols) - 1, step = last == 0 ? m.tokens : kStrip;
  for (std::size_t begin = 0; begin < m.tokens; begin += step)
    for (std::size_t s = 0; s <= last; ++s) {
      w.load(packed, s * kSegmentBlocks, s == last ? packed.blocks : (s + 1) * kSegmentBlocks);
      const std::size_t end = m.tokens - begin < step ? m.tokens : begin + step;
      const auto tile = [&]<int T>(std::size_t t) noexcept {
        tile_many<A, Panel, P, T>(m, w, panel, s, t, last ? kept + (t - begin) * P * 16 : nullptr);
      };
      for_tiles<kT>(begin, end, tile);
    }
}

template <class A, class Panel>
inline void matmul_blocks(const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  constexpr int kP = simd::Lanes<A>::kPanels;
  std::size_t p = begin;
  if (m.tokens >= kManyRows<A>) {
    for (; p + kP <= end; p += kP) strip_many<A, Panel, kP>(m, p);
    if constexpr (kP > 1)
      for (; p < end; ++p) strip_many<A, Panel, 1>(m, p);
    return;
  }
  // One row: two panels at once hide the latency of the dot products.
  const auto few = [&]<int P, int kMost>(std::size_t panel) noexcept {
    for_tiles<kMost>(0, m.tokens, [&]<int T>(std::size_t t) noexcept { tile_few<A, Panel, P, T>(m, panel, t); });
  };
  if (m.tokens < kSomeRows) {
    for (; p + 2 <= end; p += 2) few.template operator()<2, 2>(p);
    for (; p < end; ++p) few.template operator()<1, 2>(p);
    return;
  }
  for (; p + kP <= end; p += kP) few.template operator()<kP, kSomeTile<A>>(p);
  if constexpr (kP > 1)
    for (; p < end; ++p) few.template operator()<1, kSomeTile<A>>(p);
}

}  // namespace lq::kernels
