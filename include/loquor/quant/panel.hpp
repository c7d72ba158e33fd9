// Weight panels: 16 rows of a matrix, k-major, so that a vector lane is an output row. One layout for all instruction
// sets.
//
//   Q4_0  per block of 32 k: f16 d[16], 256 bytes of nibbles                  (288 bytes; w = d (q - 8))
//   Q4_1  per block of 32 k: f16 d[16], f16 m[16], 256 bytes of nibbles       (320 bytes = 5 cache lines; w = d q + m)
//   Q8_0  per block of 32 k: f16 d[16], 512 bytes q + 128                     (544 bytes; w = d q)
//   F16, BF16, F32  per k: 16 values
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
static_assert(sizeof(PanelQ4_0) == 288 && sizeof(PanelQ4_1) == 320 && sizeof(PanelQ8_0) == 544);

// Bytes of one panel of `cols` columns.
inline std::size_t panel_bytes(DType type, std::size_t cols) noexcept { return kPanelRows * row_bytes(type, cols); }

// Packs rows [0, n) (n <= 16) of `cols` columns, `row_stride` bytes apart, into a panel; the other rows become zero.
void pack_panel(DType type, const std::byte* rows, std::size_t row_stride, std::size_t n, std::size_t cols,
                std::byte* panel) noexcept;

// Row r (0..15) of a panel widened to fp32, as the formats define it: d * q, then + m.
void unpack_row(DType type, const std::byte* panel, std::size_t r, std::size_t cols, float* out) noexcept;

}  // namespace lq
