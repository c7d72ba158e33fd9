#include "loquor/grammar/char_set.hpp"

#include <algorithm>

namespace lq {

void CharSet::add(std::uint32_t first, std::uint32_t last) {
  if (first > last) return;
  // The ranges that overlap or touch [first, last] become one with it.
  auto from = std::find_if(ranges_.begin(), ranges_.end(),
                           [first](const Range& r) { return std::uint64_t{r.last} + 1 >= first; });
  auto to = from;
  for (; to != ranges_.end() && to->first <= std::uint64_t{last} + 1; ++to) {
    first = std::min(first, to->first);
    last = std::max(last, to->last);
  }
  ranges_.insert(ranges_.erase(from, to), Range{first, last});
}

void CharSet::add(const CharSet& other) {
  for (const Range& r : other.ranges_) add(r.first, r.last);
}

CharSet CharSet::complement() const {
  CharSet out;
  std::uint32_t next = 0;
  for (const Range& r : ranges_) {
    if (r.first > next) out.ranges_.push_back({next, r.first - 1});
    next = r.last + 1;
  }
  if (next <= kLastCodePoint) out.ranges_.push_back({next, kLastCodePoint});
  return out;
}

CharSet CharSet::minus(const CharSet& other) const { return intersect(other.complement()); }

CharSet CharSet::intersect(const CharSet& other) const {
  CharSet out;
  for (std::size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    const Range &a = ranges_[i], &b = other.ranges_[j];
    const std::uint32_t first = std::max(a.first, b.first), last = std::min(a.last, b.last);
    if (first <= last) out.ranges_.push_back({first, last});
    a.last < b.last ? ++i : ++j;
  }
  return out;
}

bool CharSet::contains(std::uint32_t c) const noexcept {
  const auto at = std::partition_point(ranges_.begin(), ranges_.end(), [c](const Range& r) { return r.last < c; });
  return at != ranges_.end() && at->first <= c;
}

std::uint64_t CharSet::size() const noexcept {
  std::uint64_t n = 0;
  for (const Range& r : ranges_) n += std::uint64_t{r.last} - r.first + 1;
  return n;
}

}  // namespace lq
