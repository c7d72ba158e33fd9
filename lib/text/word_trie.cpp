#include "loquor/text/word_trie.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq {

WordTrie::WordTrie(std::vector<Word> words) {
  std::erase_if(words, [](const Word& w) { return w.first.empty() || w.first.size() > kMaxLength; });
  std::stable_sort(words.begin(), words.end(), [](const Word& a, const Word& b) { return a.first < b.first; });
  std::size_t bytes = 1;
  for (const Word& w : words) bytes += w.first.size();
  LQ_CHECK(bytes < std::size_t{1} << 31, Code::limit, "tokenizer: the tokens hold ", bytes, " bytes in all");
  // Breadth first: a node's words are a range of the sorted ones, which share its bytes.
  struct Range {
    std::size_t begin, end, depth;
  };
  std::vector<Range> ranges{{0, words.size(), 0}};
  nodes_.emplace_back();
  for (std::size_t n = 0; n < ranges.size(); ++n) {
    const Range range = ranges[n];
    std::size_t at = range.begin;
    while (at < range.end && words[at].first.size() == range.depth) {
      if (nodes_[n].id < 0) nodes_[n].id = words[at].second;
      ++at;
    }
    nodes_[n].first_child = static_cast<std::uint32_t>(nodes_.size());
    while (at < range.end) {
      const std::size_t begin = at;
      const char byte = words[at].first[range.depth];
      while (at < range.end && words[at].first[range.depth] == byte) ++at;
      Node& node = nodes_.emplace_back();
      node.byte = static_cast<std::uint8_t>(byte);
      ++nodes_[n].children;
      ranges.push_back({begin, at, range.depth + 1});
      if (n == 0) root_[node.byte] = static_cast<std::uint32_t>(nodes_.size() - 1);
    }
  }
}

}  // namespace lq
