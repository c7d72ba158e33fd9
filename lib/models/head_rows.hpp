// Which panels of the head a pass computes when only some tokens' logits are wanted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lq {

struct PanelRange {
  std::size_t begin, end;
};

class HeadRows {
 public:
  // For a head of so many panels. Allocates all it needs. Throws std::bad_alloc.
  explicit HeadRows(std::size_t panels) : marked_(panels) { runs_.reserve(panels / (kGap + 1) + 1); }

  // The panels of these rows, in runs. A run goes on over a small gap: its bytes cost less than another hand-off to the
  // threads does.
  void select(std::span<const std::int32_t> ids) noexcept {
    std::fill(marked_.begin(), marked_.end(), false);
    for (const std::int32_t id : ids) marked_[static_cast<std::size_t>(id) / 16] = true;
    runs_.clear();
    for (std::size_t p = 0; p < marked_.size(); ++p) {
      if (!marked_[p]) continue;
      if (!runs_.empty() && p <= runs_.back().end + kGap)
        runs_.back().end = p + 1;
      else
        runs_.push_back({p, p + 1});
    }
  }
  std::span<const PanelRange> runs() const noexcept { return runs_; }

 private:
  static constexpr std::size_t kGap = 8;
  std::vector<std::uint8_t> marked_;
  std::vector<PanelRange> runs_;
};

}  // namespace lq
