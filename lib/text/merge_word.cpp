#include "loquor/text/merge_word.hpp"

#include <algorithm>

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
    const RankQueue::Item item = queue_.pop();
    // What was queued holds only if that pair is still there.
    const std::size_t at = item.position, next = at + nodes_[at].size;
    if (next == at || next >= n || merges_.rank(ids[at], ids[next]) != item.rank) continue;
    apply(ids, n, at, item.rank);
  }
  return compact(ids, n);
}

void WordMerger::start(const std::int32_t* ids, std::size_t n) {
  nodes_.assign(n, {1, 1});
  nodes_[0].prev_size = 0;
  queue_.clear();
  queue_.reserve(n);
  for (std::size_t i = 0; i + 1 < n; ++i) push(merges_.rank(ids[i], ids[i + 1]), i);
}

void WordMerger::push(std::uint32_t rank, std::size_t position) {
  if (rank != MergeTable::kNone) queue_.push(rank, static_cast<std::uint32_t>(position));
}

void WordMerger::apply(std::int32_t* ids, std::size_t n, std::size_t position, std::uint32_t rank) {
  Node& node = nodes_[position];
  Node& gone = nodes_[position + node.size];
  node.size = static_cast<std::uint16_t>(node.size + gone.size);
  gone.size = 0;
  ids[position] = merges_.result(rank);
  // The left pair first: so positions that get the same rank arrive in order.
  if (node.prev_size) {
    const std::size_t prev = position - node.prev_size;
    push(merges_.rank(ids[prev], ids[position]), prev);
  }
  const std::size_t next = position + node.size;
  if (next < n) {
    nodes_[next].prev_size = node.size;
    push(merges_.rank(ids[position], ids[next]), position);
  }
}

std::size_t WordMerger::compact(std::int32_t* ids, std::size_t n) const noexcept {
  std::size_t kept = 0;
  for (std::size_t at = 0; at < n; at += nodes_[at].size) ids[kept++] = ids[at];
  return kept;
}

}  // namespace lq
