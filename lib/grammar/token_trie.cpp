#include "loquor/grammar/token_trie.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "loquor/text/tokenizer.hpp"

namespace lq {
namespace {

std::size_t common_prefix(std::string_view a, std::string_view b) {
  const std::size_t n = std::min(a.size(), b.size());
  std::size_t i = 0;
  while (i < n && a[i] == b[i]) ++i;
  return i;
}

}  // namespace

void TrieWriter::shorten(std::size_t n) {
  for (; path_.size() > n; path_.pop_back()) nodes_[path_.back()].end = static_cast<std::uint32_t>(nodes_.size());
}

std::int32_t TrieWriter::add(std::string_view bytes, std::int32_t token) {
  shorten(common_prefix(before_, bytes));
  while (path_.size() < bytes.size()) {
    const auto byte = static_cast<std::uint8_t>(bytes[path_.size()]);
    path_.push_back(static_cast<std::uint32_t>(nodes_.size()));
    nodes_.push_back({0, -1, static_cast<std::uint16_t>(path_.size()), byte});
  }
  before_ = bytes;
  return std::exchange(nodes_[path_.back()].token, token);
}

std::shared_ptr<const TokenTrie> TokenTrie::build(const Tokenizer& tokenizer) {
  std::vector<std::string_view> tokens(tokenizer.vocab_size());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (!tokenizer.is_special(id) && !tokenizer.is_end_of_generation(id)) tokens[i] = tokenizer.token_bytes(id);
  }
  return build(tokens);
}

std::shared_ptr<const TokenTrie> TokenTrie::build(const std::vector<std::string_view>& tokens) {
  const auto out = std::make_shared<TokenTrie>();
  TokenTrie& trie = *out;
  trie.n_vocab = tokens.size();
  trie.same.assign(trie.n_vocab, -1);
  struct Word {
    std::string_view bytes;
    std::int32_t token;
  };
  std::vector<Word> words;
  for (std::size_t i = 0; i < tokens.size(); ++i)
    if (!tokens[i].empty() && tokens[i].size() <= kLongest) words.push_back({tokens[i], static_cast<std::int32_t>(i)});
  std::sort(words.begin(), words.end(), [](const Word& a, const Word& b) {
    const int order = a.bytes.compare(b.bytes);
    return order != 0 ? order < 0 : a.token < b.token;
  });
  TrieWriter writer(trie.nodes);
  for (const Word& w : words) {
    trie.same[static_cast<std::size_t>(w.token)] = writer.add(w.bytes, w.token);
    trie.depth = std::max(trie.depth, w.bytes.size());
  }
  writer.finish();
  return out;
}

}  // namespace lq
