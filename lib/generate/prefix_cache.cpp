#include "loquor/generate/prefix_cache.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <list>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "loquor/core/status.hpp"
#include "session_impl.hpp"

namespace lq {
namespace {

constexpr std::size_t kPage = KvLayout::kPageTokens;

// A page and what it continues: the entry of the page before it, or for the first page of a text the cache type alone.
struct Entry {
  Entry* parent;
  DType type;
  std::array<std::int32_t, kPage> tokens;
  std::uint64_t hash;  // of the chain up to here
  KvPage page;
  std::uint64_t used = 0;            // the operation that last used it
  std::list<Entry>::iterator place;  // its own

  Entry(Entry* p, DType t, const std::int32_t* ids, std::uint64_t h, KvPage pg)
      : parent(p), type(t), hash(h), page(std::move(pg)) {
    std::copy_n(ids, kPage, tokens.begin());
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;
  // The tokens are what a session that wipes was told, as much as the page is.
  ~Entry() {
    if (page.wipes()) explicit_bzero(tokens.data(), sizeof tokens);
  }
};

// What is looked for: an entry, but for its page.
struct Key {
  const Entry* parent;
  DType type;
  const std::int32_t* tokens;
  std::uint64_t hash;
};

std::uint64_t mix(std::uint64_t h, std::uint64_t x) noexcept {
  h = (h ^ x) * 0x9e3779b97f4a7c15u;
  return h ^ (h >> 29);
}

Key key_of(const Entry* parent, DType type, const std::int32_t* tokens, std::uint64_t mask) noexcept {
  std::uint64_t h = mix(parent ? parent->hash : 0, static_cast<std::uint64_t>(type));
  for (std::size_t i = 0; i < kPage; i += 2) {
    std::uint64_t two;
    std::memcpy(&two, tokens + i, sizeof two);
    h = mix(h, two);
  }
  return {parent, type, tokens, h & mask};
}

struct Hash {
  using is_transparent = void;
  std::size_t operator()(const Entry* e) const noexcept { return e->hash; }
  std::size_t operator()(const Key& k) const noexcept { return k.hash; }
};

struct Equal {
  using is_transparent = void;
  bool operator()(const Entry* a, const Entry* b) const noexcept { return a == b; }  // no two have the same key
  bool operator()(const Key& k, const Entry* e) const noexcept {
    return k.parent == e->parent && k.type == e->type && std::equal(e->tokens.begin(), e->tokens.end(), k.tokens);
  }
  bool operator()(const Entry* e, const Key& k) const noexcept { return (*this)(k, e); }
};

}  // namespace

// `order` has the most recently used entry first and every entry before its children: an entry is used whenever one of
// its children is, and is then put in front of it. So the last one never has children, and giving it up leaves no
// chain with a hole.
struct PrefixCache::Impl {
  std::shared_ptr<const Model> model;
  std::uint64_t mask;
  std::mutex mutex;  // of all below
  std::list<Entry> order;
  std::unordered_set<Entry*, Hash, Equal> index;
  PrefixCacheStats stats;
  std::uint64_t now = 0;

  Entry* find(const Key& key) const {
    const auto it = index.find(key);
    return it == index.end() ? nullptr : *it;
  }

  // Notes the use of the entry and of all it continues.
  void touch(Entry* e) noexcept {
    for (; e; e = e->parent) {
      e->used = now;
      order.splice(order.begin(), order, e->place);
    }
  }

  // The last of the entries that `tokens` begin with, at most `most` of them; fn(entry) for each.
  template <class Fn>
  Entry* walk(DType type, std::span<const std::int32_t> tokens, std::size_t most, const Fn& fn) {
    Entry* last = nullptr;
    for (std::size_t i = 0; i < most; ++i) {
      Entry* e = find(key_of(last, type, tokens.data() + i * kPage, mask));
      if (!e) break;
      last = e;
      fn(*e);
    }
    return last;
  }

  static std::size_t bytes_of(const Entry& e) noexcept { return e.page.size() + sizeof(Entry); }

  // Gives up old entries until `more` bytes fit, but none that this operation has used. They go to `gone`, so that
  // freeing (and wiping) them needs no lock.
  bool make_room(std::size_t more, std::list<Entry>& gone) noexcept {
    while (stats.bytes + more > stats.max_bytes) {
      if (order.empty() || order.back().used == now) return false;
      Entry& e = order.back();
      index.erase(&e);
      stats.bytes -= bytes_of(e);
      --stats.entries;
      ++stats.evicted;
      gone.splice(gone.begin(), order, e.place);
    }
    return true;
  }

