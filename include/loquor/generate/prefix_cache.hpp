// Pages of KV cache that sessions of one model share because their prompts begin alike: what one session has computed,
// another that was told to use the same cache takes over (Session::use_prefix_cache). Nothing is shared with a session
// that was not told so. Results are the same bits with a hit and without.
//
// A page is found by the tokens before it and in it, back to the start of the text, compared one by one: each entry is
// a child of the entry of the page before. So an equal hash is never enough for a hit.
//
// Thread contract: all functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "loquor/generate/model.hpp"
#include "loquor/models/kv_cache.hpp"

namespace lq {

struct PrefixCacheStats {
  std::uint64_t lookups = 0, hits = 0;   // prompts that were looked up; of them those that took over a page
  std::uint64_t reused_tokens = 0;       // positions taken over in all
  std::uint64_t entries = 0, bytes = 0;  // held now: pages and their memory, also those that sessions hold as well
  std::uint64_t max_bytes = 0;
  std::uint64_t evicted = 0;  // entries given up to keep to max_bytes
};

class PrefixCache {
 public:
  // Keeps at most max_bytes, giving up what was used least recently; with 0 it holds nothing. `hash_mask` is for tests:
  // with 0 all hashes are equal.
  PrefixCache(std::shared_ptr<const Model> model, std::size_t max_bytes, std::uint64_t hash_mask = ~std::uint64_t{0});
  ~PrefixCache();
  PrefixCache(const PrefixCache&) = delete;
  PrefixCache& operator=(const PrefixCache&) = delete;

  const Model& model() const noexcept;

  // Goes on with `seq`, whose length() positions are the first of `tokens`, as far as whole pages for what follows are
  // held; returns how many positions that added. Without memory for it, it takes fewer.
  std::size_t take(KvSequence& seq, std::span<const std::int32_t> tokens) noexcept;
  // Keeps the full pages of `seq`, whose positions are those of the first of `tokens`. Without memory, or when they are
  // over the budget, it keeps fewer.
  void publish(const KvSequence& seq, std::span<const std::int32_t> tokens) noexcept;

  void set_max_bytes(std::size_t max_bytes) noexcept;
  void clear() noexcept;  // gives up every entry; statistics go on counting
  PrefixCacheStats stats() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
