// fp32 matrix products for training: C (+)= A B, any strides of A. Every element of C is the chain acc = fma(a, b, acc)
// for k = 0, 1, ..., K-1 whatever the tile it falls in, so the same bits come out for every split of the rows and
// columns.
#pragma once

#include "loquor/simd/arch.hpp"  // and the lanes_<isa>.hpp that the including file chose

namespace lq {

struct GemmArgs {
  std::size_t m, n, k;
  const float* a;  // A(i, k) = a[i * a_row + k * a_col]; one of the two strides is 1
  std::size_t a_row, a_col;
  const float* b;  // B(k, 16 p + j) = b[p * b_panel + k * b_row + j]: packed, or rows where they lie
  std::size_t b_panel, b_row;
  bool b_padded;  // the last panel may be read to its 16th column
  float* c;
  std::size_t ldc;
  const float* bias;  // added to each row of C, or nullptr; only without `add`
  bool add;           // C += A B
};

namespace kernels {

inline constexpr std::size_t kGemmDepth = 256;  // of k at once: two panels of B are 32 KiB

template <class A>
struct GemmTile {
  const GemmArgs& g;
  std::size_t k_begin, k_end;
  const float* a;  // element (0, k_begin) of this tile's rows
  std::size_t a_row, a_col;
};

// R rows x P panels of C from `row`, `panel`. kTail: the last panel is not whole.
template <class A, int R, int P, bool kTail>
inline void gemm_tile(const GemmTile<A>& t, std::size_t row, std::size_t panel) noexcept {
  using L = simd::Lanes<A>;
  const GemmArgs& g = t.g;
  const std::size_t tail = g.n - 16 * (panel + P - 1);  // columns of the last panel
  const bool fresh = t.k_begin == 0 && !g.add;
  typename L::F acc[R][P];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      const std::size_t column = 16 * (panel + static_cast<std::size_t>(p));
      const float* from =
          fresh ? g.bias ? g.bias + column : nullptr : g.c + (row + static_cast<std::size_t>(r)) * g.ldc + column;
      if (!from)
        acc[r][p] = L::zero();
      else
        acc[r][p] = kTail && p == P - 1 ? L::load_n(from, tail) : L::load(from);
    }
  const float* b = g.b + panel * g.b_panel + t.k_begin * g.b_row;
  const float* a = t.a;
  const bool masked = kTail && !g.b_padded;
  for (std::size_t k = t.k_begin; k < t.k_end; ++k, b += g.b_row, a += t.a_col) {
    typename L::F w[P];
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p)
      w[p] = masked && p == P - 1 ? L::load_n(b + static_cast<std::size_t>(p) * g.b_panel, tail)
                                  : L::load(b + static_cast<std::size_t>(p) * g.b_panel);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
      const auto x = L::set1(a[static_cast<std::size_t>(r) * t.a_row]);
#pragma GCC unroll 2
      for (int p = 0; p < P; ++p) acc[r][p] = L::fma(w[p], x, acc[r][p]);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int p = 0; p < P; ++p) {
      float* to = g.c + (row + static_cast<std::size_t>(r)) * g.ldc + 16 * (panel + static_cast<std::size_t>(p));
      if (kTail && p == P - 1)
        L::store_n(to, acc[r][p], tail);
      else
        L::store(to, acc[r][p]);
    }
}

template <class A, int R>
inline void gemm_panels(const GemmTile<A>& t, std::size_t row, std::size_t begin, std::size_t end) noexcept {
  constexpr int P = simd::Lanes<A>::kGemmPanels;
  const bool tail = t.g.n % 16 != 0 && 16 * end > t.g.n;
  const std::size_t whole = tail ? end - 1 : end;
  std::size_t p = begin;
  for (; p + P <= whole; p += P) gemm_tile<A, R, P, false>(t, row, p);
  for (; p < whole; ++p) gemm_tile<A, R, 1, false>(t, row, p);
  if (tail) gemm_tile<A, R, 1, true>(t, row, p);
}

