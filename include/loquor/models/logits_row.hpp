// The scores of the next token as a pass leaves them, and what it noted on the way.
#pragma once

#include <span>

namespace lq {

struct LogitsRow {
  std::span<const float> values;     // one per token of the vocabulary
  std::span<const float> block_max;  // the largest of each kernels::kLogitBlock of them, NaN aside; may be empty

  LogitsRow() noexcept = default;
  LogitsRow(std::span<const float> all, std::span<const float> maxima = {}) noexcept : values(all), block_max(maxima) {}
  bool empty() const noexcept { return values.empty(); }
};

}  // namespace lq
