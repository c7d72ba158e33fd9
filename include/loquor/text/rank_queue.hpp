// The priority queue of byte-pair merging: pairs (rank, position), lowest rank first, lowest position first among
// equals.
//
// Merging has structure that a heap ignores: a long piece has few distinct ranks, and the positions of one rank mostly
// arrive in order, since merges of one rank are made from left to right. So each rank has a first-in-first-out list,
// and a heap orders only the ranks that have anything; a repeated pattern of any length then costs constant time a
// merge. The rare pair that arrives out of order goes to a second, plain heap, which keeps the worst case at
// O(log n) a pair whatever the merges are. Private to text/ and its tests. Thread contract: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lq {

class RankQueue {
 public:
  struct Item {
    std::uint32_t rank, position;
  };

  bool empty() const noexcept { return order_.empty() && late_.empty(); }
  void clear() noexcept;
  void reserve(std::size_t items) { entries_.reserve(items); }
  void push(std::uint32_t rank, std::uint32_t position);
  Item pop();  // must not be empty

 private:
  static constexpr std::uint32_t kNone = ~0u;
  struct Entry {
    std::uint32_t position, next;
  };
  struct Bucket {
    std::uint32_t rank;
    std::uint32_t head, tail;  // entries; head == kNone: empty
    std::uint32_t slot;        // in index_
  };

  static std::uint64_t key(std::uint32_t rank, std::uint32_t low) noexcept { return std::uint64_t{rank} << 32 | low; }
  std::uint32_t bucket_of(std::uint32_t rank);
  void grow_index();
  void append(Bucket& bucket, std::uint32_t position);

  std::vector<Entry> entries_;
  std::uint32_t free_ = kNone;  // list of unused entries
  std::vector<Bucket> buckets_;
  std::vector<std::uint32_t> index_;  // open addressing by rank: bucket or kNone
  std::vector<std::uint64_t> order_;  // heap of key(rank, bucket), the buckets that aren't empty
  std::vector<std::uint64_t> late_;   // heap of key(rank, position)
};

}  // namespace lq
