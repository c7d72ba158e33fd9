// Applies merges to one pre-tokenized piece. Private to text/ and its tests.
// Thread contract: a WordMerger has one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "loquor/text/merge_table.hpp"

namespace lq {

class WordMerger {
 public:
  explicit WordMerger(const MergeTable& merges) : merges_(merges) {}

  // Merges the n tokens at `ids` in place, lowest rank first, leftmost first among equals; returns how many are left.
  // Negative ids never merge. O(n log n) time; 20 bytes of working memory a token above a small constant.
  std::size_t merge(std::int32_t* ids, std::size_t n);

 private:
  // Up to this length rescanning all ranks is faster than keeping a queue.
  static constexpr std::size_t kShort = 40;

  std::size_t merge_short(std::int32_t* ids, std::size_t n) const noexcept;
  std::size_t merge_long(std::int32_t* ids, std::size_t n);
  void start(const std::int32_t* ids, std::size_t n);
  void push(std::uint32_t position, std::uint32_t rank);
  std::uint64_t pop() noexcept;
  void apply(std::int32_t* ids, std::uint32_t position, std::uint32_t rank);
  std::size_t compact(std::int32_t* ids) const noexcept;

  // A live token is known by the position of its first byte; nodes are linked in text order.
  struct Node {
    std::uint32_t prev, next;  // kEnd at the ends
    std::uint32_t rank;        // of merging with the next node; queue entries that differ from it are stale
  };
  static constexpr std::uint32_t kEnd = ~0u;

  const MergeTable& merges_;
  std::vector<Node> nodes_;
  std::vector<std::uint64_t> queue_;  // binary heap of rank << 32 | position
};

}  // namespace lq
