#include "dense_logits.hpp"

#include <algorithm>

#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max(), kLowest = std::numeric_limits<float>::lowest();
constexpr float kScaledBound = 1e30f;

}  // namespace

void DenseLogits::assign(const LogitsRow& row) {
  source_ = row.values;
  const std::size_t blocks = (size() + kBlock - 1) / kBlock;
  if (copy_.size() < size()) copy_.resize(size());
  own_maxima_.resize(blocks);
  found_.resize(blocks);
  copied_.assign(blocks, 0);
  n_copied_ = 0;
  factor_ = 1;
  maxima_ = row.block_max;
  if (maxima_.size() != blocks) {
    kernels_->block_max(source_.data(), size(), own_maxima_.data());
    maxima_ = own_maxima_;
  }
  find_max();
  if (max_ <= kLargest) return;
  copy_all();
  own_maxima();
  for (float& m : own_maxima_) m = std::min(m, kLargest);
  max_ = kLargest;
}

void DenseLogits::copy_blocks(std::size_t begin, std::size_t end) noexcept {
  const std::size_t first = begin * kBlock, last = std::min(end * kBlock, size());
  kernels_->scale_logits(source_.data() + first, last - first, factor_, factor_ == 1 ? kLargest : kScaledBound,
                         copy_.data() + first);
  for (std::size_t b = begin; b < end; ++b) copied_[b] = 1;
  n_copied_ += end - begin;
}

void DenseLogits::copy_all() noexcept {
  for (std::size_t b = 0, end; n_copied_ < maxima_.size(); b = end) {
    for (end = b; end < maxima_.size() && !copied_[end];) ++end;
    if (end > b) copy_blocks(b, end);
    while (end < maxima_.size() && copied_[end]) ++end;
  }
  factor_ = 1;
}

void DenseLogits::own_maxima() noexcept {
  if (maxima_.data() == own_maxima_.data()) return;
  std::copy(maxima_.begin(), maxima_.end(), own_maxima_.begin());
  maxima_ = own_maxima_;
}

void DenseLogits::find_max() noexcept {
  max_ = maxima_.empty() ? kNone : maxima_[kernels_->argmax(maxima_.data(), maxima_.size())];
}

float DenseLogits::get(std::int32_t token) noexcept {
  const auto i = static_cast<std::size_t>(token);
  if (!copied_[i / kBlock]) copy_blocks(i / kBlock, i / kBlock + 1);
  return copy_[i];
}

void DenseLogits::set(std::int32_t token, float logit) noexcept {
  const auto i = static_cast<std::size_t>(token), b = i / kBlock;
  const float before = get(token);
  copy_[i] = logit;
  own_maxima();
  float& most = own_maxima_[b];
  if (logit >= most)
    most = logit;
  else if (before == most)
    kernels_->block_max(block(b), block_size(b), &most);
  if (most > max_)
    max_ = most;
  else if (before == max_)
    find_max();
}

void DenseLogits::scale(float factor) noexcept {
  if (factor == 1) return;
  if (factor_ != 1) copy_all();
  for (std::size_t b = 0; b < maxima_.size() && n_copied_ > 0; ++b)
    if (copied_[b]) kernels_->scale_logits(block(b), block_size(b), factor, kScaledBound, copy_.data() + b * kBlock);
  factor_ = n_copied_ < maxima_.size() ? factor : 1;
  // Scaling keeps the order: the largest of a block stays its largest.
  kernels_->scale_logits(maxima_.data(), maxima_.size(), factor, kScaledBound, own_maxima_.data());
  maxima_ = own_maxima_;
  kernels_->scale_logits(&max_, 1, factor, kScaledBound, &max_);
}

std::int32_t DenseLogits::best() noexcept {
  const std::size_t b = kernels_->argmax(maxima_.data(), maxima_.size());
  if (factor_ != 1 && !copied_[b]) copy_blocks(b, b + 1);
  return static_cast<std::int32_t>(b * kBlock + kernels_->argmax(block(b), block_size(b)));
}

double DenseLogits::sum_exp() noexcept { return kernels_->sum_exp(whole().data(), size(), max()); }

void DenseLogits::collect(float from, std::vector<Candidate>& out, float below) {
  from = std::max(from, kLowest);
  out.clear();
  const std::size_t blocks =
      kernels_->collect_at_least(maxima_.data(), maxima_.size(), from, found_.data(), found_.size());
  for (std::size_t i = 0; i < blocks; ++i) {
    const auto b = static_cast<std::size_t>(found_[i]);
    if (factor_ != 1 && !copied_[b]) copy_blocks(b, b + 1);
    std::int32_t within[kBlock];
    const float* x = block(b);
    const std::size_t n = kernels_->collect_at_least(x, block_size(b), from, within, kBlock);
    for (std::size_t j = 0; j < n; ++j) {
      const float logit = x[within[j]];
      if (logit < below) out.push_back({static_cast<std::int32_t>(b * kBlock) + within[j], logit});
    }
  }
}

float DenseLogits::reached_by(std::size_t k) noexcept {
  // The k-th largest of the blocks' maxima is a bound. Once k nears their number it is a loose one.
  if (k <= maxima_.size() / 4) {
    const float bound = kernels_->reached_by(maxima_.data(), maxima_.size(), k);
    if (bound > kNone) return bound;
  }
  return kernels_->reached_by(whole().data(), size(), k);
}

std::span<const float> DenseLogits::whole() noexcept {
  if (n_copied_ == 0 && factor_ == 1) return source_;
  copy_all();
  return {copy_.data(), size()};
}

}  // namespace lq
