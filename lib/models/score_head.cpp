#include "loquor/models/score_head.hpp"

#include <algorithm>
#include <cmath>

#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr std::size_t kSlicePanels = LogSumExp::kSlice / 16;
constexpr unsigned kThreadsPerSlice = 8;  // matmul hands out pieces of four panels

}  // namespace

void LogSumExp::add(const KernelTable& kernels, const float* logits, std::size_t n) noexcept {
  const float top = logits[kernels.argmax(logits, n)];
  const double sum = kernels.sum_exp(logits, n, top);
  const double m = std::max(max_, static_cast<double>(top));
  sum_ = sum_ * std::exp(max_ - m) + sum * std::exp(static_cast<double>(top) - m);
  max_ = m;
}

double LogSumExp::value() const noexcept { return max_ + std::log(sum_); }

double log_softmax_at(const KernelTable& kernels, std::span<const float> logits, std::int32_t token) noexcept {
  LogSumExp sum;
  for (std::size_t at = 0; at < logits.size(); at += LogSumExp::kSlice)
    sum.add(kernels, logits.data() + at, std::min(LogSumExp::kSlice, logits.size() - at));
  return static_cast<double>(logits[static_cast<std::size_t>(token)]) - sum.value();
}

ScoreHead::ScoreHead(const Context& ctx, const PackedMatrix& head, std::size_t max_rows, float cap)
    : ctx_(ctx),
      head_(head),
      cap_(cap),
      slices_((ctx.pool().size() + kThreadsPerSlice - 1) / kThreadsPerSlice),
      buffer_(ctx.allocate(max_rows * slices_ * LogSumExp::kSlice * sizeof(float))) {
  rows_.reserve(max_rows);
  targets_.reserve(max_rows);
  logprobs_.reserve(max_rows);
}

void ScoreHead::begin(std::span<const std::int32_t> targets) noexcept {
  targets_.assign(targets.begin(), targets.end());
  rows_.assign(targets.size(), Row{});
  logprobs_.assign(targets.size(), 0);
  panel_ = 0;
}

void ScoreHead::piece(const Activations& a) {
  const std::size_t first = panel_, width = slices_ * LogSumExp::kSlice;
  panel_ = std::min(head_.panels(), first + slices_ * kSlicePanels);
  const PackedMatrix part = head_.panel_range(first, panel_);
  const TensorView<float> y{reinterpret_cast<float*>(buffer_.data()), targets_.size(), part.rows(), width};
  matmul(ctx_, part, a, y);
  const KernelTable& kernels = ctx_.kernels();
  ctx_.pool().parallel_for(targets_.size(), 4, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r) {
      Row& row = rows_[r];
      if (cap_ > 0) kernels.soft_cap(y.row(r), part.rows(), cap_, y.row(r));
      for (std::size_t at = 0; at < part.rows(); at += LogSumExp::kSlice)
        row.sum.add(kernels, y.row(r) + at, std::min(LogSumExp::kSlice, part.rows() - at));
      const std::size_t column = static_cast<std::size_t>(targets_[r]) - first * 16;  // wraps if it lies before
      if (column < part.rows()) row.target = y(r, column);
    }
  });
}

bool ScoreHead::advance(const Activations& a, std::size_t panels) {
  const std::size_t end = std::min(head_.panels(), panel_ + std::max<std::size_t>(panels, 1));
  while (panel_ < end) piece(a);
  if (panel_ < head_.panels()) return false;
  for (std::size_t r = 0; r < targets_.size(); ++r)
    logprobs_[r] = static_cast<double>(rows_[r].target) - rows_[r].sum.value();
  return true;
}

}  // namespace lq
