#include "loquor/kernels/pack.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/core/random.hpp"
#include "loquor/kernels/table.hpp"

using namespace lq;

namespace {

// Bytes without meaning: packing moves them and computes nothing. The block is exactly as large as asked for, so that a
// read past the last row is seen by AddressSanitizer.
std::unique_ptr<std::byte[]> random_bytes(std::size_t n, std::uint64_t seed) {
  Random rng(seed);
  auto bytes = std::make_unique<std::byte[]>(n);
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::byte>(rng.next());
  return bytes;
}

}  // namespace

TEST_CASE("every instruction set packs a panel to the reference's bytes", "[kernels][per_isa]") {
  const Context ctx{};
  for (const DType type : {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q4_1}) {
    for (const std::size_t cols : {1u, 3u, 8u, 13u, 32u, 64u, 96u, 576u, 1056u}) {
      if (cols % traits(type).block_elems) continue;
      for (const std::size_t n : {1u, 2u, 7u, 15u, 16u}) {
        for (const std::size_t gap : {0u, 6u}) {  // rows need not touch
          const std::size_t stride = row_bytes(type, cols) + gap, bytes = panel_bytes(type, cols);
          const auto rows = random_bytes((n - 1) * stride + row_bytes(type, cols), 7 * cols + n + gap);
          constexpr std::byte kGuard{0xa5};
          const std::vector<std::byte> blank(bytes + 64, kGuard);
          Storage wanted = ctx.allocate(blank.size()), got = ctx.allocate(blank.size());
          std::memcpy(wanted.data(), blank.data(), blank.size());
          std::memcpy(got.data(), blank.data(), blank.size());
          pack_panel(type, rows.get(), stride, n, cols, wanted.data());
          ctx.kernels().pack_panel(type, rows.get(), stride, n, cols, got.data());
          INFO(ctx.kernels().isa << ", " << name(type) << ", " << n << " rows of " << cols << " columns, " << gap
                                 << " bytes between");
          REQUIRE(std::memcmp(got.data(), wanted.data(), blank.size()) == 0);
          REQUIRE(std::memcmp(got.data() + bytes, blank.data(), 64) == 0);
        }
      }
    }
  }
}
