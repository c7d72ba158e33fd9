// Applies merges to one pre-tokenized piece. Private to text/ and its tests.
// Thread contract: a WordMerger has one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "loquor/text/merge_table.hpp"
#include "loquor/text/rank_queue.hpp"

namespace lq {

class WordMerger {
 public:
  explicit WordMerger(const MergeTable& merges) : merges_(merges) {}

  // `ids` holds the token of each byte, -1 where there is none. Merges them in place, lowest rank first, leftmost first
  // among equals; returns how many are left. Negative ids never merge. Time O(n) for repeated patterns and O(n log n)
  // for any piece; some 16 bytes of working memory a byte above a small constant. After an exception the merger may be
  // used again.
  std::size_t merge(std::string_view bytes, std::int32_t* ids);

 private:
  // Up to this length rescanning all ranks is faster than keeping a queue.
  static constexpr std::size_t kShort = 64;

  std::size_t merge_short(std::string_view bytes, std::int32_t* ids) const noexcept;
  std::size_t merge_long(std::string_view bytes, std::int32_t* ids);
  // The rank of merging the bytes i and i + 1.
  std::uint32_t byte_rank(std::string_view bytes, std::size_t i) const noexcept {
    return merges_.byte_rank(static_cast<unsigned char>(bytes[i]), static_cast<unsigned char>(bytes[i + 1]));
  }
  void start(std::string_view bytes);
  void push(std::uint32_t rank, std::size_t position);
  void apply(std::int32_t* ids, std::size_t n, std::size_t position, std::uint32_t rank);
  std::size_t compact(std::int32_t* ids, std::size_t n) const noexcept;

  // A token is known by the position of its first byte. Tokens have less than 2^16 bytes (Vocab::kMaxTokenBytes), so
  // distances to the neighbours are as good as links and half as large.
  struct Node {
    std::uint16_t size;       // in bytes; 0: no token begins here
    std::uint16_t prev_size;  // of the token before; 0 for the first
  };

  const MergeTable& merges_;
  std::vector<Node> nodes_;  // one a byte
  RankQueue queue_;
};

}  // namespace lq
