// A trie of a whole vocabulary: all tokens that a text begins with, in one pass. Private to text/ and its tests.
// Thread contract: immutable after construction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace lq {

class WordTrie {
 public:
  // Longer words are left out, so that a search ends.
  static constexpr std::size_t kMaxLength = 1024;
  using Word = std::pair<std::string_view, std::int32_t>;

  // Of equal words the first counts. Throws Error{limit} for more than 2^31 bytes in all.
  explicit WordTrie(std::vector<Word> words);

  // Calls found(length, id) for each word that the text begins with, the shortest first.
  template <class Found>
  void prefixes(std::string_view text, const Found& found) const {
    std::uint32_t node = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      node = child(node, static_cast<unsigned char>(text[i]));
      if (node == 0) return;
      if (nodes_[node].id >= 0) found(i + 1, nodes_[node].id);
    }
  }

 private:
  struct Node {
    std::int32_t id = -1;
    std::uint32_t first_child = 0;  // children lie side by side, ascending by their bytes
    std::uint16_t children = 0;
    std::uint8_t byte = 0;
  };

  std::uint32_t child(std::uint32_t parent, unsigned char byte) const noexcept {
    if (parent == 0) return root_[byte];
    std::uint32_t low = nodes_[parent].first_child, count = nodes_[parent].children;
    while (count > 0) {
      const std::uint32_t half = count / 2;
      if (nodes_[low + half].byte < byte) {
        low += half + 1;
        count -= half + 1;
      } else if (nodes_[low + half].byte == byte) {
        return low + half;
      } else {
        count = half;
      }
    }
    return 0;
  }

  std::vector<Node> nodes_;
  std::uint32_t root_[256] = {};
};

}  // namespace lq
