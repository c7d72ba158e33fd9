// The vocabulary as a trie of the tokens' bytes, in one array in the order of a walk: each node tells where its subtree
// ends, so a walk that leaves out subtrees is a loop. Control and unknown tokens, and those that stand for nothing, are
// not in it. Immutable and shareable between threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

class Tokenizer;

struct TokenTrie {
  struct Node {
    std::uint32_t end;    // the first node after its subtree
    std::int32_t token;   // -1: none ends here; others of the same bytes follow in `same`
    std::uint16_t depth;  // bytes, this one included: 1 at the top
    std::uint8_t byte;
  };
  std::vector<Node> nodes;
  std::vector<std::int32_t> same;  // by token: the next one of the same bytes, or -1
  std::size_t n_vocab = 0;
  std::size_t depth = 0;  // of the deepest node

  static std::shared_ptr<const TokenTrie> build(const Tokenizer& tokenizer);
  // The bytes of each token; empty, or longer than kLongest: it is never offered.
  static constexpr std::size_t kLongest = 4096;
  static std::shared_ptr<const TokenTrie> build(const std::vector<std::string_view>& tokens);
};

// Appends words in ascending order of their bytes.
class TrieWriter {
 public:
  explicit TrieWriter(std::vector<TokenTrie::Node>& nodes) : nodes_(nodes) {}
  // Returns the token that had these bytes before, or -1.
  std::int32_t add(std::string_view bytes, std::int32_t token);
  // Must be called after the last word; the next one begins a new trie behind this one.
  void finish() {
    shorten(0);
    before_.clear();
  }

 private:
  void shorten(std::size_t n);
  std::vector<TokenTrie::Node>& nodes_;
  std::vector<std::uint32_t> path_;  // the nodes of the word before
  std::string before_;
};

}  // namespace lq
