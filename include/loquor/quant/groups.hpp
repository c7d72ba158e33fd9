// The quantised types that have neither panels nor encoders of their own (Q5_0 to MXFP4): what their blocks hold, in
// one common form, from which rows are decoded (quant/rows.hpp) and panels packed (quant/panel.hpp). Layouts: the GGUF
// specification's reference, gguf-py's quants.py.
//
//   type            block   group of one scale   code             value
//   Q5_0, IQ4_NL    32      32                   signed           d q         (IQ4: q from a table of 16)
//   MXFP4           32      32                   signed           d q         (d a power of two, q from a table of 16)
//   IQ4_XS          256     32                   signed           d q         d = f16 * 6 bits
//   Q5_1            32      32                   0..31            d q + m
//   Q4_K, Q5_K      256     32                   0..15, 0..31     d q + m     d, -m = f16 * 6 bits
//   Q6_K, Q3_K      256     16                   signed           d q         d = f16 * 8 or 6 bits
//   Q2_K            256     16                   0..3             d q + m     d, -m = f16 * 4 bits
#pragma once

#include <cstddef>
#include <cstdint>

#include "loquor/core/dtype.hpp"

namespace lq {

// 32 consecutive values: d[i / 16] * q[i] + m[i / 16], each operation rounded to fp32. Types without m have -0.
struct CodeGroup {
  std::int8_t q[32];
  float d[2], m[2];

  float value(std::size_t i) const noexcept { return d[i / 16] * static_cast<float>(q[i]) + m[i / 16]; }
};

inline constexpr std::size_t kMaxGroups = 8;  // of a block

// Whether decode_groups knows the type.
bool is_grouped_type(DType type) noexcept;

// One block into traits(type).block_elems / 32 groups.
void decode_groups(DType type, const std::byte* block, CodeGroup* groups) noexcept;

}  // namespace lq
