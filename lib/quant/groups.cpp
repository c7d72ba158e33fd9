#include "loquor/quant/groups.hpp"

#include <bit>
#include <cstring>

#include "loquor/core/half.hpp"

namespace lq {
namespace {

constexpr std::int8_t kIq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
constexpr std::int8_t kFp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};  // e2m1, doubled

using Bytes = const std::uint8_t*;

float half(Bytes p) noexcept {
  f16 h;
  std::memcpy(&h, p, sizeof h);
  return to_float(h);
}

void set_scale(CodeGroup& g, float d, float m = -0.0f) noexcept {
  g.d[0] = g.d[1] = d;
  g.m[0] = g.m[1] = m;
}

// The order of nibbles in blocks of 32: low halves first.
std::uint8_t nibble(Bytes q, std::size_t i) noexcept {
  return static_cast<std::uint8_t>(i < 16 ? q[i] & 15 : q[i - 16] >> 4);
}

void look_up(Bytes q, const std::int8_t* table, CodeGroup& g) noexcept {
  for (std::size_t i = 0; i < 32; ++i) g.q[i] = table[nibble(q, i)];
}

// Codes of four bits in `q` and a fifth of each in the 32 bits at `high`.
void five_bits(Bytes high, Bytes q, int offset, CodeGroup& g) noexcept {
  std::uint32_t h;
  std::memcpy(&h, high, sizeof h);
  for (std::size_t i = 0; i < 32; ++i)
    g.q[i] = static_cast<std::int8_t>((nibble(q, i) | static_cast<int>(h >> i & 1) << 4) - offset);
}

// d[16], as the exponent of a power of two, halved since the table is doubled.
float half_exponent(std::uint8_t e) noexcept {
  return std::bit_cast<float>(e < 2 ? 0x00200000u << e : static_cast<std::uint32_t>(e - 1) << 23);
}

void iq4_xs(Bytes b, CodeGroup* groups) noexcept {
  const float d = half(b);
  const unsigned high = b[2] | static_cast<unsigned>(b[3]) << 8;
  for (std::size_t g = 0; g < 8; ++g) {
    const int scale = (b[4 + g / 2] >> (4 * (g % 2)) & 15) | static_cast<int>(high >> (2 * g) & 3) << 4;
    set_scale(groups[g], d * static_cast<float>(scale - 32));
    look_up(b + 8 + 16 * g, kIq4, groups[g]);
  }
}

// Eight pairs of scale and minimum, six bits each, in twelve bytes.
void scales_and_minima(Bytes b, CodeGroup* groups) noexcept {
  const float d = half(b), dmin = half(b + 2);
  Bytes s = b + 4;
  for (std::size_t g = 0; g < 8; ++g) {
    const std::size_t i = g % 4;
    const int scale = g < 4 ? s[i] & 63 : (s[8 + i] & 15) | (s[i] >> 2 & 48);
    const int minimum = g < 4 ? s[4 + i] & 63 : s[8 + i] >> 4 | (s[4 + i] >> 2 & 48);
    set_scale(groups[g], d * static_cast<float>(scale), -(dmin * static_cast<float>(minimum)));
  }
}

void q4_k(Bytes b, CodeGroup* groups) noexcept {
  scales_and_minima(b, groups);
  Bytes q = b + 16;
  for (std::size_t g = 0; g < 8; ++g)
    for (std::size_t i = 0; i < 32; ++i)
      groups[g].q[i] = static_cast<std::int8_t>(q[g / 2 * 32 + i] >> (g % 2 * 4) & 15);
}

void q5_k(Bytes b, CodeGroup* groups) noexcept {
  scales_and_minima(b, groups);
  Bytes high = b + 16, q = b + 48;
  for (std::size_t g = 0; g < 8; ++g)
    for (std::size_t i = 0; i < 32; ++i)
      groups[g].q[i] = static_cast<std::int8_t>((q[g / 2 * 32 + i] >> (g % 2 * 4) & 15) | (high[i] >> g & 1) << 4);
}

void q6_k(Bytes b, CodeGroup* groups) noexcept {
  Bytes low = b, high = b + 128, scales = b + 192;
  const float d = half(b + 208);
  for (std::size_t g = 0; g < 8; ++g) {
    const std::size_t part = g / 4, at = g % 4;  // each half of the block has four groups
    for (std::size_t i = 0; i < 32; ++i) {
      const int four = low[64 * part + at % 2 * 32 + i] >> (at / 2 * 4) & 15;
      const int two = high[32 * part + i] >> (2 * at) & 3;
      groups[g].q[i] = static_cast<std::int8_t>((four | two << 4) - 32);
    }
    for (std::size_t h = 0; h < 2; ++h) {
      groups[g].d[h] = d * static_cast<float>(static_cast<std::int8_t>(scales[2 * g + h]));
      groups[g].m[h] = -0.0f;
    }
  }
}

void q3_k(Bytes b, CodeGroup* groups) noexcept {
  Bytes high = b, q = b + 32, scales = b + 96;
  const float d = half(b + 108);
  for (std::size_t g = 0; g < 8; ++g) {
    for (std::size_t i = 0; i < 32; ++i) {
      const int two = q[g / 4 * 32 + i] >> (g % 4 * 2) & 3;
      groups[g].q[i] = static_cast<std::int8_t>(two - (high[i] >> g & 1 ? 0 : 4));
    }
    for (std::size_t h = 0; h < 2; ++h) {
      const std::size_t j = 2 * g + h;
      const int scale = (scales[j % 8] >> (j / 8 * 4) & 15) | (scales[8 + j % 4] >> (j / 4 * 2) & 3) << 4;
      groups[g].d[h] = d * static_cast<float>(scale - 32);
      groups[g].m[h] = -0.0f;
    }
  }
}

void q2_k(Bytes b, CodeGroup* groups) noexcept {
  Bytes scales = b, q = b + 16;
  const float d = half(b + 80), dmin = half(b + 82);
  for (std::size_t g = 0; g < 8; ++g) {
    for (std::size_t i = 0; i < 32; ++i)
      groups[g].q[i] = static_cast<std::int8_t>(q[g / 4 * 32 + i] >> (g % 4 * 2) & 3);
    for (std::size_t h = 0; h < 2; ++h) {
      groups[g].d[h] = d * static_cast<float>(scales[2 * g + h] & 15);
      groups[g].m[h] = -(dmin * static_cast<float>(scales[2 * g + h] >> 4));
    }
  }
}

}  // namespace