// R rows of A for [k, k_end) as [k][16], zeros in the rows there are not.
template <class A>
inline void gemm_pack_rows(const GemmArgs& g, std::size_t row, std::size_t rows, std::size_t k, std::size_t k_end,
                           float* out) noexcept {
  using L = simd::Lanes<A>;
  for (; k < k_end; k += 16, out += 256) {
    typename L::F r[16];
    for (std::size_t i = 0; i < 16; ++i)
      r[i] = i < rows ? L::load_n(g.a + (row + i) * g.a_row + k, k_end - k) : L::zero();
    L::transpose(r);
    for (std::size_t i = 0; i < 16; ++i) L::store(out + 16 * i, r[i]);
  }
}

template <class A, int R>
inline void gemm_rows(GemmTile<A> t, float* packed, std::size_t row, std::size_t begin, std::size_t end) noexcept {
  const GemmArgs& g = t.g;
  if (g.a_col == 1 && R > 1) {  // rows far apart: a copy in the order of use
    gemm_pack_rows<A>(g, row, R, t.k_begin, t.k_end, packed);
    t.a = packed;
    t.a_row = 1;
    t.a_col = 16;
  } else {
    t.a = g.a + row * g.a_row + t.k_begin * g.a_col;
    t.a_row = g.a_row;
    t.a_col = g.a_col;
  }
  gemm_panels<A, R>(t, row, begin, end);
}

// Rows [row_begin, row_end) and panels [panel_begin, panel_end) of C.
template <class A>
void gemm(const GemmArgs& g, std::size_t row_begin, std::size_t row_end, std::size_t panel_begin,
          std::size_t panel_end) noexcept {
  constexpr std::size_t R = simd::Lanes<A>::kGemmRows;
  alignas(64) float packed[16 * kGemmDepth];
  std::size_t k = 0;
  do {
    const std::size_t k_end = g.k - k < kGemmDepth ? g.k : k + kGemmDepth;
    const GemmTile<A> t{g, k, k_end, nullptr, 0, 0};
    std::size_t row = row_begin;
    for (; row + R <= row_end; row += R) gemm_rows<A, static_cast<int>(R)>(t, packed, row, panel_begin, panel_end);
    if constexpr (R > 8)
      for (; row + 8 <= row_end; row += 8) gemm_rows<A, 8>(t, packed, row, panel_begin, panel_end);
    if constexpr (R > 4)
      for (; row + 4 <= row_end; row += 4) gemm_rows<A, 4>(t, packed, row, panel_begin, panel_end);
    for (; row + 2 <= row_end; row += 2) gemm_rows<A, 2>(t, packed, row, panel_begin, panel_end);
    for (; row < row_end; ++row) gemm_rows<A, 1>(t, packed, row, panel_begin, panel_end);
    k = k_end;
  } while (k < g.k);
}

// One panel of B, n <= 16 columns, as [k][16] with zeros in the columns there are not. B(k, j) = src[k * row + j *
// col]; one of the strides is 1.
template <class A>
void gemm_pack(const float* src, std::size_t row, std::size_t col, std::size_t n, std::size_t depth,
               float* out) noexcept {
  using L = simd::Lanes<A>;
  if (col == 1) {
    for (std::size_t k = 0; k < depth; ++k) L::store(out + 16 * k, L::load_n(src + k * row, n));
    return;
  }
  for (std::size_t k = 0; k < depth; k += 16) {
    typename L::F r[16];
    for (std::size_t j = 0; j < 16; ++j) r[j] = j < n ? L::load_n(src + j * col + k, depth - k) : L::zero();
    L::transpose(r);
    for (std::size_t i = 0; i < 16 && k + i < depth; ++i) L::store(out + 16 * (k + i), r[i]);
  }
}

}  // namespace kernels
}  // namespace lq
