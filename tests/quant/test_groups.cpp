// The types that are decoded through quant/groups.hpp, against gguf-py (tests/goldens/make_dequantize_goldens.py).
#include "loquor/quant/groups.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

#include "loquor/core/checksum.hpp"
#include "loquor/quant/panel.hpp"
#include "loquor/quant/rows.hpp"

using namespace lq;
using Json = nlohmann::json;

namespace {

std::vector<std::byte> from_hex(const std::string& hex) {
  std::vector<std::byte> out(hex.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

std::vector<float> decoded(DType type, const std::vector<std::byte>& blocks) {
  std::vector<float> out(blocks.size() / traits(type).block_bytes * traits(type).block_elems);
  decode_row(type, blocks.data(), out.size(), out.data());
  return out;
}

Json goldens() { return Json::parse(std::ifstream(LQ_SOURCE_DIR "/tests/goldens/dequantize.json")).at("types"); }

}  // namespace

TEST_CASE("every quantised type decodes to what gguf-py gives, bit for bit", "[quant]") {
  const Json types = goldens();
  REQUIRE(types.size() == 13);
  for (const auto& [name, golden] : types.items()) {
    INFO(name);
    const DType type = type_from_name(name).value();
    const auto values = decoded(type, from_hex(golden.at("blocks")));
    const auto last = from_hex(golden.at("last"));
    const std::size_t n = last.size() / sizeof(float);
    for (std::size_t i = 0; i < n; ++i) {
      float want;
      std::memcpy(&want, last.data() + i * sizeof want, sizeof want);
      INFO("value " << i << " of the last block");
      CHECK(values[values.size() - n + i] == want);
    }
    char sum[17];
    std::snprintf(sum, sizeof sum, "%016llx",
                  static_cast<unsigned long long>(checksum(values.data(), values.size() * sizeof(float))));
    CHECK(golden.at("checksum") == sum);
  }
}

TEST_CASE("a packed panel holds what the blocks hold, but for the rounding of scales of two levels", "[quant]") {
  const Json types = goldens();
  for (const auto& [name, golden] : types.items()) {
    INFO(name);
    const DType type = type_from_name(name).value();
    const TypeTraits& t = traits(type);
    auto bytes = from_hex(golden.at("blocks"));
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(4 * t.block_bytes));  // ordinary scales
    constexpr std::size_t kRows = 3;
    const std::size_t cols = bytes.size() / t.block_bytes / kRows * t.block_elems, stride = row_bytes(type, cols);
    std::vector<std::byte> panel(panel_bytes(type, cols), std::byte{0x55});
    pack_panel(type, bytes.data(), stride, kRows, cols, panel.data());
    std::vector<float> want(cols), got(cols);
    for (std::size_t r = 0; r < kPanelRows; ++r) {
      unpack_row(type, panel.data(), r, cols, got.data());
      if (r < kRows) decode_row(type, bytes.data() + r * stride, cols, want.data());
      for (std::size_t k = 0; k < cols; ++k) {
        float most = 0;  // d q and m may cancel: both are rounded
        for (std::size_t j = k / 32 * 32; j < k / 32 * 32 + 32; ++j) most = std::max(most, std::abs(want[j]));
        // One f16 for two levels of scales, or for an exponent of eight bits: small ones become steps of 2^-24.
        const float tolerance = type == DType::MXFP4 ? 1e-6f : t.block_elems == 32 ? 0.0f : 1e-3f * most + 1e-7f;
        REQUIRE(std::abs(got[k] - (r < kRows ? want[k] : 0.0f)) <= tolerance);
      }
    }
  }
}

TEST_CASE("scales beyond a panel's range are its largest, not infinite", "[quant]") {
  std::vector<std::byte> block(traits(DType::MXFP4).block_bytes, std::byte{0x77});
  block[0] = std::byte{254};  // 2^127
  std::vector<std::byte> panel(panel_bytes(DType::MXFP4, 32));
  pack_panel(DType::MXFP4, block.data(), block.size(), 1, 32, panel.data());
  float row[32];
  unpack_row(DType::MXFP4, panel.data(), 0, 32, row);
  CHECK(row[0] == 65504.0f * 12);
}
