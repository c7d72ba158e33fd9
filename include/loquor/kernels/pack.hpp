// Packing weights into panels (quant/panel.hpp): dwords move from rows to lanes, nothing is computed, so every
// instruction set writes the same bytes. The scalar twin is lq::pack_panel, which also packs what is left over here:
// panels of fewer than 16 rows and the last columns of plain types.
#pragma once

#include <cstddef>
#include <type_traits>

#include "loquor/quant/groups.hpp"
#include "loquor/quant/panel.hpp"
#include "loquor/simd/columns.hpp"

namespace lq::kernels {

// 16 rows of blocks of kScales 16-bit scales and kDwords dwords; see quant/panel.hpp.
template <class Arch, std::size_t kScales, std::size_t kDwords, std::uint32_t kFlip>
void pack_blocks(const std::byte* rows, std::size_t stride, std::size_t blocks, std::byte* out) noexcept {
  using C = simd::Columns<Arch>;
  constexpr std::size_t kBytes = 2 * kScales + 4 * kDwords;
  for (std::size_t b = 0; b < blocks; ++b, rows += kBytes, out += kPanelRows * kBytes) {
    // With one scale the dword's upper half is the first two bytes of what follows: inside the block.
    const auto scales = C::column(rows, stride);
    C::store_low(out, scales);
    if constexpr (kScales == 2) C::store_high(out + 32, scales);
    for (std::size_t g = 0; g < kDwords; g += 4) {
      typename C::D d[4];
      C::columns4(rows + 2 * kScales + 4 * g, stride, d);
      for (std::size_t i = 0; i < 4; ++i) C::store(out + 32 * kScales + 64 * (g + i), d[i], kFlip);
    }
  }
}

// 16 rows of `dwords` dwords each; with kWords a dword holds two columns.
template <class Arch, bool kWords>
void pack_dwords(const std::byte* rows, std::size_t stride, std::size_t dwords, std::byte* out) noexcept {
  using C = simd::Columns<Arch>;
  for (std::size_t k = 0; k + 4 <= dwords; k += 4) {
    typename C::D d[4];
    C::columns4(rows + 4 * k, stride, d);
    for (std::size_t i = 0; i < 4; ++i, out += 64) {
      if constexpr (kWords) {
        C::store_low(out, d[i]);
        C::store_high(out + 32, d[i]);
      } else {
        C::store(out, d[i], 0);
      }
    }
  }
}

template <class Arch>
void pack_full_panel(DType type, const std::byte* rows, std::size_t stride, std::size_t cols,
                     std::byte* panel) noexcept {
  // Blocks are read from 16 rows in turn, which the prefetchers do not follow: a first pass in order is faster by a
  // half.
  constexpr std::size_t kTouch = std::size_t{256} << 10;
  if (stride == row_bytes(type, cols) && kPanelRows * stride <= kTouch)
    simd::Columns<Arch>::touch(rows, kPanelRows * stride);
  const std::size_t blocks = cols / kBlock;
  std::size_t done = cols;  // columns
  switch (type) {
    case DType::Q4_0:
      pack_blocks<Arch, 1, 4, 0>(rows, stride, blocks, panel);
      break;
    case DType::Q4_1:
      pack_blocks<Arch, 2, 4, 0>(rows, stride, blocks, panel);
      break;
    case DType::Q8_0:
      pack_blocks<Arch, 1, 8, 0x80808080u>(rows, stride, blocks, panel);
      break;
    case DType::F16:
    case DType::BF16:
      done = cols / 8 * 8;
      pack_dwords<Arch, true>(rows, stride, done / 2, panel);
      break;
    case DType::F32:
    case DType::I32:
      done = cols / 4 * 4;
      pack_dwords<Arch, false>(rows, stride, done, panel);
      break;
    default:  // packed by the scalar twin
      break;
  }
  simd::Columns<Arch>::fence();
  if (done == cols) return;
  const std::size_t width = traits(type).block_bytes;
  lq::pack_panel(type, rows + width * done, stride, kPanelRows, cols - done, panel + width * kPanelRows * done);
}

// `panel` is a multiple of 32 bytes.
template <class Arch>
void pack_panel(DType type, const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols,
                std::byte* panel) noexcept {
  if constexpr (!std::is_same_v<Arch, arch::Scalar>) {
    if (n == kPanelRows && !is_grouped_type(type)) return pack_full_panel<Arch>(type, rows, stride, cols, panel);
  }
  lq::pack_panel(type, rows, stride, n, cols, panel);
}

}  // namespace lq::kernels
