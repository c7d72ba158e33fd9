#include "loquor/quant/rows.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "loquor/core/half.hpp"
#include "loquor/quant/groups.hpp"

namespace lq {
namespace {

constexpr std::size_t kBlockElems = 32, kHalf = kBlockElems / 2;
constexpr std::uint32_t kInfinity = 0x7f800000u;  // and above: NaN

struct BlockQ8_0 {
  f16 d;
  std::int8_t q[kBlockElems];
};
struct BlockQ4_0 {
  f16 d;
  std::uint8_t q[kHalf];
};
struct BlockQ4_1 {
  f16 d, m;
  std::uint8_t q[kHalf];
};
static_assert(sizeof(BlockQ8_0) == 34 && sizeof(BlockQ4_0) == 18 && sizeof(BlockQ4_1) == 20);

std::uint32_t magnitude(float x) noexcept { return std::bit_cast<std::uint32_t>(x) & 0x7fffffffu; }
bool is_finite(float x) noexcept { return magnitude(x) < kInfinity; }
bool is_finite(f16 x) noexcept { return (x.bits & 0x7c00u) != 0x7c00u; }
bool is_finite(bf16 x) noexcept { return (x.bits & 0x7f80u) != 0x7f80u; }

// The largest |x| of a block as bits: magnitudes order like integers, and a NaN is above all of them.
std::uint32_t largest_magnitude(const float* x) noexcept {
  std::int32_t lanes[4] = {};  // non-negative, so signed comparisons do
  for (std::size_t i = 0; i < kBlockElems; i += 4)
    for (std::size_t j = 0; j < 4; ++j) lanes[j] = std::max(lanes[j], static_cast<std::int32_t>(magnitude(x[i + j])));
  return static_cast<std::uint32_t>(std::max(std::max(lanes[0], lanes[1]), std::max(lanes[2], lanes[3])));
}

// 1/d, or 0 where every code is 0: d is zero, so small that 1/d overflows (the reference then converts infinities and
// NaNs, which gives 0), or not finite (which the caller reports). `*zero` tells.
float reciprocal(float d, bool* zero) noexcept {
  const float id = d != 0.0f ? 1.0f / d : 0.0f;
  *zero = !is_finite(id) || !is_finite(d);
  return id;
}

void pack_nibbles(const std::uint8_t* codes, std::uint8_t* q) noexcept {
  for (std::size_t i = 0; i < kHalf; ++i) q[i] = static_cast<std::uint8_t>(codes[i] | codes[kHalf + i] << 4);
}

// The codes of x * id + offset, truncated and at most 15; what it is applied to is above -1.
template <class Fn>
void nibble_codes(const float* x, std::uint8_t* q, const Fn& scaled) noexcept {
  std::uint8_t codes[kBlockElems];
  for (std::size_t i = 0; i < kBlockElems; ++i)
    codes[i] = static_cast<std::uint8_t>(std::min(15, static_cast<int>(scaled(x[i]))));
  pack_nibbles(codes, q);
}

bool encode(const float* x, BlockQ8_0& b) noexcept {
  const std::uint32_t top = largest_magnitude(x);
  if (top >= kInfinity) return std::memset(&b, 0, sizeof b), false;
  const float d = std::bit_cast<float>(top) / 127.0f;
  bool zero;
  const float id = reciprocal(d, &zero);
  b.d = to_f16(d);
  if (zero) return std::memset(b.q, 0, sizeof b.q), is_finite(b.d);
  for (std::size_t i = 0; i < kBlockElems; ++i) {
    // Half away from zero. The remainder is exact, so this equals roundf, which is a call per element on baseline CPUs.
    const float v = x[i] * id;
    const int t = static_cast<int>(v);
    const float rest = v - static_cast<float>(t);
    b.q[i] = static_cast<std::int8_t>(t + (rest >= 0.5f) - (rest <= -0.5f));
  }
  return is_finite(b.d);
}

bool encode(const float* x, BlockQ4_0& b) noexcept {
  const std::uint32_t top = largest_magnitude(x);
  if (top >= kInfinity) return std::memset(&b, 0, sizeof b), false;
  // The first value of that magnitude; its sign decides that of d, so that it gets the code 0 and not 16.
  float most = 0.0f;
  for (std::size_t i = 0; top != 0 && i < kBlockElems; ++i)
    if (magnitude(x[i]) == top) {
      most = x[i];
      break;
    }
  const float d = most / -8.0f;  // -0 for a block of zeros, as in the reference
  bool zero;
  const float id = reciprocal(d, &zero);
  b.d = to_f16(d);
  if (zero) return std::memset(b.q, 0, sizeof b.q), is_finite(b.d);
  nibble_codes(x, b.q, [id](float v) { return v * id + 8.5f; });
  return is_finite(b.d);
}

bool encode(const float* x, BlockQ4_1& b) noexcept {
  if (largest_magnitude(x) >= kInfinity) return std::memset(&b, 0, sizeof b), false;
  float low[4], high[4];
  for (std::size_t j = 0; j < 4; ++j) low[j] = high[j] = x[j];
  for (std::size_t i = 4; i < kBlockElems; i += 4)
    for (std::size_t j = 0; j < 4; ++j) {
      low[j] = x[i + j] < low[j] ? x[i + j] : low[j];
      high[j] = x[i + j] > high[j] ? x[i + j] : high[j];
    }
  float m = std::min(std::min(low[0], low[1]), std::min(low[2], low[3]));
  const float most = std::max(std::max(high[0], high[1]), std::max(high[2], high[3]));
  // Of zeros of both signs the reference, which goes in order, keeps the first.
  if (m == 0.0f) m = *std::find(x, x + kBlockElems, 0.0f);
  const float d = m == most ? 0.0f : (most - m) / 15.0f;
  bool zero;
  const float id = reciprocal(d, &zero);
  b.d = to_f16(d);
  b.m = to_f16(m);
  if (zero)
    std::memset(b.q, 0, sizeof b.q);
  else
    nibble_codes(x, b.q, [id, m](float v) { return (v - m) * id + 0.5f; });
  return is_finite(b.d) && is_finite(b.m);
}

template <class Block>
bool encode_blocks(const float* src, std::size_t n, std::byte* dst) noexcept {
  bool finite = true;
  for (std::size_t i = 0; i < n; i += kBlockElems, dst += sizeof(Block)) {
    Block b;
    finite &= encode(src + i, b);
    std::memcpy(dst, &b, sizeof b);
  }
  return finite;
}

template <class T, class Convert>
bool encode_plain(const float* src, std::size_t n, std::byte* dst, const Convert& convert) noexcept {
  bool finite = true;
  for (std::size_t i = 0; i < n; ++i) {
    const T v = convert(src[i]);
    finite &= is_finite(v);
    std::memcpy(dst + i * sizeof(T), &v, sizeof v);
  }
  return finite;
}

template <class T>
void decode_plain(const std::byte* src, std::size_t n, float* dst) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    T v;
    std::memcpy(&v, src + i * sizeof(T), sizeof v);
    dst[i] = to_float(v);
  }
}

