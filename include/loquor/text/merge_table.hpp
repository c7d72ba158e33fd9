// The merges of a byte-level BPE model: which two adjacent tokens become one, and how early. Private to text/.
// Thread contract: immutable after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "loquor/core/config.hpp"
#include "loquor/text/vocab.hpp"

namespace lq {

class MergeTable {
 public:
  static constexpr std::size_t kMaxMerges = (std::size_t{1} << 24) - 1;
  static constexpr std::uint32_t kNone = static_cast<std::uint32_t>(kMaxMerges);  // rank of a pair that doesn't merge

  MergeTable() = default;
  // A merge whose left, right or joined bytes are no word of the vocabulary can never be made and is left out, as is
  // a pair's second merge. Throws Error{bad_file|limit} naming the merge.
  MergeTable(std::span<const std::string_view> merges, const Vocab& vocab);

  // The rank of merging `left right` (lower is earlier) or kNone. Ids below 0 (unknown bytes) never merge.
  LQ_ALWAYS_INLINE std::uint32_t rank(std::int32_t left, std::int32_t right) const noexcept {
    if (LQ_UNLIKELY((left | right) < 0)) return kNone;
    const std::uint64_t pair = pack(left, right);
    for (std::size_t slot = slot_of(pair);; slot = (slot + 1) & mask_) {
      const std::uint64_t entry = table_[slot];
      if (entry >> 24 == pair) return static_cast<std::uint32_t>(entry) & kNone;
      if (entry == kEmpty) return kNone;
    }
  }
  // The token that a merge makes.
  std::int32_t result(std::uint32_t rank) const noexcept { return results_[rank]; }

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static constexpr std::size_t kMaxProbes = 512;

  // Ids have 20 bits (Vocab::kMaxTokens), so a pair and its rank fit one word: left, right, 24 bits of rank.
  static std::uint64_t pack(std::int32_t left, std::int32_t right) noexcept {
    return static_cast<std::uint64_t>(left) << 20 | static_cast<std::uint64_t>(right);
  }
  std::size_t slot_of(std::uint64_t pair) const noexcept { return (pair * 0x9e3779b97f4a7c15u) >> shift_; }
  void insert(std::uint64_t pair, std::uint32_t rank);

  std::vector<std::uint64_t> table_ = {kEmpty, kEmpty};
  std::vector<std::int32_t> results_;
  std::size_t mask_ = 1;
  unsigned shift_ = 63;
};

}  // namespace lq
