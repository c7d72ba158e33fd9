// The units of a forward pass, and what they typically cost. Private to lib/models.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

#include "loquor/nn/kv_layout.hpp"

namespace lq {

// `some` and `score` come in the place of `head`: a few of its rows, or log probabilities.
enum class Stage { embed, qkv, attend, ffn_up, ffn_down, head, some, score, done };

// Typical microseconds of a unit, by stage, row count and (attention) depth, both in powers of two.
class CostTable {
 public:
  float& at(Stage stage, std::size_t rows, std::size_t depth) noexcept {
    const std::size_t d = stage == Stage::attend ? std::bit_width(depth / KvLayout::kPageTokens) : 0;
    return us_[static_cast<std::size_t>(stage)][std::min(kClasses - 1, static_cast<std::size_t>(std::bit_width(rows)))]
              [std::min(kClasses - 1, d)];
  }
  // A moving average that one descheduled run cannot spoil.
  static void update(float& us, double seen) noexcept {
    const float x = static_cast<float>(us > 0 ? std::min(seen, 4.0 * us) : seen);
    us = us > 0 ? us + 0.25f * (x - us) : x;
  }

 private:
  static constexpr std::size_t kClasses = 16;
  float us_[static_cast<std::size_t>(Stage::done)][kClasses][kClasses] = {};
};

}  // namespace lq