// value(block, code) for each nibble.
template <class Block, class Fn>
void decode_nibbles(const std::byte* src, std::size_t n, float* dst, const Fn& scales) noexcept {
  for (std::size_t i = 0; i < n; i += kBlockElems, src += sizeof(Block)) {
    Block b;
    std::memcpy(&b, src, sizeof b);
    const auto [d, offset, m] = scales(b);
    for (std::size_t j = 0; j < kHalf; ++j) {
      dst[i + j] = static_cast<float>((b.q[j] & 15) - offset) * d + m;
      dst[i + kHalf + j] = static_cast<float>((b.q[j] >> 4) - offset) * d + m;
    }
  }
}

struct NibbleScales {
  float d;
  int offset;
  float m;
};

void decode_q8_0(const std::byte* src, std::size_t n, float* dst) noexcept {
  for (std::size_t i = 0; i < n; i += kBlockElems, src += sizeof(BlockQ8_0)) {
    BlockQ8_0 b;
    std::memcpy(&b, src, sizeof b);
    const float d = to_float(b.d);
    for (std::size_t j = 0; j < kBlockElems; ++j) dst[i + j] = static_cast<float>(b.q[j]) * d;
  }
}

void decode_grouped(DType type, const std::byte* src, std::size_t n, float* dst) noexcept {
  if (!is_grouped_type(type)) return;
  const TypeTraits& t = traits(type);
  CodeGroup groups[kMaxGroups];
  for (std::size_t i = 0; i < n; i += t.block_elems, src += t.block_bytes) {
    decode_groups(type, src, groups);
    for (std::size_t j = 0; j < t.block_elems; ++j) dst[i + j] = groups[j / kBlockElems].value(j % kBlockElems);
  }
}

}  // namespace

bool is_real_type(DType type) noexcept { return type != DType::I32; }

bool is_encodable_type(DType type) noexcept { return is_real_type(type) && !is_grouped_type(type); }

std::string encodable_type_names() {
  std::string names;
#define LQ_TYPE(name, id, elems, bytes) \
  if (is_encodable_type(DType::name)) names += names.empty() ? #name : ", " #name;
#include "loquor/core/types.def"
#undef LQ_TYPE
  return names;
}

void decode_row(DType type, const std::byte* src, std::size_t n, float* dst) noexcept {
  switch (type) {
    case DType::F32:
      std::memcpy(dst, src, n * sizeof(float));
      return;
    case DType::F16:
      return decode_plain<f16>(src, n, dst);
    case DType::BF16:
      return decode_plain<bf16>(src, n, dst);
    case DType::Q8_0:
      return decode_q8_0(src, n, dst);
    case DType::Q4_0:
      // -0 as the offset to add: a code of 8 under a negative scale stays the -0 that the format defines.
      return decode_nibbles<BlockQ4_0>(src, n, dst, [](const BlockQ4_0& b) {
        return NibbleScales{to_float(b.d), 8, -0.0f};
      });
    case DType::Q4_1:
      return decode_nibbles<BlockQ4_1>(src, n, dst, [](const BlockQ4_1& b) {
        return NibbleScales{to_float(b.d), 0, to_float(b.m)};
      });
    default:
      return decode_grouped(type, src, n, dst);
  }
}

bool encode_row(DType type, const float* src, std::size_t n, std::byte* dst) noexcept {
  switch (type) {
    case DType::F32:
      return encode_plain<float>(src, n, dst, [](float x) { return x; });
    case DType::F16:
      return encode_plain<f16>(src, n, dst, [](float x) { return to_f16(x); });
    case DType::BF16:
      return encode_plain<bf16>(src, n, dst, [](float x) { return to_bf16(x); });
    case DType::Q8_0:
      return encode_blocks<BlockQ8_0>(src, n, dst);
    case DType::Q4_0:
      return encode_blocks<BlockQ4_0>(src, n, dst);
    case DType::Q4_1:
      return encode_blocks<BlockQ4_1>(src, n, dst);
    default:
      return false;
  }
}

}  // namespace lq
