// One logit per token of the vocabulary, read where the caller holds them. What a stage changes is copied first, block
// by block, so a chain that looks at the best few tokens touches little else. The maximum of every block is kept true
// through all changes; whoever looks for large values reads those first, and then only the blocks they point to.
// Values read back are never NaN or +infinity: NaN is -infinity, +infinity the largest float.
// Not thread-safe; buffers are reused.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "loquor/generate/sampler.hpp"
#include "loquor/kernels/sampling.hpp"

namespace lq {

struct KernelTable;

class DenseLogits {
 public:
  explicit DenseLogits(const KernelTable& kernels) : kernels_(&kernels) {}

  // `row` is borrowed, and read until the next call or the end of the draw.
  void assign(const LogitsRow& row);

  std::size_t size() const noexcept { return source_.size(); }
  bool holds(std::int32_t token) const noexcept { return token >= 0 && static_cast<std::size_t>(token) < size(); }
  float get(std::int32_t token) noexcept;
  void set(std::int32_t token, float logit) noexcept;
  // Multiplies all by factor >= 0, within +-1e30; -infinity stays.
  void scale(float factor) noexcept;

  float max() const noexcept { return max_; }  // -infinity if none is finite
  std::int32_t best() noexcept;                // the smaller token on a tie; max() must be finite
  double sum_exp() noexcept;                   // of exp(logit - max()) over all
  // out := those with a finite logit in [from, below), by ascending token.
  void collect(float from, std::vector<Candidate>& out, float below = kNoLimit);
  // A logit that at least k tokens reach, and mostly not many more; -infinity if fewer than k are finite.
  float reached_by(std::size_t k) noexcept;
  // All as one array; may hold NaN.
  std::span<const float> whole() noexcept;

 private:
  static constexpr std::size_t kBlock = kernels::kLogitBlock;
  static constexpr float kNoLimit = std::numeric_limits<float>::infinity();

  std::size_t block_size(std::size_t b) const noexcept { return b + 1 < maxima_.size() ? kBlock : size() - b * kBlock; }
  const float* block(std::size_t b) const noexcept { return (copied_[b] ? copy_.data() : source_.data()) + b * kBlock; }
  void copy_blocks(std::size_t begin, std::size_t end) noexcept;
  void copy_all() noexcept;
  void own_maxima() noexcept;
  void find_max() noexcept;

  const KernelTable* kernels_;
  std::span<const float> source_, maxima_;  // maxima_: the row's, or own_maxima_
  std::vector<float> copy_, own_maxima_;    // copy_ holds the blocks that copied_ says
  std::vector<std::uint8_t> copied_;
  std::size_t n_copied_ = 0;
  float max_ = -kNoLimit;
  float factor_ = 1;  // of the blocks that are not copied
  std::vector<std::int32_t> found_;
};

}  // namespace lq
