// Weight panels: 16 rows of a matrix, k-major, so that a vector lane is an output row. One layout for all instruction
// sets.
//
//   Q4_0  per block of 32 k: f16 d[16], 256 bytes of nibbles                  (288 bytes; w = d (q - 8))
//   Q4_1  per block of 32 k: f16 d[16], f16 m[16], 256 bytes of nibbles       (320 bytes = 5 cache lines; w = d q + m)
//   Q8_0  per block of 32 k: f16 d[16], 512 bytes q + 128                     (544 bytes; w = d q)
//   Q8_1  per block of 32 k: f16 d[16], f16 m[16], 512 bytes q                (576 bytes; w = d q + m)
//   G8    per block of 32 k: f16 d[2][16], 512 bytes q + 32                   (576 bytes; w = d q, a d for each 16 k)
//   G8_M  per block of 32 k: f16 d[2][16], f16 m[2][16], 512 bytes q          (640 bytes; w = d q + m, likewise)
//   F16, BF16, F32  per k: 16 values
//
// A file's type goes into the panel whose arithmetic it fits: Q4_K as Q4_1; Q5_0, IQ4_NL, IQ4_XS and MXFP4 as Q8_0;
// Q5_1 and Q5_K as Q8_1; Q3_K and Q6_K as G8; Q2_K as G8_M. Codes stay as they are; the scales of types with two levels
// of them become one f16, which moves a product by less than 1 in 4,000. They cannot overflow: what would be above
// 65,504 is 65,504.
//
// Quantised bytes come in groups of 64: group g, lane r, byte c. Nibbles: the low half of byte c of group g (0..3) is
// k = 4g + c, the high half k = 16 + 4g + c: these are the file's bytes, whole dwords moved. Bytes: group g (0..7) is
// k = 4g + c. Rows past the end of the matrix are zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "loquor/core/dtype.hpp"
#include "loquor/core/half.hpp"

namespace lq {

inline constexpr std::size_t kPanelRows = 16;
inline constexpr std::size_t kBlock = 32;

struct PanelQ4_0 {
  std::uint16_t d[16];
  std::uint8_t q[256];
};
struct PanelQ4_1 {
  std::uint16_t d[16], m[16];
  std::uint8_t q[256];
};
struct PanelQ8_0 {
  std::uint16_t d[16];
  std::uint8_t q[512];
};
struct PanelQ8_1 {
  std::uint16_t d[16], m[16];
  std::uint8_t q[512];
};
struct PanelG8 {
  std::uint16_t d[32];
  std::uint8_t q[512];
};
struct PanelG8_M {
  std::uint16_t d[32], m[32];
  std::uint8_t q[512];
};
static_assert(sizeof(PanelQ4_0) == 288 && sizeof(PanelQ4_1) == 320 && sizeof(PanelQ8_0) == 544);
static_assert(sizeof(PanelQ8_1) == 576 && sizeof(PanelG8) == 576 && sizeof(PanelG8_M) == 640);

enum class PanelFormat { plain, q4_0, q4_1, q8_0, q8_1, g8, g8_m };
constexpr PanelFormat panel_format(DType type) noexcept {
  switch (type) {
    case DType::Q4_0:
      return PanelFormat::q4_0;
    case DType::Q4_1:
    case DType::Q4_K:
      return PanelFormat::q4_1;
    case DType::Q8_0:
    case DType::Q5_0:
    case DType::IQ4_NL:
    case DType::IQ4_XS:
    case DType::MXFP4:
      return PanelFormat::q8_0;
    case DType::Q5_1:
    case DType::Q5_K:
      return PanelFormat::q8_1;
    case DType::Q3_K:
    case DType::Q6_K:
      return PanelFormat::g8;
    case DType::Q2_K:
      return PanelFormat::g8_m;
    default:
      return PanelFormat::plain;
  }
}

// Bytes of one panel of `cols` columns.
std::size_t panel_bytes(DType type, std::size_t cols) noexcept;

// Packs rows [0, n) (n <= 16) of `cols` columns, `row_stride` bytes apart, into a panel; the other rows become zero.
void pack_panel(DType type, const std::byte* rows, std::size_t row_stride, std::size_t n, std::size_t cols,
                std::byte* panel) noexcept;

// Row r (0..15) of a panel widened to fp32, as the formats define it: d * q, then + m.
void unpack_row(DType type, const std::byte* panel, std::size_t r, std::size_t cols, float* out) noexcept;

}  // namespace lq
