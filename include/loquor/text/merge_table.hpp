// The merges of a BPE model: which two adjacent tokens become one, and how early. Private to text/.
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

  // A merge whose left, right or joined bytes are no word of the vocabulary can never be made and is left out, as is
  // a pair's second merge. Throws Error{bad_file|limit} naming the merge.
  MergeTable(std::span<const std::string_view> merges, const Vocab& vocab);

  // The rank of merging `left right` (lower is earlier) or kNone. Ids below 0 (unknown bytes) never merge.
  LQ_ALWAYS_INLINE std::uint32_t rank(std::int32_t left, std::int32_t right) const noexcept {
    if (LQ_UNLIKELY((left | right) < 0)) return kNone;
    const std::uint64_t hash = hash_of(left, right);
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t slot = hash >> shift_;; slot = (slot + 1) & mask_) {
      const std::uint32_t entry = table_[slot];
      if (entry == kEmpty) return kNone;
      if ((entry & ~kNone) != tag) continue;
      const Merge& merge = merges_[entry & kNone];
      if (LQ_LIKELY(merge.left == left && merge.right == right)) return entry & kNone;
    }
  }
  // The same for the tokens of two bytes, which is where every piece begins.
  std::uint32_t byte_rank(unsigned char left, unsigned char right) const noexcept {
    return byte_ranks_[static_cast<std::size_t>(left) << 8 | right];
  }
  // The token that a merge makes.
  std::int32_t result(std::uint32_t rank) const noexcept { return merges_[rank].result; }

 private:
  static constexpr std::uint32_t kEmpty = ~0u;  // its rank is kNone, no merge's
  static constexpr std::size_t kMaxProbes = 512;

  struct Merge {
    std::int32_t left, right, result;
  };

  static std::uint64_t hash_of(std::int32_t left, std::int32_t right) noexcept {
    const std::uint64_t pair = static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
    const std::uint64_t mixed = pair * 0x9e3779b97f4a7c15u;
    return mixed ^ mixed >> 29;
  }
  // Bits that the slot doesn't use (at most the upper 26), above an entry's 24 bits of rank.
  static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash) << 24; }
  void insert(std::uint32_t rank);

  // Most look-ups are of pairs that don't merge. They end in this table, at most a third full and of four bytes a slot
  // so that it stays in the cache; only its tag's match looks at the merge itself.
  std::vector<std::uint32_t> table_ = {kEmpty, kEmpty};  // open addressing: tag and rank
  std::vector<Merge> merges_;                            // by rank
  std::vector<std::uint32_t> byte_ranks_;                // 256 x 256
  std::size_t mask_ = 1;
  unsigned shift_ = 63;
};

}  // namespace lq
