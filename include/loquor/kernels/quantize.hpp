// Rounding activations to int8 in blocks of 32, and the row operations that end in it.
//
// A few values of a row are much larger than the rest, and the coarse step of their blocks makes nearly all of the
// rounding error. A value over kOutlier times the row's mean magnitude is therefore written in two digits: a coarse one
// in steps of 128/127 of that limit, kept in a short list, and what remains of it as an ordinary int8 of
// its block, whose step no longer depends on it. The list holds groups of four columns, which is what one integer dot
// product takes: about one group in sixteen. docs/performance.md has the figures.
#pragma once

#include "loquor/quant/panel.hpp"
#include "loquor/simd/math.hpp"

namespace lq {

// Four columns, 4 * group ..., with coarse digits, and their sum.
struct Outlier {
  std::int8_t digits[4];
  std::uint32_t group : 20;
  std::int32_t sum : 12;  // |sum| <= 4 * 127
};
static_assert(sizeof(Outlier) == 8);
inline constexpr std::size_t kMaxQuantizedCols = std::size_t{4} << 20;  // what `group` can name

// Outliers are listed by segments of columns, so that a product may be taken segment by segment.
inline constexpr std::size_t kSegmentBlocks = 24, kSegmentCols = kSegmentBlocks * kBlock;
inline std::size_t segments(std::size_t cols) noexcept { return (cols + kSegmentCols - 1) / kSegmentCols; }

// How rows are grouped for a product: tiles of consecutive rows, tile_rows() each, then 4, 2 and 1 of what is left. Few
// rows are taken two by two, some four by four, and many as many at once as the instruction set has registers for.
struct RowTile {
  std::size_t first, size;
};
inline constexpr std::size_t kSomeRows = 5;
template <class A>
constexpr std::size_t kManyRows = static_cast<std::size_t>(simd::Lanes<A>::kManyRows);
template <class A>
constexpr int kSomeTile = simd::Lanes<A>::kTokens < 4 ? simd::Lanes<A>::kTokens : 4;
template <class A>
constexpr RowTile row_tile(std::size_t rows, std::size_t row) noexcept {
  const std::size_t most = rows < kSomeRows      ? 2
                           : rows < kManyRows<A> ? static_cast<std::size_t>(kSomeTile<A>)
                                                 : static_cast<std::size_t>(simd::Lanes<A>::kTokens);
  const std::size_t sizes[] = {most, 4, 2};
  std::size_t first = 0;
  for (const std::size_t size : sizes) {
    if (size > most) continue;
    const std::size_t end = first + (rows - first) / size * size;
    if (row < end) return {first + (row - first) / size * size, size};
    first = end;
  }
  return {row, 1};
}

// A block of 32 columns of a tile of T rows: int8 q[8][T][4], then float d[T], ds[T], int32 sum[T]. It stands for d * q
// + big * its coarse digits, which adds up to ds; sum is that of q alone. A tile's blocks follow each other, and so do
// tiles: a product reads one stream and finds everything at fixed distances.
inline constexpr std::size_t kRowBlockBytes = kBlock + 3 * 4;

// One row of matmul input: x may be nullptr, and blocks, in which case all below it are unused.
// Outliers [first[s], first[s + 1]) belong to segment s; there is room for cols/4.
struct ActRow {
  float* x;               // (cols)
  std::byte* blocks;      // of all rows
  std::size_t rows, row;  // of how many this is which
  Outlier* outliers;
  std::uint32_t* first;  // (segments + 1)
  float* big;            // (1)
};

// Values over this many times the mean magnitude of their row are outliers; over 4, so that there are fewer than
// cols/4.
inline constexpr float kOutlier = 6.0f;

namespace kernels {

LQ_ALWAYS_INLINE std::size_t least(std::size_t a, std::size_t b) noexcept { return a < b ? a : b; }

// mean(x^2): sixteen partial sums, added pairwise.
template <class A>
inline float mean_square(const float* x, std::size_t n) noexcept {
  using L = simd::Lanes<A>;
  auto s = L::zero();
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    s = L::fma(v, v, s);
  }
  return L::hsum(s) / static_cast<float>(n);
}

// Magnitudes above this are outliers. At least max|x| / 127, so that coarse digits fit int8; rows of denormals have
// none.
template <class A>
inline float outlier_limit(const float* x, std::size_t cols) noexcept {
  using L = simd::Lanes<A>;
  auto sum = L::zero(), top = L::zero();
  for (std::size_t i = 0; i < cols; i += 16) {
    const auto v = L::abs(L::load(x + i));
    sum = L::add(sum, v);
    top = L::max(top, v);
  }
  const float limit = kOutlier * (L::hsum(sum) / static_cast<float>(cols)), smallest = L::hmax(top) / 127.0f;
  if (limit < 1e-30f) return 1e30f;
  return limit > smallest ? limit : smallest;
}

// Moves the outliers of a block into the list, leaving what their coarse digits do not express. Returns the digits'
// sum.
template <class A>
inline std::int32_t split_outliers(typename simd::Lanes<A>::F (&v)[2], float limit, float big, std::size_t group,
                                   Outlier* out, std::uint32_t& count) noexcept {
  using L = simd::Lanes<A>;
  alignas(16) std::int8_t digits[kBlock];
  std::uint32_t over = 0;  // a bit for each value
  for (int i = 0; i < 2; ++i) {
    const auto coarse = L::round(L::mul(v[i], L::set1(1.0f / big)));
    const auto kept = L::select_less(L::abs(v[i]), L::set1(limit), L::zero(), coarse);
    over |= L::at_least(L::abs(v[i]), L::set1(limit)) << 16 * i;
    v[i] = L::fma(kept, L::set1(-big), v[i]);
    L::istore_i8(digits + 16 * i, L::lrint(kept));
  }
  over |= over >> 1;
  over |= over >> 2;
  std::int32_t total = 0;
  for (over &= 0x11111111; over != 0; over &= over - 1) {
    const auto at = static_cast<std::uint32_t>(__builtin_ctz(over));
    Outlier& o = out[count++];
    __builtin_memcpy(o.digits, digits + at, 4);
    o.group = (static_cast<std::uint32_t>(group) + at / 4) & 0xfffff;
    const std::int32_t sum = digits[at] + digits[at + 1] + digits[at + 2] + digits[at + 3];
    o.sum = sum;
    total += sum;
  }
  return total;
}

// Up to 16 consecutive blocks of a row: what of each is written to its tile.
struct QuantizedBlocks {
  static constexpr std::size_t kCount = 16;
  alignas(64) std::int8_t q[kCount][kBlock];
  alignas(64) float d[kCount], ds[kCount];
  alignas(64) std::int32_t sum[kCount];
};

// d = max|x| / 127, q = round to even(x / d), of what is left of each block without its outliers.
template <class A>
inline void quantize_blocks(const float* x, std::size_t first, std::size_t n, float limit, float big, const ActRow& row,
                            std::uint32_t& count, QuantizedBlocks& out) noexcept {
  using L = simd::Lanes<A>;
  constexpr std::size_t kCount = QuantizedBlocks::kCount;
  typename L::F top[kCount];
  for (std::size_t b = 0; b < n; ++b)
    top[b] = L::max(L::abs(L::load(x + b * kBlock)), L::abs(L::load(x + b * kBlock + 16)));
  for (std::size_t b = n; b < kCount; ++b) top[b] = L::zero();
  alignas(64) float amax[kCount], inverse[kCount], left[kCount][kBlock], coarse[kCount] = {};
  const auto tops = L::hmax16(top);
  L::store(amax, tops);
  const std::uint32_t split = L::at_least(tops, L::set1(limit));
  for (std::uint32_t rest = split; rest != 0; rest &= rest - 1) {
    const auto b = static_cast<std::size_t>(__builtin_ctz(rest));
    typename L::F v[2] = {L::load(x + b * kBlock), L::load(x + b * kBlock + 16)};
    coarse[b] = static_cast<float>(split_outliers<A>(v, limit, big, (first + b) * (kBlock / 4), row.outliers, count));
    amax[b] = L::hmax(L::max(L::abs(v[0]), L::abs(v[1])));
    L::store(left[b], v[0]);
    L::store(left[b] + 16, v[1]);
  }
  const auto scaled = L::load(amax);
  L::store(inverse, L::select_less(L::zero(), scaled, L::div(L::set1(127.0f), scaled), L::zero()));
  typename L::I sums[kCount];
  for (std::size_t b = 0; b < n; ++b) {
    const float* from = split >> b & 1 ? left[b] : x + b * kBlock;
    const auto lo = L::lrint(L::mul(L::load(from), L::set1(inverse[b])));
    const auto hi = L::lrint(L::mul(L::load(from + 16), L::set1(inverse[b])));
    L::istore_i8(out.q[b], lo);
    L::istore_i8(out.q[b] + 16, hi);
    sums[b] = L::iadd(lo, hi);
  }
  for (std::size_t b = n; b < kCount; ++b) sums[b] = L::izero();
  const auto sum = L::ihsum16(sums);
  const auto d = L::div(scaled, L::set1(127.0f));
  L::store(out.d, d);
  L::istore(out.sum, sum);
  L::store(out.ds, L::fma(d, L::cvt(sum), L::mul(L::set1(big), L::load(coarse))));
}

// Scatters row `t` of a tile of `rows`, whose first of these n blocks begins at `out`.
template <class A>
inline void store_blocks(const QuantizedBlocks& from, std::size_t n, std::size_t t, std::size_t rows,
                         std::byte* out) noexcept {
  for (std::size_t b = 0; b < n; ++b, out += rows * kRowBlockBytes) {
    std::byte* to = out + 4 * t;
    for (std::size_t g = 0; g < kBlock / 4; ++g) __builtin_memcpy(to + 4 * g * rows, from.q[b] + 4 * g, 4);
    to += kBlock * rows;
    __builtin_memcpy(to, &from.d[b], 4);
    __builtin_memcpy(to + 4 * rows, &from.ds[b], 4);
    __builtin_memcpy(to + 8 * rows, &from.sum[b], 4);
  }
}

// Copies and/or quantises a finished row; cols is a multiple of 32 when it is to be quantised.
template <class A>
void set_row(const float* x, std::size_t cols, const ActRow& out) noexcept {
  using L = simd::Lanes<A>;
  if (out.blocks) {
    const float limit = outlier_limit<A>(x, cols), big = limit * (128.0f / 127.0f);
    const RowTile tile = row_tile<A>(out.rows, out.row);
    const std::size_t blocks = cols / kBlock;
    std::byte* to = out.blocks + tile.first * blocks * kRowBlockBytes;
    std::uint32_t count = 0;
    QuantizedBlocks q;
    for (std::size_t b = 0, n; b < blocks; b += n) {
      const std::size_t in_segment = b % kSegmentBlocks;
      if (in_segment == 0) out.first[b / kSegmentBlocks] = count;
      n = least(QuantizedBlocks::kCount, least(kSegmentBlocks - in_segment, blocks - b));
      quantize_blocks<A>(x + b * kBlock, b, n, limit, big, out, count, q);
      store_blocks<A>(q, n, out.row - tile.first, tile.size, to + b * tile.size * kRowBlockBytes);
    }
    out.first[segments(cols)] = count;
    *out.big = big;
  }
  if (out.x && out.x != x)
    for (std::size_t i = 0; i < cols; i += 16) L::store_n(out.x + i, L::load_n(x + i, cols - i), cols - i);
}

// y_i = x_i * r * w_i, r = 1 / sqrt(mean(x^2) + eps). Zhang and Sennrich 2019.
template <class A>
void rms_norm(const float* x, const float* w, std::size_t n, float eps, float* y) noexcept {
  using L = simd::Lanes<A>;
  const auto r = L::set1(1.0f / __builtin_sqrtf(mean_square<A>(x, n) + eps));
  for (std::size_t i = 0; i < n; i += 16)
    L::store_n(y + i, L::mul(L::mul(L::load_n(x + i, n - i), r), L::load_n(w + i, n - i)), n - i);
}

// (x - mean) / sqrt(var + eps) * w + b. Ba, Kiros and Hinton 2016. Two passes: no cancellation.
template <class A>
void layer_norm(const float* x, const float* w, const float* bias, std::size_t n, float eps, float* y) noexcept {
  using L = simd::Lanes<A>;
  auto s = L::zero();
  for (std::size_t i = 0; i < n; i += 16) s = L::add(s, L::load_n(x + i, n - i));
  const float mean = L::hsum(s) / static_cast<float>(n);
  float var = 0.0f;
  s = L::zero();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const auto c = L::sub(L::load(x + i), L::set1(mean));
    s = L::fma(c, c, s);
  }
  for (; i < n; ++i) var += (x[i] - mean) * (x[i] - mean);
  var = (var + L::hsum(s)) / static_cast<float>(n);
  const auto r = L::set1(1.0f / __builtin_sqrtf(var + eps));
  for (i = 0; i < n; i += 16) {
    auto v = L::mul(L::mul(L::sub(L::load_n(x + i, n - i), L::set1(mean)), r), L::load_n(w + i, n - i));
    if (bias) v = L::add(v, L::load_n(bias + i, n - i));
    L::store_n(y + i, v, n - i);
  }
}

// silu(gate) * up, n values; gate and up advance by `step` floats per 16 (32 when panels alternate, else 16).
template <class A>
void swiglu(const float* gate, const float* up, std::size_t step, std::size_t n, float* y) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; i += 16) {
    const std::size_t at = i / 16 * step;
    L::store_n(y + i, L::mul(simd::silu<A>(L::load_n(gate + at, n - i)), L::load_n(up + at, n - i)), n - i);
  }
}

// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). Hendrycks and Gimpel 2016.
template <class A>
void gelu_tanh(const float* x, std::size_t n, float* y) noexcept {
  using L = simd::Lanes<A>;
  for (std::size_t i = 0; i < n; i += 16) {
    const auto v = L::load_n(x + i, n - i);
    const auto inner = L::mul(L::set1(0.7978845608028654f), L::fma(L::mul(L::mul(v, v), v), L::set1(0.044715f), v));
    const auto half = L::mul(L::set1(0.5f), v);
    L::store_n(y + i, L::fma(half, simd::tanh<A>(inner), half), n - i);
  }
}

}  // namespace kernels
}  // namespace lq