  // Adds `fresh` after its parent; false if the index has no memory for it.
  bool insert(std::list<Entry>& fresh) noexcept {
    Entry& e = fresh.front();
    e.place = fresh.begin();
    e.used = now;
    try {
      index.insert(&e);
    } catch (...) {
      return false;
    }
    stats.bytes += bytes_of(e);
    ++stats.entries;
    order.splice(e.parent ? std::next(e.parent->place) : order.begin(), fresh);
    return true;
  }
};

PrefixCache::PrefixCache(std::shared_ptr<const Model> model, std::size_t max_bytes, std::uint64_t hash_mask)
    : impl_(std::make_unique<Impl>()) {
  LQ_CHECK(model && model->decoder(), Code::invalid_argument,
           "prefix cache: the model has no weights to generate with (a vocabulary only, or a text encoder)");
  impl_->model = std::move(model);
  impl_->mask = hash_mask;
  impl_->stats.max_bytes = max_bytes;
}

PrefixCache::~PrefixCache() = default;

const Model& PrefixCache::model() const noexcept { return *impl_->model; }

std::size_t PrefixCache::take(KvSequence& seq, std::span<const std::int32_t> tokens) noexcept {
  Impl& c = *impl_;
  const std::size_t before = seq.length(), whole = tokens.size() / kPage;
  if (whole <= before / kPage) return 0;  // it has them all
  std::vector<KvPage> pages;
  try {
    pages.reserve(whole);
    const std::lock_guard lock(c.mutex);
    ++c.now;
    ++c.stats.lookups;
    c.touch(c.walk(seq.layout().type, tokens, whole, [&](const Entry& e) { pages.push_back(e.page); }));
    if (pages.size() > before / kPage) {
      ++c.stats.hits;
      c.stats.reused_tokens += pages.size() * kPage - before;
    }
  } catch (...) {
    return 0;
  }
  try {
    for (std::size_t i = before / kPage; i < pages.size(); ++i) seq.adopt(std::move(pages[i]));
  } catch (...) {  // with fewer, the rest is computed
  }
  return seq.length() - before;
}

void PrefixCache::publish(const KvSequence& seq, std::span<const std::int32_t> tokens) noexcept {
  Impl& c = *impl_;
  const std::size_t whole = std::min(seq.length(), tokens.size()) / kPage;
  const DType type = seq.layout().type;
  std::list<Entry> gone;
  try {
    const std::lock_guard lock(c.mutex);
    if (c.stats.max_bytes == 0) return;
    ++c.now;
    std::size_t at = 0;
    Entry* last = c.walk(type, tokens, whole, [&](const Entry&) { ++at; });
    c.touch(last);
    for (; at < whole; ++at) {
      const std::int32_t* ids = tokens.data() + at * kPage;
      std::list<Entry> fresh;
      fresh.emplace_back(last, type, ids, key_of(last, type, ids, c.mask).hash, seq.page(at));
      Entry* const e = &fresh.front();
      if (!c.make_room(Impl::bytes_of(*e), gone) || !c.insert(fresh)) return;
      last = e;
    }
  } catch (...) {  // no memory for an entry: it is not kept
  }
}

void PrefixCache::set_max_bytes(std::size_t max_bytes) noexcept {
  std::list<Entry> gone;
  const std::lock_guard lock(impl_->mutex);
  impl_->stats.max_bytes = max_bytes;
  ++impl_->now;
  impl_->make_room(0, gone);
}

void PrefixCache::clear() noexcept {
  std::list<Entry> gone;
  const std::lock_guard lock(impl_->mutex);
  impl_->index.clear();
  gone.swap(impl_->order);
  impl_->stats.bytes = impl_->stats.entries = 0;
}

PrefixCacheStats PrefixCache::stats() const noexcept {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stats;
}

// ---- What a session does with it

void Session::use_prefix_cache(std::shared_ptr<PrefixCache> cache) {
  const SessionLock lock(*impl_);
  LQ_CHECK(!cache || &cache->model() == impl_->model.get(), Code::invalid_argument,
           "session: the prefix cache belongs to another model");
  impl_->prefixes = std::move(cache);
}

void Session::Impl::take_prefix(std::size_t n) noexcept {
  if (prefixes && !running && adapters.empty()) prefixes->take(kv, std::span(tokens).first(n));
}

void Session::Impl::computed(std::size_t rows) noexcept {
  if (prefixes && adapters.empty() && kv.length() / kPage > (kv.length() - rows) / kPage) prefixes->publish(kv, tokens);
}

}  // namespace lq
