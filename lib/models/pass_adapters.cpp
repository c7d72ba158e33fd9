// What adapters add to the products of a layer (models/adapter.hpp), each segment's rows through its own.
#include <algorithm>
#include <cmath>

#include "loquor/core/status.hpp"
#include "loquor/nn/gemm.hpp"
#include "pass_impl.hpp"

namespace lq {

// Checks them and makes room, before anything changes.
void Decoder::Pass::Impl::reserve_adapters(std::span<const PassSegment> batch) {
  std::size_t rank = 0, rows = 0;
  for (const PassSegment& s : batch) {
    rows = std::max(rows, s.tokens.size());
    for (const AdapterUse& use : s.adapters) {
      LQ_CHECK(use.adapter && use.adapter->model() == model, Code::invalid_argument,
               "pass: an adapter of another model");
      LQ_CHECK(std::isfinite(use.scale), Code::invalid_argument, "pass: an adapter's scale is not finite");
      rank = std::max(rank, use.adapter->max_rank());
    }
  }
  if (low.size() < rows * rank) low.resize(rows * rank);
  if (rank) adapted.reserve(batch.size());
}

void Decoder::Pass::Impl::find_adapted(bool only_wanted) {
  adapted.clear();
  std::size_t row = 0;
  for (const Segment& s : segments) {
    const std::size_t n = only_wanted ? s.logit_rows() : s.rows;
    if (n && !s.adapters.empty()) adapted.push_back({row, n, s.adapters});
    row += n;
  }
}

// y += scale B (A x) for the rows of act that have adapters. Every element is one chain of multiply-adds per adapter,
// in their order, whatever the other rows are.
void Decoder::Pass::Impl::adapt(Adapter::LowRank Adapter::Layer::*which, TensorView<float> y) {
  for (const AdaptedRows& a : adapted)
    for (const AdapterUse& use : a.adapters) {
      const Adapter::LowRank& m = use.adapter->layers()[layer].*which;
      if (!m.rank || use.scale == 0) continue;
      Gemm first{a.rows, m.rank,     m.in,  act.f32_ + a.first * act.cols(), act.cols(), false, nullptr, 0,
                 false,  low.data(), m.rank};
      first.packed = m.a;
      gemm(ctx, first, nullptr);
      if (use.scale != 1)
        for (std::size_t i = 0; i < a.rows * m.rank; ++i) low[i] *= use.scale;
      Gemm second{a.rows, m.out, m.rank, low.data(), m.rank, false, nullptr, 0, false, y.row(a.first), y.stride};
      second.packed = m.b;
      second.add = true;
      gemm(ctx, second, nullptr);
      touched += static_cast<double>((m.in + m.out) * m.rank * sizeof(float));
    }
}

}  // namespace lq
