#include "loquor/text/merge_word.hpp"

#include <algorithm>
#include <bit>

namespace lq {

namespace {

// The lowest bit set above bit i; 64 if there is none.
std::size_t after(std::uint64_t bits, std::size_t i) noexcept {
  return static_cast<std::size_t>(std::countr_zero(bits & ~((std::uint64_t{2} << i) - 1)));
}

}  // namespace

std::size_t WordMerger::merge(std::string_view bytes, std::int32_t* ids) {
  if (bytes.size() < 2) return bytes.size();
  return bytes.size() <= kShort ? merge_short(bytes, ids) : merge_long(bytes, ids);
}

std::size_t WordMerger::merge_short(std::string_view bytes, std::int32_t* ids) const noexcept {
  static_assert(kShort <= 64 && MergeTable::kNone < (1u << 24));
  // keys[i]: the rank of merging token i with its right neighbour, then i itself: the smallest key is the next merge.
  // Tokens stay where they are; `live` has a bit for each that hasn't been merged into another.
  constexpr std::uint32_t kDead = ~0u;
  std::uint32_t keys[kShort];
  const auto key = [](std::uint32_t rank, std::size_t i) { return rank << 8 | static_cast<std::uint32_t>(i); };
  const std::size_t n = bytes.size();
  for (std::size_t i = 0; i + 1 < n; ++i) keys[i] = key(byte_rank(bytes, i), i);
  std::uint64_t live = ~std::uint64_t{0} >> (64 - n);
  for (;;) {
    std::uint32_t lowest = kDead;
    for (std::size_t i = 0; i + 1 < n; ++i) lowest = std::min(lowest, keys[i]);
    if (lowest >> 8 == MergeTable::kNone) break;
    const std::size_t at = lowest & 0xff, gone = after(live, at);
    ids[at] = merges_.result(lowest >> 8);
    live &= ~(std::uint64_t{1} << gone);
    keys[at] = keys[gone] = kDead;
    if (const std::size_t next = after(live, at); next < 64) keys[at] = key(merges_.rank(ids[at], ids[next]), at);
    if (const std::uint64_t before = live & ((std::uint64_t{1} << at) - 1)) {
      const std::size_t prev = 63 - static_cast<std::size_t>(std::countl_zero(before));
      keys[prev] = key(merges_.rank(ids[prev], ids[at]), prev);
    }
  }
  std::size_t kept = 0;
  for (; live; live &= live - 1) ids[kept++] = ids[std::countr_zero(live)];
  return kept;
}

std::size_t WordMerger::merge_long(std::string_view bytes, std::int32_t* ids) {
  const std::size_t n = bytes.size();
  start(bytes);
  while (!queue_.empty()) {
    const RankQueue::Item item = queue_.pop();
    // What was queued holds only if that pair is still there.
    const std::size_t at = item.position, next = at + nodes_[at].size;
    if (next == at || next >= n || merges_.rank(ids[at], ids[next]) != item.rank) continue;
    apply(ids, n, at, item.rank);
  }
  return compact(ids, n);
}

void WordMerger::start(std::string_view bytes) {
  const std::size_t n = bytes.size();
  nodes_.assign(n, {1, 1});
  nodes_[0].prev_size = 0;
  queue_.clear();
  queue_.reserve(n);
  for (std::size_t i = 0; i + 1 < n; ++i) push(byte_rank(bytes, i), i);
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
