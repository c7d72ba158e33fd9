#include "loquor/text/special_trie.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "loquor/core/status.hpp"

namespace lq {

namespace {
constexpr std::uint32_t kMaxNodes = 1u << 27;  // 2^20 tokens of kMaxLength bytes; nodes have 28 bits
constexpr std::uint64_t kChildMask = (std::uint64_t{1} << 28) - 1;
}  // namespace

SpecialTrie SpecialTrie::build(const std::vector<std::pair<std::string_view, std::int32_t>>& tokens) {
  SpecialTrie t;
  const auto usable = [](std::string_view s) { return !s.empty() && s.size() <= kMaxLength; };
  std::size_t bytes = 1;
  for (const auto& [text, id] : tokens) bytes += usable(text) ? text.size() : 0;
  LQ_CHECK(bytes < kMaxNodes, Code::limit, "tokenizer: special tokens hold ", bytes, " bytes in all");
  const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(bytes * 2, 16));
  t.edges_.assign(capacity, kEmpty);
  t.mask_ = capacity - 1;
  t.shift_ = static_cast<unsigned>(64 - std::countr_zero(capacity));
  t.ids_.push_back(-1);
  for (const auto& [text, id] : tokens) {
    if (!usable(text)) continue;
    std::uint32_t node = 0;
    for (const char c : text) node = t.add_child(node, static_cast<unsigned char>(c));
    if (t.ids_[node] < 0) t.ids_[node] = id;
    t.first_[static_cast<unsigned char>(text[0])] = true;
  }
  if (std::count(t.first_.begin(), t.first_.end(), true) == 1) {
    t.only_first_ = static_cast<int>(std::find(t.first_.begin(), t.first_.end(), true) - t.first_.begin());
  }
  return t;
}

std::uint32_t SpecialTrie::child(std::uint32_t node, unsigned char byte) const noexcept {
  const std::uint64_t key = std::uint64_t{node} << 8 | byte;
  for (std::size_t slot = slot_of(key);; slot = (slot + 1) & mask_) {
    if (edges_[slot] == kEmpty) return 0;
    if (edges_[slot] >> 28 == key) return static_cast<std::uint32_t>(edges_[slot] & kChildMask);
  }
}

std::uint32_t SpecialTrie::add_child(std::uint32_t node, unsigned char byte) {
  const std::uint64_t key = std::uint64_t{node} << 8 | byte;
  std::size_t slot = slot_of(key), probes = 0;
  for (; edges_[slot] != kEmpty; slot = (slot + 1) & mask_) {
    if (edges_[slot] >> 28 == key) return static_cast<std::uint32_t>(edges_[slot] & kChildMask);
    LQ_CHECK(++probes <= kMaxProbes, Code::bad_file, "tokenizer: more than ", kMaxProbes,
             " special tokens share a hash, as only a file made to be slow has");
  }
  const std::uint32_t made = static_cast<std::uint32_t>(ids_.size());
  ids_.push_back(-1);
  edges_[slot] = key << 28 | made;
  return made;
}

SpecialTrie::Match SpecialTrie::match_at(std::string_view text, std::size_t at, std::size_t to) const noexcept {
  Match match;
  std::uint32_t node = 0;
  for (std::size_t i = at; i < to; ++i) {
    node = child(node, static_cast<unsigned char>(text[i]));
    if (node == 0) break;
    if (ids_[node] >= 0) match = {at, i + 1, ids_[node]};
  }
  return match;
}

SpecialTrie::Match SpecialTrie::find(std::string_view text, std::size_t from, std::size_t to) const noexcept {
  if (ids_.size() < 2) return {};
  for (std::size_t i = from; i < to; ++i) {
    if (only_first_ >= 0) {
      const void* next = std::memchr(text.data() + i, only_first_, to - i);
      if (!next) break;
      i = static_cast<std::size_t>(static_cast<const char*>(next) - text.data());
    } else {
      while (i < to && !first_[static_cast<unsigned char>(text[i])]) ++i;
      if (i == to) break;
    }
    if (const Match match = match_at(text, i, to); match.id >= 0) return match;
  }
  return {};
}

}  // namespace lq
