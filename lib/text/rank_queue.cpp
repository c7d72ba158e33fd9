#include "loquor/text/rank_queue.hpp"

#include <algorithm>
#include <functional>

namespace lq {

namespace {

void heap_push(std::vector<std::uint64_t>& heap, std::uint64_t key) {
  heap.push_back(key);
  std::push_heap(heap.begin(), heap.end(), std::greater<>());
}

void heap_pop(std::vector<std::uint64_t>& heap) noexcept {
  std::pop_heap(heap.begin(), heap.end(), std::greater<>());
  heap.pop_back();
}

std::size_t hash(std::uint32_t rank) noexcept { return rank * 0x9e3779b1u >> 7; }

}  // namespace

// Takes time in proportion to what was used since, not to the largest use ever.
void RankQueue::clear() noexcept {
  for (const Bucket& bucket : buckets_) index_[bucket.slot] = kNone;
  buckets_.clear();
  entries_.clear();
  order_.clear();
  late_.clear();
  free_ = kNone;
}

void RankQueue::push(std::uint32_t rank, std::uint32_t position) {
  const std::uint32_t at = bucket_of(rank);
  Bucket& bucket = buckets_[at];
  if (bucket.head == kNone) {
    append(bucket, position);
    heap_push(order_, key(rank, at));
  } else if (position < entries_[bucket.tail].position) {
    heap_push(late_, key(rank, position));
  } else {
    append(bucket, position);
  }
}

RankQueue::Item RankQueue::pop() {
  if (!order_.empty()) {
    Bucket& bucket = buckets_[static_cast<std::uint32_t>(order_.front())];
    const Entry entry = entries_[bucket.head];
    if (late_.empty() || key(bucket.rank, entry.position) <= late_.front()) {
      entries_[bucket.head].next = free_;
      free_ = bucket.head;
      bucket.head = entry.next;
      if (bucket.head == kNone) heap_pop(order_);
      return {bucket.rank, entry.position};
    }
  }
  const std::uint64_t first = late_.front();
  heap_pop(late_);
  return {static_cast<std::uint32_t>(first >> 32), static_cast<std::uint32_t>(first)};
}

void RankQueue::append(Bucket& bucket, std::uint32_t position) {
  std::uint32_t made = free_;
  if (made == kNone) {
    made = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back({position, kNone});
  } else {
    free_ = entries_[made].next;
    entries_[made] = {position, kNone};
  }
  if (bucket.head == kNone) {
    bucket.head = made;
  } else {
    entries_[bucket.tail].next = made;
  }
  bucket.tail = made;
}

std::uint32_t RankQueue::bucket_of(std::uint32_t rank) {
  if (buckets_.size() * 2 >= index_.size()) grow_index();
  const std::size_t mask = index_.size() - 1;
  std::size_t slot = hash(rank) & mask;
  for (; index_[slot] != kNone; slot = (slot + 1) & mask) {
    if (buckets_[index_[slot]].rank == rank) return index_[slot];
  }
  buckets_.push_back({rank, kNone, kNone, static_cast<std::uint32_t>(slot)});
  return index_[slot] = static_cast<std::uint32_t>(buckets_.size() - 1);
}

void RankQueue::grow_index() {
  std::vector<std::uint32_t> larger(std::max<std::size_t>(64, index_.size() * 2), kNone);
  const std::size_t mask = larger.size() - 1;
  for (std::size_t b = 0; b < buckets_.size(); ++b) {
    std::size_t slot = hash(buckets_[b].rank) & mask;
    while (larger[slot] != kNone) slot = (slot + 1) & mask;
    larger[slot] = static_cast<std::uint32_t>(b);
    buckets_[b].slot = static_cast<std::uint32_t>(slot);
  }
  index_.swap(larger);
}

}  // namespace lq
