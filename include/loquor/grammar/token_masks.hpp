// Which tokens may come next: a grammar's automaton against a vocabulary. What a token does inside the rule at hand depends on the
// automaton's state alone and is worked out once for each state; only tokens that leave the rule are tried on the
// matcher itself (the division is XGrammar's; Dong et al. 2024). Whole masks are kept as well, by the matcher's key.
// Thread contract: shareable between threads; what is kept is guarded by a lock that is never held while computing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "loquor/grammar/matcher.hpp"
#include "loquor/grammar/token_trie.hpp"

namespace lq {

struct TokenMask {
  std::vector<std::uint64_t> words;  // bit id % 64 of word id / 64
  std::size_t count = 0;
  std::int32_t only = -1;  // the token, if count is 1
  bool allows(std::int32_t id) const noexcept {
    const auto i = static_cast<std::size_t>(id);
    return id >= 0 && i / 64 < words.size() && (words[i / 64] >> (i % 64) & 1);
  }
};

class TokenMasks {
 public:
  static constexpr std::size_t kCacheBytes = std::size_t{64} << 20;
  TokenMasks(std::shared_ptr<const Automaton> automaton, std::shared_ptr<const TokenTrie> trie,
             std::size_t cache_bytes = kCacheBytes);
  ~TokenMasks();
  TokenMasks(const TokenMasks&) = delete;
  TokenMasks& operator=(const TokenMasks&) = delete;

  const std::shared_ptr<const Automaton>& automaton() const noexcept { return automaton_; }
  const TokenTrie& trie() const noexcept { return *trie_; }
  // The tokens whose bytes the matcher, which must be one of this automaton, would push. Leaves it as it was. Throws
  // Error{limit} for a text that can be read in too many ways.
  std::shared_ptr<const TokenMask> mask(Matcher& matcher) const;
  std::size_t cached_bytes() const;

 private:
  struct StateMask;
  struct Cache;
  std::shared_ptr<const StateMask> state_mask(std::uint32_t state) const;
  StateMask make_state_mask(std::uint32_t state) const;
  void try_rest(Matcher& matcher, const StateMask& known, std::uint32_t frame, TokenMask& out) const;
  void allow(std::int32_t token, std::vector<std::uint64_t>& words) const noexcept;

  std::shared_ptr<const Automaton> automaton_;
  std::shared_ptr<const TokenTrie> trie_;
  std::unique_ptr<Cache> cache_;
};

}  // namespace lq
