// Causal attention over the paged KV cache, and writing into it.
//
// Per KV head of a page (64 tokens): keys, then values.
//   F16/F32  keys: 4 panels of 16 tokens, [hd][16]; values [64][hd]
//   Q8_0     keys: per panel and block of 32 dimensions: f16 d[16], int8 q[32][16]; values: per token and block: f16 d,
//   int8 q[32]
//
// Arithmetic per query row, the same whatever rows are computed together: keys are visited in chunks of kChunk at
// absolute positions. In a chunk: scores by fma over dimensions in order; m = max, p = exp(s - m), l = sum p in 16
// partial sums; output
// += p v by fma over keys in order. Chunks are merged in ascending order (online softmax). Masked keys have p = 0
// exactly and change nothing, so a row does not depend on how far the rows beside it look. With a window a row begins
// at the chunk of the first key it sees. With a soft cap c, scores are c tanh(s / c).
#pragma once

#include "loquor/nn/kv_layout.hpp"
#include "loquor/quant/panel.hpp"
#include "loquor/simd/math.hpp"

namespace lq {

inline constexpr std::size_t kAttentionChunk = 128;
inline constexpr std::size_t kMaxHeadDim = 256;

// The running state of `rows` query rows: m, l (rows) and o (rows, head_dim).
struct AttentionState {
  float *m, *l, *o;
};

struct AttentionArgs {
  DType type;
  std::size_t head_dim, head_bytes;  // bytes of keys, and again of values, of one head in a page
  const std::byte* const* pages;     // bases of the sequence's pages
  std::size_t page_offset;           // of this layer and KV head within a page
  float scale;
  const float* const* q;    // `rows` query vectors
  const std::size_t* last;  // (rows) last position each may see
  std::size_t rows;
  const std::size_t* begin = nullptr;  // (rows) first position each may see; nullptr: 0
  float soft_cap = 0;                  // 0: none
};

namespace kernels {

template <class A, DType kType>
struct KvType;

template <class A>
struct KvType<A, DType::F32> {
  using L = simd::Lanes<A>;
  using T = float;
  static auto load(const T* p) noexcept { return L::load(p); }
  static auto load_n(const T* p, std::size_t n) noexcept { return L::load_n(p, n); }
  static void convert(T* p, const float* x, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n; ++i) p[i] = x[i];
  }
};
template <class A>
struct KvType<A, DType::F16> {
  using L = simd::Lanes<A>;
  using T = std::uint16_t;
  static auto load(const T* p) noexcept { return L::from_f16(p); }
  static auto load_n(const T* p, std::size_t n) noexcept {
    if (n >= 16) return L::from_f16(p);
    T t[16] = {};
    for (std::size_t i = 0; i < n; ++i) t[i] = p[i];
    return L::from_f16(t);
  }
  static void convert(T* p, const float* x, std::size_t n) noexcept {
    std::size_t i = 0;
    for (; i + 16 <= n; i += 16) L::to_f16(p + i, L::load(x + i));
    if (i < n) {
      T t[16];
      L::to_f16(t, L::load_n(x + i, n - i));
      for (std::size_t j = i; j < n; ++j) p[j] = t[j - i];
    }
  }
};

// Block of 32 along the head dimension: q = round(x / d), d = max|x| / 127 rounded to f16.
template <class A>
inline std::uint16_t quantize_kv_block(const float* x, std::int8_t* q) noexcept {
  using L = simd::Lanes<A>;
  const auto lo = L::load(x), hi = L::load(x + 16);
  const float d = L::hmax(L::max(L::abs(lo), L::abs(hi))) / 127.0f;
  std::uint16_t bits[16];
  L::to_f16(bits, L::set1(d));
  const float inverse = d > 0.0f ? 1.0f / d : 0.0f;
  L::istore_i8(q, L::lrint(L::mul(lo, L::set1(inverse))));
  L::istore_i8(q + 16, L::lrint(L::mul(hi, L::set1(inverse))));
  return bits[0];
}

// Stores one token's key and value of one head at slot `t` (0..63) of a page.
template <class A, DType kType>
inline void store_token(std::byte* keys, std::byte* values, std::size_t t, std::size_t hd, const float* k,
                        const float* v) noexcept {
  if constexpr (kType == DType::Q8_0) {
    const std::size_t blocks = hd / kBlock;
    for (std::size_t b = 0; b < blocks; ++b) {
      std::int8_t q[kBlock];
      std::byte* panel = keys + (t / 16 * blocks + b) * sizeof(PanelQ8_0);
      const std::uint16_t d = quantize_kv_block<A>(k + b * kBlock, q);
      __builtin_memcpy(panel + 2 * (t % 16), &d, 2);
      for (std::size_t i = 0; i < kBlock; ++i) panel[32 + 16 * i + t % 16] = static_cast<std::byte>(q[i]);
      std::byte* value = values + (t * blocks + b) * 34;
      const std::uint16_t dv = quantize_kv_block<A>(v + b * kBlock, q);
      __builtin_memcpy(value, &dv, 2);
      __builtin_memcpy(value + 2, q, kBlock);
    }
  } else {
    using T = typename KvType<A, kType>::T;
    T row[kMaxHeadDim];
    KvType<A, kType>::convert(row, k, hd);
    T* panel = reinterpret_cast<T*>(keys) + t / 16 * 16 * hd + t % 16;
    for (std::size_t i = 0; i < hd; ++i) panel[16 * i] = row[i];
    KvType<A, kType>::convert(reinterpret_cast<T*>(values) + t * hd, v, hd);
  }
}

template <class A>
void kv_store(DType type, std::byte* keys, std::byte* values, std::size_t t, std::size_t hd, const float* k,
              const float* v) noexcept {
  if (type == DType::Q8_0) return store_token<A, DType::Q8_0>(keys, values, t, hd, k, v);
  if (type == DType::F16) return store_token<A, DType::F16>(keys, values, t, hd, k, v);
  store_token<A, DType::F32>(keys, values, t, hd, k, v);
}

// Scores of R rows against P panels of 16 keys. Registers: R*P accumulators, P keys, one broadcast.
template <class A, DType kType, int R, int P>
inline void score_tile(const std::byte* keys, std::size_t hd, const float* const* q,
                       typename simd::Lanes<A>::F (&s)[R][P]) noexcept {
  using L = simd::Lanes<A>;
  for (auto& row : s)
    for (auto& v : row) v = L::zero();
  if constexpr (kType == DType::Q8_0) {
    const std::size_t blocks = hd / kBlock;
    for (std::size_t b = 0; b < blocks; ++b) {
      typename L::F part[R][P];
      for (auto& row : part)
        for (auto& v : row) v = L::zero();
      for (std::size_t i = 0; i < kBlock; ++i)
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) {
          const std::byte* panel = keys + (static_cast<std::size_t>(p) * blocks + b) * sizeof(PanelQ8_0);
          const auto key = L::from_i8(reinterpret_cast<const std::int8_t*>(panel) + 32 + 16 * i);
#pragma GCC unroll 8
          for (int r = 0; r < R; ++r) part[r][p] = L::fma(key, L::set1(q[r][b * kBlock + i]), part[r][p]);
        }
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const std::byte* panel = keys + (static_cast<std::size_t>(p) * blocks + b) * sizeof(PanelQ8_0);
        const auto d = L::from_f16(reinterpret_cast<const std::uint16_t*>(panel));
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) s[r][p] = L::fma(part[r][p], d, s[r][p]);
      }
    }
  } else {
    using K = KvType<A, kType>;
    const auto* base = reinterpret_cast<const typename K::T*>(keys);
    for (std::size_t i = 0; i < hd; ++i) {
      typename L::F key[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) key[p] = K::load(base + static_cast<std::size_t>(p) * 16 * hd + 16 * i);
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        const auto x = L::set1(q[r][i]);
#pragma GCC unroll 4
        for (int p = 0; p < P; ++p) s[r][p] = L::fma(key[p], x, s[r][p]);
      }
    }
  }
}

