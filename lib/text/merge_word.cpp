#include "loquor/text/merge_word.hpp"

#include <algorithm>
#include <functional>

namespace lq {

std::size_t WordMerger::merge(std::int32_t* ids, std::size_t n) {
  if (n < 2) return n;
  return n <= kShort ? merge_short(ids, n) : merge_long(ids, n);
}

std::size_t WordMerger::merge_short(std::int32_t* ids, std::size_t n) const noexcept {
  std::uint32_t rank[kShort];  // of (i, i + 1)
  for (std::size_t i = 0; i + 1 < n; ++i) rank[i] = merges_.rank(ids[i], ids[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    std::uint32_t lowest = rank[0];
    for (std::size_t i = 1; i + 1 < n; ++i) {
      best = rank[i] < lowest ? i : best;
      lowest = std::min(lowest, rank[i]);
    }
    if (lowest == MergeTable::kNone) break;
    ids[best] = merges_.result(lowest);
    --n;
    for (std::size_t i = best + 1; i < n; ++i) ids[i] = ids[i + 1];
    for (std::size_t i = best + 1; i + 1 < n; ++i) rank[i] = rank[i + 1];
    if (best > 0) rank[best - 1] = merges_.rank(ids[best - 1], ids[best]);
    if (best + 1 < n) rank[best] = merges_.rank(ids[best], ids[best + 1]);
  }
  return n;
}

std::size_t WordMerger::merge_long(std::int32_t* ids, std::size_t n) {
  start(ids, n);
  while (!queue_.empty()) {
    const std::uint64_t entry = pop();
    const std::uint32_t position = static_cast<std::uint32_t>(entry), rank = static_cast<std::uint32_t>(entry >> 32);
    if (nodes_[position].rank == rank) apply(ids, position, rank);
  }
  return compact(ids);
}

void WordMerger::start(const std::int32_t* ids, std::size_t n) {
  nodes_.resize(n);
  queue_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t at = static_cast<std::uint32_t>(i);
    const std::uint32_t rank = i + 1 < n ? merges_.rank(ids[i], ids[i + 1]) : MergeTable::kNone;
    nodes_[i] = {at - 1, i + 1 < n ? at + 1 : kEnd, rank};  // 0 - 1 is kEnd
    if (rank != MergeTable::kNone) queue_.push_back(std::uint64_t{rank} << 32 | at);
  }
  std::make_heap(queue_.begin(), queue_.end(), std::greater<>());
}

void WordMerger::push(std::uint32_t position, std::uint32_t rank) {
  nodes_[position].rank = rank;
  if (rank == MergeTable::kNone) return;
  queue_.push_back(std::uint64_t{rank} << 32 | position);
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

std::uint64_t WordMerger::pop() noexcept {
  std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
  const std::uint64_t entry = queue_.back();
  queue_.pop_back();
  return entry;
}

void WordMerger::apply(std::int32_t* ids, std::uint32_t position, std::uint32_t rank) {
  Node& node = nodes_[position];
  const std::uint32_t gone = node.next;
  ids[position] = merges_.result(rank);
  node.next = nodes_[gone].next;
  nodes_[gone].rank = MergeTable::kNone;
  if (node.next != kEnd) nodes_[node.next].prev = position;
  push(position, node.next == kEnd ? MergeTable::kNone : merges_.rank(ids[position], ids[node.next]));
  if (node.prev != kEnd) push(node.prev, merges_.rank(ids[node.prev], ids[position]));
}

std::size_t WordMerger::compact(std::int32_t* ids) const noexcept {
  std::size_t kept = 0;
  for (std::uint32_t at = 0; at != kEnd; at = nodes_[at].next) ids[kept++] = ids[at];
  return kept;
}

}  // namespace lq
