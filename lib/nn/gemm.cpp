#include "loquor/nn/gemm.hpp"

#include <algorithm>

#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr std::size_t kSmall = 48 * 1024;  // multiply-adds that are done before a second thread has begun
constexpr std::size_t kBlockPanels = 16;   // a block of 256 x 256 of B stays in the second-level cache
constexpr std::size_t kBlockRows = 192;    // of C at once
constexpr std::size_t kPackedRows = 8;     // from how many rows of C on a copy of B in panels pays

std::size_t panels(std::size_t n) noexcept { return (n + 15) / 16; }

void pack_panels(const KernelTable& kernels, const Gemm& g, float* out, std::size_t begin, std::size_t end) noexcept {
  const std::size_t row = g.b_transposed ? 1 : g.ldb, col = g.b_transposed ? g.ldb : 1;
  for (std::size_t p = begin; p < end; ++p)
    kernels.gemm_pack(g.b + 16 * p * col, row, col, std::min<std::size_t>(16, g.n - 16 * p), g.k, out + 16 * p * g.k);
}

// Rows of B are used where they lie if there is little to gain from a copy.
bool needs_packing(const Gemm& g) noexcept { return !g.packed && (g.b_transposed || g.m >= kPackedRows); }

GemmArgs arguments(const Gemm& g, const float* packed) noexcept {
  const std::size_t depth = g.packed_k ? g.packed_k : g.k;
  const std::size_t a_row = g.a_transposed ? 1 : g.lda, a_col = g.a_transposed ? g.lda : 1;
  if (packed) return {g.m, g.n, g.k, g.a, a_row, a_col, packed, 16 * depth, 16, true, g.c, g.ldc, g.bias, g.add};
  return {g.m, g.n, g.k, g.a, a_row, a_col, g.b, 16, g.ldb, false, g.c, g.ldc, g.bias, g.add};
}

// Blocks of C, a multiple of the threads if there are few: first columns are split, which shares B, then rows.
void run_blocks(const Context& ctx, const GemmArgs& args) {
  const KernelTable& kernels = ctx.kernels();
  const std::size_t np = panels(args.n), threads = ctx.pool().size();
  std::size_t panel_step = std::min(kBlockPanels, np), row_step = std::min(kBlockRows, args.m);
  if (panels(args.n) / panel_step * ((args.m - 1) / row_step + 1) < 2 * threads) {
    if (args.m >= 24 * threads)
      row_step = std::min(row_step, (args.m / (2 * threads) + 11) / 12 * 12);
    else
      panel_step = std::max<std::size_t>(1, std::min(panel_step, (np + threads - 1) / threads));
  }
  const std::size_t across = (np - 1) / panel_step + 1, down = (args.m - 1) / row_step + 1;
  ctx.pool().parallel_for(across * down, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t p = i / down * panel_step, r = i % down * row_step;
      kernels.gemm(args, r, std::min(args.m, r + row_step), p, std::min(np, p + panel_step));
    }
  });
}

}  // namespace

void gemm_pack(const Context& ctx, const Gemm& g, float* out) {
  const KernelTable& kernels = ctx.kernels();
  if (g.n * g.k < kSmall) return pack_panels(kernels, g, out, 0, panels(g.n));
  ctx.pool().parallel_for(
      panels(g.n), 1, [&](std::size_t begin, std::size_t end, unsigned) { pack_panels(kernels, g, out, begin, end); });
}

void gemm(const Context& ctx, const Gemm& g, float* workspace) {
  if (g.m == 0 || g.n == 0) return;
  if (g.m * g.n * g.k < kSmall) return gemm_serial(ctx, g, workspace);
  const bool pack = needs_packing(g);
  if (pack) gemm_pack(ctx, g, workspace);
  run_blocks(ctx, arguments(g, pack ? workspace : g.packed));
}

void gemm_serial(const Context& ctx, const Gemm& g, float* workspace) noexcept {
  if (g.m == 0 || g.n == 0) return;
  const KernelTable& kernels = ctx.kernels();
  const bool pack = needs_packing(g);
  if (pack) pack_panels(kernels, g, workspace, 0, panels(g.n));
  const GemmArgs args = arguments(g, pack ? workspace : g.packed);
  for (std::size_t p = 0; p < panels(g.n); p += kBlockPanels)
    kernels.gemm(args, 0, g.m, p, std::min(panels(g.n), p + kBlockPanels));
}

}  // namespace lq
