#include "loquor/grammar/token_masks.hpp"

#include <bit>
#include <mutex>
#include <string>
#include <unordered_map>

namespace lq {

// Of one state, whatever called its rule.
struct TokenMasks::StateMask {
  // A place where the rule may end, or calls another one: the tokens that lead there and on are those of nodes[first]
  // to nodes[last], with the bytes behind that place.
  struct Rest {
    std::uint32_t state, first, last;
  };
  std::vector<std::uint64_t> words;  // tokens that stay within the rule; empty if they are in `few`
  std::vector<std::int32_t> few;
  std::vector<Rest> rests;
  std::vector<TokenTrie::Node> nodes;

  std::size_t bytes() const noexcept {
    return sizeof *this + words.capacity() * 8 + few.capacity() * 4 + rests.capacity() * sizeof(Rest) +
           nodes.capacity() * sizeof(TokenTrie::Node);
  }
};

struct TokenMasks::Cache {
  struct Hash {
    std::size_t operator()(const Matcher::RowKey& k) const noexcept { return k.first; }
  };
  std::size_t most;
  std::mutex mutex;
  std::size_t bytes = 0;
  std::unordered_map<std::uint32_t, std::shared_ptr<const StateMask>> states;
  std::unordered_map<Matcher::RowKey, std::shared_ptr<const TokenMask>, Hash> rows;

  // With the lock held. Everything goes when it is full: what is in use stays with its users.
  void count(std::size_t more) {
    constexpr std::size_t kEntry = 64;
    if (bytes + more + kEntry > most) {
      states.clear();
      rows.clear();
      bytes = 0;
    }
    bytes += more + kEntry;
  }
};

TokenMasks::TokenMasks(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie,
                       std::size_t cache_bytes)
    : automaton_(std::move(automaton)), trie_(std::move(trie)), cache_(std::make_unique<Cache>()) {
  cache_->most = cache_bytes;
}

TokenMasks::~TokenMasks() = default;

std::size_t TokenMasks::cached_bytes() const {
  const std::lock_guard lock(cache_->mutex);
  return cache_->bytes;
}

void TokenMasks::allow(std::int32_t token, std::vector<std::uint64_t>& words) const noexcept {
  for (; token >= 0; token = trie_->same[static_cast<std::size_t>(token)])
    words[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
}

TokenMasks::StateMask TokenMasks::make_state_mask(std::uint32_t state) const {
  const Automaton& a = *automaton_;
  const std::vector<TokenTrie::Node>& nodes = trie_->nodes;
  StateMask out;
  out.words.resize((trie_->n_vocab + 63) / 64);
  TrieWriter writer(out.nodes);
  std::vector<std::int32_t> at(trie_->depth + 1);  // the state after so many bytes of the path
  at[0] = static_cast<std::int32_t>(state);
  std::string path(trie_->depth, '\0');
  std::size_t open = 0;  // bytes before the place that out.rests.back() is about, 0: none is open
  const auto close = [&] {
    writer.finish();
    out.rests.back().last = static_cast<std::uint32_t>(out.nodes.size());
    if (out.rests.back().first == out.rests.back().last) out.rests.pop_back();
    open = 0;
  };
  for (std::size_t i = 0; i < nodes.size();) {
    const TokenTrie::Node& node = nodes[i];
    if (open && node.depth <= open) close();
    const std::int32_t from = at[node.depth - 1u];
    const std::int32_t to = from < 0 ? from : a.step(static_cast<std::uint32_t>(from), node.byte);
    if (to < 0 && !open) {
      i = node.end;
      continue;
    }
    at[node.depth] = to;
    path[node.depth - 1u] = static_cast<char>(node.byte);
    if (to < 0) {
      if (node.token >= 0) writer.add({path.data() + open, node.depth - open}, node.token);
    } else {
      if (node.token >= 0) allow(node.token, out.words);
      if (!open && !a.states[static_cast<std::size_t>(to)].plain()) {
        const auto first = static_cast<std::uint32_t>(out.nodes.size());
        out.rests.push_back({static_cast<std::uint32_t>(to), first, first});
        open = node.depth;
      }
    }
    ++i;
  }
  if (open) close();
  return out;
}

namespace {

template <class Fn>
void for_each_bit(const std::vector<std::uint64_t>& words, Fn fn) {
  for (std::size_t w = 0; w < words.size(); ++w)
    for (std::uint64_t bits = words[w]; bits; bits &= bits - 1)
      fn(static_cast<std::int32_t>(w * 64 + static_cast<std::size_t>(std::countr_zero(bits))));
}

std::size_t count_bits(const std::vector<std::uint64_t>& words) {
  std::size_t n = 0;
  for (std::uint64_t w : words) n += static_cast<std::size_t>(std::popcount(w));
  return n;
}

}  // namespace

std::shared_ptr<const TokenMasks::StateMask> TokenMasks::state_mask(std::uint32_t state) const {
  {
    const std::lock_guard lock(cache_->mutex);
    const auto at = cache_->states.find(state);
    if (at != cache_->states.end()) return at->second;
  }
  StateMask made = make_state_mask(state);
  if (const std::size_t n = count_bits(made.words); n <= made.words.size() / 2) {
    made.few.reserve(n);
    for_each_bit(made.words, [&](std::int32_t id) { made.few.push_back(id); });
    made.words = {};
  }
  made.nodes.shrink_to_fit();
  const auto out = std::make_shared<const StateMask>(std::move(made));
  const std::lock_guard lock(cache_->mutex);
  cache_->count(out->bytes());
  cache_->states.insert_or_assign(state, out);
  return out;
}

void TokenMasks::try_rest(Matcher& matcher, const StateMask& known, std::uint32_t frame, TokenMask& out) const {
  for (const StateMask::Rest& rest : known.rests) {
    const std::size_t before = matcher.rows();
    matcher.seed({rest.state, frame});
    for (std::uint32_t i = rest.first; i < rest.last;) {
      const TokenTrie::Node& node = known.nodes[i];
      matcher.truncate(before + node.depth);
      if (matcher.push(node.byte)) {
        allow(node.token, out.words);
        ++i;
      } else {
        i = node.end;
      }
    }
    matcher.truncate(before);
  }
}

std::shared_ptr<const TokenMask> TokenMasks::mask(Matcher& matcher) const {
  const Matcher::RowKey key = matcher.key();
  {
    const std::lock_guard lock(cache_->mutex);
    const auto at = cache_->rows.find(key);
    if (at != cache_->rows.end()) return at->second;
  }
  const auto out = std::make_shared<TokenMask>();
  out->words.resize((trie_->n_vocab + 63) / 64);
  const std::size_t rows = matcher.rows();
  const std::vector<Matcher::Item> items(matcher.begin(), matcher.end());
  try {
    for (const Matcher::Item& item : items) {
      if (!automaton_->states[item.state].bytes) continue;
      const auto known = state_mask(item.state);
      for (std::size_t w = 0; w < known->words.size(); ++w) out->words[w] |= known->words[w];
      for (std::int32_t id : known->few) allow(id, out->words);
      try_rest(matcher, *known, item.frame, *out);
    }
  } catch (...) {
    matcher.truncate(rows);
    throw;
  }
  out->count = count_bits(out->words);
  if (out->count == 1) for_each_bit(out->words, [&](std::int32_t id) { out->only = id; });
  const std::lock_guard lock(cache_->mutex);
  cache_->count(sizeof(TokenMask) + out->words.size() * 8);
  cache_->rows.insert_or_assign(key, out);
  return out;
}

}  // namespace lq
