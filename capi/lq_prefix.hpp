// Part of loquor.hpp: prefix caches.
#ifndef LOQUOR_LQ_PREFIX_HPP
#define LOQUOR_LQ_PREFIX_HPP

#include "lq_generate.hpp"
#include "lq_prefix.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_prefix_cache* raw) noexcept {
  lq_prefix_cache_free(raw);
}
}  // namespace detail

// What sessions of one model share of prompts that begin alike, in at most max_bytes. Sessions keep it alive.
class PrefixCache {
 public:
  PrefixCache(const Model& model, std::uint64_t max_bytes) {
    lq_prefix_cache_options o = LQ_PREFIX_CACHE_OPTIONS_INIT;
    o.max_bytes = max_bytes;
    detail::check(lq_prefix_cache_create(raw_.out(), model.get(), &o));
  }
  void resize(std::uint64_t max_bytes) { detail::check(lq_prefix_cache_resize(raw_.get(), max_bytes)); }
  void clear() { detail::check(lq_prefix_cache_clear(raw_.get())); }
  lq_prefix_cache_stats stats() const {
    lq_prefix_cache_stats s = LQ_PREFIX_CACHE_STATS_INIT;
    detail::check(lq_prefix_cache_get_stats(&s, raw_.get()));
    return s;
  }
  lq_prefix_cache* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_prefix_cache> raw_;
};

inline void Session::use_prefix_cache(const PrefixCache* cache) {
  detail::check(lq_session_use_prefix_cache(raw_.get(), cache ? cache->get() : nullptr));
}

}  // namespace loquor
#endif
