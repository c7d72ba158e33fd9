// A set of code points as sorted, disjoint, non-adjacent ranges. Plain value; const methods are thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

namespace lq {

constexpr std::uint32_t kLastCodePoint = 0x10ffff;

class CharSet {
 public:
  struct Range {
    std::uint32_t first, last;
    friend bool operator==(const Range&, const Range&) = default;
  };

  CharSet() = default;
  CharSet(std::uint32_t first, std::uint32_t last) { add(first, last); }
  static CharSet any() { return {0, kLastCodePoint}; }  // surrogates included: no UTF-8 text has any

  void add(std::uint32_t first, std::uint32_t last);
  void add(const CharSet& other);
  CharSet complement() const;
  CharSet minus(const CharSet& other) const;
  CharSet intersect(const CharSet& other) const;

  bool empty() const noexcept { return ranges_.empty(); }
  bool contains(std::uint32_t c) const noexcept;
  std::uint64_t size() const noexcept;
  const std::vector<Range>& ranges() const noexcept { return ranges_; }
  friend bool operator==(const CharSet&, const CharSet&) = default;

 private:
  std::vector<Range> ranges_;
};

}  // namespace lq