// o[r][16 v ...] += p[r][key] * value[key] for `keys` keys of one page, V vectors of dimensions from `dim`.
template <class A, DType kType, int R, int V>
inline void value_tile(const std::byte* values, std::size_t first, std::size_t keys, std::size_t hd, std::size_t dim,
                       const float* p, float* o) noexcept {
  using L = simd::Lanes<A>;
  typename L::F acc[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      acc[r][v] = L::load(o + static_cast<std::size_t>(r) * kMaxHeadDim + dim + 16 * static_cast<std::size_t>(v));
  for (std::size_t t = 0; t < keys; ++t) {
    typename L::F value[V];
    if constexpr (kType == DType::Q8_0) {
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const std::size_t at = dim + 16 * static_cast<std::size_t>(v);
        const std::byte* block = values + ((first + t) * (hd / kBlock) + at / kBlock) * 34;
        std::uint16_t d;
        __builtin_memcpy(&d, block, 2);
        std::uint16_t scale[16];
        for (auto& x : scale) x = d;
        value[v] =
            L::mul(L::from_i8(reinterpret_cast<const std::int8_t*>(block) + 2 + at % kBlock), L::from_f16(scale));
      }
    } else {
      using K = KvType<A, kType>;
      const auto* row = reinterpret_cast<const typename K::T*>(values) + (first + t) * hd + dim;
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v)
        if constexpr (V > 1)  // whole vectors only: a branch here would keep the accumulators out of registers
          value[v] = K::load(row + 16 * v);
        else
          value[v] = K::load_n(row, hd - dim);
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const auto w = L::set1(p[static_cast<std::size_t>(r) * kAttentionChunk + t]);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) acc[r][v] = L::fma(w, value[v], acc[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      L::store(o + static_cast<std::size_t>(r) * kMaxHeadDim + dim + 16 * static_cast<std::size_t>(v), acc[r][v]);
}

// c tanh(x / c), n values; in place allowed. Gemma team 2024.
template <class A>
void soft_cap(const float* x, std::size_t n, float cap, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto inverse = L::set1(1.0f / cap), c = L::set1(cap);
  for (std::size_t i = 0; i < n; i += 16)
    L::store_n(y + i, L::mul(simd::tanh<A>(L::mul(L::load_n(x + i, n - i), inverse)), c), n - i);
}

// Turns a row of scores into weights in place; keys before `first` and after `visible` get 0. Returns m and l.
template <class A>
inline void softmax_row(float* s, std::size_t padded, std::size_t first, std::size_t visible, float scale, float* m,
                        float* l) noexcept {
  using L = simd::Lanes<A>;
  const auto factor = L::set1(scale);
  const auto hidden = L::set1(-__builtin_inff());
  auto top = hidden;
  for (std::size_t i = 0; i < padded; i += 16) {
    auto v = L::mul(L::load(s + i), factor);
    if (i + 16 > visible) {  // the last, partly visible panel, or one that only other rows see
      float t[16];
      L::store(t, v);
      for (std::size_t j = visible > i ? visible - i : 0; j < 16; ++j) t[j] = -__builtin_inff();
      v = L::load(t);
    }
    if (i < first) {
      float t[16];
      L::store(t, v);
      for (std::size_t j = 0; j < 16 && i + j < first; ++j) t[j] = -__builtin_inff();
      v = L::load(t);
    }
    L::store(s + i, v);
    top = L::max(v, top);
  }
  *m = L::hmax(top);
  const auto shift = L::set1(*m);
  auto sum = L::zero();
  for (std::size_t i = 0; i < padded; i += 16) {
    const auto p = simd::exp<A>(L::sub(L::load(s + i), shift));
    L::store(s + i, p);
    sum = L::add(sum, p);
  }
  *l = L::hsum(sum);
}

template <class A, DType kType, int R>
inline void scores(const AttentionArgs& a, std::size_t begin, std::size_t end, float* s) noexcept {
  using L = simd::Lanes<A>;
  constexpr int P = R <= 3 ? 4 : 2;
  const std::size_t panel = a.head_bytes / (KvLayout::kPageTokens / 16);
  const auto tile = [&]<int N>(std::size_t at) noexcept {
    const std::byte* keys =
        a.pages[at / KvLayout::kPageTokens] + a.page_offset + at % KvLayout::kPageTokens / 16 * panel;
    typename L::F v[R][N];
    score_tile<A, kType, R, N>(keys, a.head_dim, a.q, v);
    for (int r = 0; r < R; ++r)
      for (int p = 0; p < N; ++p)
        L::store(s + static_cast<std::size_t>(r) * kAttentionChunk + (at - begin) + 16 * static_cast<std::size_t>(p),
                 v[r][p]);
  };
  std::size_t at = begin;
  for (; at + 16 * P <= end; at += 16 * P) tile.template operator()<P>(at);
  for (; at < end; at += 16) tile.template operator()<1>(at);
}

template <class A, DType kType, int R>
inline void weighted_values(const AttentionArgs& a, std::size_t begin, std::size_t end, const float* p,
                            float* o) noexcept {
  constexpr std::size_t kPage = KvLayout::kPageTokens;
  for (std::size_t at = begin; at < end;) {
    const std::size_t n = kPage - at % kPage < end - at ? kPage - at % kPage : end - at;
    const std::byte* values = a.pages[at / kPage] + a.page_offset + a.head_bytes;
    std::size_t dim = 0;
    for (; dim + 64 <= a.head_dim; dim += 64)
      value_tile<A, kType, R, 4>(values, at % kPage, n, a.head_dim, dim, p + (at - begin), o);
    for (; dim < a.head_dim; dim += 16)
      value_tile<A, kType, R, 1>(values, at % kPage, n, a.head_dim, dim, p + (at - begin), o);
    at += n;
  }
}

// One chunk of keys [begin, end) for R rows: o (R, kMaxHeadDim) starts at zero.
template <class A, DType kType, int R>
inline void attend_chunk(const AttentionArgs& a, std::size_t begin, std::size_t end, float* m, float* l,
                         float* o) noexcept {
  alignas(64) float s[R * kAttentionChunk];
  const std::size_t padded = (end - begin + 15) / 16 * 16;
  scores<A, kType, R>(a, begin, begin + padded, s);
  for (int r = 0; r < R; ++r) {
    const std::size_t visible = a.last[r] + 1 > begin ? a.last[r] + 1 - begin : 0;
    const std::size_t first = a.begin && a.begin[r] > begin ? a.begin[r] - begin : 0;
    if (visible <= first) {
      for (std::size_t i = 0; i < padded; ++i) s[static_cast<std::size_t>(r) * kAttentionChunk + i] = 0.0f;
      continue;
    }
    float* row = s + static_cast<std::size_t>(r) * kAttentionChunk;
    float scale = a.scale;
    if (a.soft_cap > 0) {
      for (std::size_t i = 0; i < padded; ++i) row[i] *= scale;
      soft_cap<A>(row, padded, a.soft_cap, row);
      scale = 1.0f;
    }
    softmax_row<A>(row, padded, first, visible, scale, m + r, l + r);
  }
  weighted_values<A, kType, R>(a, begin, end, s, o);
}

// Adds a chunk's (m, l, o) to the running state of one row; `first`: there is none yet.
template <class A>
void attention_merge(std::size_t hd, bool first, float m, float l, const float* o, float* state_m, float* state_l,
                     float* state_o) noexcept {
  using L = simd::Lanes<A>;
  if (first) {
    *state_m = m;
    *state_l = l;
    for (std::size_t i = 0; i < hd; i += 16) L::store_n(state_o + i, L::load_n(o + i, hd - i), hd - i);
    return;
  }
  const float top = *state_m > m ? *state_m : m;
  float e[16] = {*state_m - top, m - top};
  L::store(e, simd::exp<A>(L::load(e)));
  *state_m = top;
  *state_l = __builtin_fmaf(l, e[1], *state_l * e[0]);
  for (std::size_t i = 0; i < hd; i += 16) {
    const auto old = L::mul(L::load_n(state_o + i, hd - i), L::set1(e[0]));
    L::store_n(state_o + i, L::fma(L::load_n(o + i, hd - i), L::set1(e[1]), old), hd - i);
  }
}

// The chunk where row r begins, if the first of all is `chunk_begin`.
inline std::size_t first_chunk(const AttentionArgs& a, int r, std::size_t chunk_begin) noexcept {
  const std::size_t own = a.begin[r] / kAttentionChunk;
  return own > chunk_begin ? own : chunk_begin;
}

// R rows over the chunks [chunk_begin, chunk_end); rows that see nothing of a chunk skip it.
template <class A, DType kType, int R>
inline void attend_rows(const AttentionArgs& a, std::size_t chunk_begin, std::size_t chunk_end,
                        const AttentionState& state) noexcept {
  alignas(64) float o[R * kMaxHeadDim];
  float m[R], l[R];
  std::size_t last = 0;
  for (int r = 0; r < R; ++r) last = a.last[r] > last ? a.last[r] : last;
  for (std::size_t c = chunk_begin; c < chunk_end && c * kAttentionChunk <= last; ++c) {
    const std::size_t begin = c * kAttentionChunk;
    const std::size_t end = last + 1 - begin < kAttentionChunk ? last + 1 : begin + kAttentionChunk;
    __builtin_memset(o, 0, sizeof o);
    attend_chunk<A, kType, R>(a, begin, end, m, l, o);
    for (int r = 0; r < R; ++r)
      if (a.last[r] >= begin && (!a.begin || a.begin[r] < begin + kAttentionChunk))
        attention_merge<A>(a.head_dim, a.begin ? c == first_chunk(a, r, chunk_begin) : c == chunk_begin, m[r], l[r],
                           o + static_cast<std::size_t>(r) * kMaxHeadDim, state.m + r, state.l + r,
                           state.o + static_cast<std::size_t>(r) * a.head_dim);
  }
}

template <class A, DType kType>
inline void attend_type(const AttentionArgs& a, std::size_t chunk_begin, std::size_t chunk_end,
                        const AttentionState& state) noexcept {
  constexpr std::size_t kRows = simd::Lanes<A>::kAttentionRows;
  for (std::size_t r = 0; r < a.rows;) {
    AttentionArgs part = a;
    part.q += r;
    part.last += r;
    if (part.begin) part.begin += r;
    const AttentionState at{state.m + r, state.l + r, state.o + r * a.head_dim};
    const std::size_t n = a.rows - r < kRows ? a.rows - r : kRows;
    if (n >= 6) {
      if constexpr (kRows >= 6) attend_rows<A, kType, 6>(part, chunk_begin, chunk_end, at);
    } else if (n == 5) {
      if constexpr (kRows >= 5) attend_rows<A, kType, 5>(part, chunk_begin, chunk_end, at);
    } else if (n == 4) {
      if constexpr (kRows >= 4) attend_rows<A, kType, 4>(part, chunk_begin, chunk_end, at);
    } else if (n == 3) {
      attend_rows<A, kType, 3>(part, chunk_begin, chunk_end, at);
    } else if (n == 2) {
      attend_rows<A, kType, 2>(part, chunk_begin, chunk_end, at);
    } else {
      attend_rows<A, kType, 1>(part, chunk_begin, chunk_end, at);
    }
    r += n;
  }
}

// Every row's state after the chunks [chunk_begin, chunk_end); chunk_begin starts a new state. Each row must see at
// least one key of chunk_begin.
template <class A>
void attend(const AttentionArgs& a, std::size_t chunk_begin, std::size_t chunk_end,
            const AttentionState& state) noexcept {
  if (a.type == DType::Q8_0) return attend_type<A, DType::Q8_0>(a, chunk_begin, chunk_end, state);
  if (a.type == DType::F16) return attend_type<A, DType::F16>(a, chunk_begin, chunk_end, state);
  attend_type<A, DType::F32>(a, chunk_begin, chunk_end, state);
}

}  // namespace kernels
}  // namespace lq
