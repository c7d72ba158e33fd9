#include "loquor/quant/panel.hpp"

#include <cmath>
#include <cstring>

#include "loquor/quant/groups.hpp"

namespace lq {
namespace {

// GGUF blocks of 32 along a row: 4_0 {f16 d; u8 qs[16]}, 4_1 {f16 d, m; u8 qs[16]}, 8_0 {f16 d; i8 qs[32]}.
template <class Panel, std::size_t kScales, std::size_t kDwords, std::uint32_t kFlip>
void pack_blocks(const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols, std::byte* out) noexcept {
  constexpr std::size_t kBytes = 2 * kScales + 4 * kDwords;
  const std::size_t blocks = cols / kBlock;
  for (std::size_t b = 0; b < blocks; ++b) {
    std::byte* p = out + b * sizeof(Panel);
    if (n < kPanelRows) std::memset(p, 0, sizeof(Panel));
    for (std::size_t r = 0; r < n; ++r) {
      const std::byte* src = rows + r * stride + b * kBytes;
      for (std::size_t s = 0; s < kScales; ++s) std::memcpy(p + 2 * (16 * s + r), src + 2 * s, 2);
      for (std::size_t g = 0; g < kDwords; ++g) {
        std::uint32_t q;
        std::memcpy(&q, src + 2 * kScales + 4 * g, 4);
        q ^= kFlip;
        std::memcpy(p + 32 * kScales + 64 * g + 4 * r, &q, 4);
      }
    }
  }
}

std::uint16_t saturated_f16(float x) noexcept { return to_f16(std::fmin(std::fmax(x, -65504.0f), 65504.0f)).bits; }

// Row r of block b of a panel of bytes (Q8_0, Q8_1, G8, G8_M) or nibbles (Q4_1). kBias is added to the codes.
template <class Panel, int kBias>
void put_group(const CodeGroup& g, std::size_t r, Panel& p) noexcept {
  constexpr std::size_t kScales = sizeof p.d / 32;
  for (std::size_t h = 0; h < kScales; ++h) {
    p.d[16 * h + r] = saturated_f16(g.d[h]);
    if constexpr (requires { p.m; }) p.m[16 * h + r] = saturated_f16(g.m[h]);
  }
  if constexpr (sizeof p.q == 512) {
    for (std::size_t k = 0; k < kBlock; ++k)
      p.q[k / 4 * 64 + 4 * r + k % 4] = static_cast<std::uint8_t>(g.q[k] + kBias);
  } else {
    for (std::size_t k = 0; k < 16; ++k)
      p.q[k / 4 * 64 + 4 * r + k % 4] = static_cast<std::uint8_t>(g.q[k] | g.q[16 + k] << 4);
  }
}

template <class Panel, int kBias>
void pack_groups(DType type, const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols,
                 std::byte* out) noexcept {
  const TypeTraits& t = traits(type);
  const std::size_t groups = t.block_elems / kBlock;
  auto* panels = reinterpret_cast<Panel*>(out);
  if (n < kPanelRows) std::memset(out, 0, cols / kBlock * sizeof(Panel));
  for (std::size_t r = 0; r < n; ++r)
    for (std::size_t b = 0; b < cols / t.block_elems; ++b) {
      CodeGroup group[kMaxGroups];
      decode_groups(type, rows + r * stride + b * t.block_bytes, group);
      for (std::size_t g = 0; g < groups; ++g) put_group<Panel, kBias>(group[g], r, panels[b * groups + g]);
    }
}

template <class T>
void pack_plain(const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols, std::byte* out) noexcept {
  if (n < kPanelRows) std::memset(out, 0, kPanelRows * cols * sizeof(T));
  for (std::size_t k = 0; k < cols; ++k)
    for (std::size_t r = 0; r < n; ++r)
      std::memcpy(out + (k * kPanelRows + r) * sizeof(T), rows + r * stride + k * sizeof(T), sizeof(T));
}

float half_at(const std::uint16_t* p, std::size_t i) noexcept { return to_float(f16{p[i]}); }

template <class Panel, class Fn>
void unpack_blocks(const std::byte* panel, std::size_t cols, float* out, Fn value) noexcept {
  const Panel* p = reinterpret_cast<const Panel*>(panel);
  for (std::size_t k = 0; k < cols; ++k) out[k] = value(p[k / kBlock], k % kBlock);
}

int nibble(const std::uint8_t* q, std::size_t r, std::size_t k) noexcept {
  const std::size_t i = k % 16;
  const int byte = q[64 * (i / 4) + 4 * r + i % 4];
  return k < 16 ? byte & 15 : byte >> 4;
}

void pack_grouped(DType type, const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols,
                  std::byte* panel) noexcept {
  switch (panel_format(type)) {
    case PanelFormat::q4_1:
      return pack_groups<PanelQ4_1, 0>(type, rows, stride, n, cols, panel);
    case PanelFormat::q8_0:
      return pack_groups<PanelQ8_0, 128>(type, rows, stride, n, cols, panel);
    case PanelFormat::q8_1:
      return pack_groups<PanelQ8_1, 0>(type, rows, stride, n, cols, panel);
    case PanelFormat::g8:
      return pack_groups<PanelG8, 32>(type, rows, stride, n, cols, panel);
    case PanelFormat::g8_m:
      return pack_groups<PanelG8_M, 0>(type, rows, stride, n, cols, panel);
    default:
      return;
  }
}

}  // namespace

std::size_t panel_bytes(DType type, std::size_t cols) noexcept {
  switch (panel_format(type)) {
    case PanelFormat::q4_0:
      return cols / kBlock * sizeof(PanelQ4_0);
    case PanelFormat::q4_1:
      return cols / kBlock * sizeof(PanelQ4_1);
    case PanelFormat::q8_0:
      return cols / kBlock * sizeof(PanelQ8_0);
    case PanelFormat::q8_1:
      return cols / kBlock * sizeof(PanelQ8_1);
    case PanelFormat::g8:
      return cols / kBlock * sizeof(PanelG8);
    case PanelFormat::g8_m:
      return cols / kBlock * sizeof(PanelG8_M);
    case PanelFormat::plain:
      break;
  }
  return kPanelRows * row_bytes(type, cols);
}

void pack_panel(DType type, const std::byte* rows, std::size_t stride, std::size_t n, std::size_t cols,
                std::byte* panel) noexcept {
  if (is_grouped_type(type)) return pack_grouped(type, rows, stride, n, cols, panel);
  switch (type) {
    case DType::Q4_0:
      return pack_blocks<PanelQ4_0, 1, 4, 0>(rows, stride, n, cols, panel);
    case DType::Q4_1:
      return pack_blocks<PanelQ4_1, 2, 4, 0>(rows, stride, n, cols, panel);
    case DType::Q8_0:
      return pack_blocks<PanelQ8_0, 1, 8, 0x80808080u>(rows, stride, n, cols, panel);
    case DType::F16:
    case DType::BF16:
      return pack_plain<std::uint16_t>(rows, stride, n, cols, panel);
    case DType::F32:
    case DType::I32:
      return pack_plain<std::uint32_t>(rows, stride, n, cols, panel);
    default:
      return;
  }
}

void unpack_row(DType type, const std::byte* panel, std::size_t r, std::size_t cols, float* out) noexcept {
  const auto byte = [r](const auto& b, std::size_t k) { return static_cast<float>(b.q[64 * (k / 4) + 4 * r + k % 4]); };
  const auto* half = reinterpret_cast<const std::uint16_t*>(panel);
  switch (panel_format(type)) {
    case PanelFormat::q4_0:
      return unpack_blocks<PanelQ4_0>(panel, cols, out, [r](const PanelQ4_0& b, std::size_t k) {
        return half_at(b.d, r) * static_cast<float>(nibble(b.q, r, k) - 8);
      });
    case PanelFormat::q4_1:
      return unpack_blocks<PanelQ4_1>(panel, cols, out, [r](const PanelQ4_1& b, std::size_t k) {
        return half_at(b.d, r) * static_cast<float>(nibble(b.q, r, k)) + half_at(b.m, r);
      });
    case PanelFormat::q8_0:
      return unpack_blocks<PanelQ8_0>(
          panel, cols, out, [&](const PanelQ8_0& b, std::size_t k) { return half_at(b.d, r) * (byte(b, k) - 128.0f); });
    case PanelFormat::q8_1:
      return unpack_blocks<PanelQ8_1>(panel, cols, out, [&](const PanelQ8_1& b, std::size_t k) {
        return half_at(b.d, r) * byte(b, k) + half_at(b.m, r);
      });
    case PanelFormat::g8:
      return unpack_blocks<PanelG8>(panel, cols, out, [&](const PanelG8& b, std::size_t k) {
        return half_at(b.d, k / 16 * 16 + r) * (byte(b, k) - 32.0f);
      });
    case PanelFormat::g8_m:
      return unpack_blocks<PanelG8_M>(panel, cols, out, [&](const PanelG8_M& b, std::size_t k) {
        return half_at(b.d, k / 16 * 16 + r) * byte(b, k) + half_at(b.m, k / 16 * 16 + r);
      });
    case PanelFormat::plain:
      break;
  }
  switch (type) {
    case DType::F16:
      for (std::size_t k = 0; k < cols; ++k) out[k] = to_float(f16{half[k * 16 + r]});
      return;
    case DType::BF16:
      for (std::size_t k = 0; k < cols; ++k) out[k] = to_float(bf16{half[k * 16 + r]});
      return;
    default:
      for (std::size_t k = 0; k < cols; ++k) out[k] = reinterpret_cast<const float*>(panel)[k * 16 + r];
      return;
  }
}

}  // namespace lq
