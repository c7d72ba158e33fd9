// Finds special and added tokens in a text: the leftmost match, and of those that begin there the longest.
// Private to text/ and its tests. Thread contract: immutable after build().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lq {

class SpecialTrie {
 public:
  // Longer tokens are not looked for in texts; so a search is linear in the text, whatever the vocabulary holds.
  static constexpr std::size_t kMaxLength = 128;

  struct Match {
    std::size_t begin = 0, end = 0;
    std::int32_t id = -1;  // -1: no match
  };

  // Of tokens with the same bytes the one first in `tokens` counts. Empty and overlong ones are left out.
  // Throws Error{bad_file} for sets made to collide in the hash table.
  static SpecialTrie build(const std::vector<std::pair<std::string_view, std::int32_t>>& tokens);

  // Looks in text[from, to); no match extends beyond `to`.
  Match find(std::string_view text, std::size_t from, std::size_t to) const noexcept;

 private:
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  static constexpr std::size_t kMaxProbes = 512;

  std::size_t slot_of(std::uint64_t key) const noexcept { return (key * 0x9e3779b97f4a7c15u) >> shift_; }
  std::uint32_t child(std::uint32_t node, unsigned char byte) const noexcept;  // 0 if there is none
  std::uint32_t add_child(std::uint32_t node, unsigned char byte);
  Match match_at(std::string_view text, std::size_t at, std::size_t to) const noexcept;

  std::vector<std::uint64_t> edges_;  // open addressing: node << 36 | byte << 28 | child
  std::size_t mask_ = 0;
  unsigned shift_ = 0;
  std::vector<std::int32_t> ids_;  // of each node; -1 where no token ends. Node 0 is the root.
  std::array<bool, 256> first_{};  // bytes that tokens begin with
  int only_first_ = -1;            // the byte, if all begin with the same
};

}  // namespace lq