bool is_grouped_type(DType type) noexcept {
  switch (type) {
    case DType::Q5_0:
    case DType::Q5_1:
    case DType::Q2_K:
    case DType::Q3_K:
    case DType::Q4_K:
    case DType::Q5_K:
    case DType::Q6_K:
    case DType::IQ4_NL:
    case DType::IQ4_XS:
    case DType::MXFP4:
      return true;
    default:
      return false;
  }
}

void decode_groups(DType type, const std::byte* block, CodeGroup* groups) noexcept {
  const auto b = reinterpret_cast<Bytes>(block);
  switch (type) {
    case DType::Q5_0:
      set_scale(*groups, half(b));
      return five_bits(b + 2, b + 6, 16, *groups);
    case DType::Q5_1:
      set_scale(*groups, half(b), half(b + 2));
      return five_bits(b + 4, b + 8, 0, *groups);
    case DType::IQ4_NL:
      set_scale(*groups, half(b));
      return look_up(b + 2, kIq4, *groups);
    case DType::MXFP4:
      set_scale(*groups, half_exponent(b[0]));
      return look_up(b + 1, kFp4, *groups);
    case DType::IQ4_XS:
      return iq4_xs(b, groups);
    case DType::Q2_K:
      return q2_k(b, groups);
    case DType::Q3_K:
      return q3_k(b, groups);
    case DType::Q4_K:
      return q4_k(b, groups);
    case DType::Q5_K:
      return q5_k(b, groups);
    case DType::Q6_K:
      return q6_k(b, groups);
    default:
      return;
  }
}

}  // namespace lq
