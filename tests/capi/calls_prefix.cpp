#include "calls.hpp"

namespace lq_test {

using lq::capi::Kind;

std::vector<CallRow> prefix_calls() {
  return {
      {"lq_prefix_cache_create", Takes::handle, Kind::model,
       [](Handles&, void* h) {
         lq_prefix_cache* c = nullptr;
         const lq_status status = lq_prefix_cache_create(&c, as<lq_model>(h), nullptr);
         return freed(status, c, lq_prefix_cache_free);
       }},
      {"lq_session_use_prefix_cache", Takes::handle, Kind::session,
       [](Handles& f, void* h) { return lq_session_use_prefix_cache(as<lq_session>(h), f.prefix_cache); }},
      {"lq_prefix_cache_resize", Takes::handle, Kind::prefix_cache,
       [](Handles&, void* h) { return lq_prefix_cache_resize(as<lq_prefix_cache>(h), 1000); }},
      {"lq_prefix_cache_clear", Takes::handle, Kind::prefix_cache,
       [](Handles&, void* h) { return lq_prefix_cache_clear(as<lq_prefix_cache>(h)); }},
      {"lq_prefix_cache_get_stats", Takes::handle, Kind::prefix_cache,
       [](Handles&, void* h) {
         lq_prefix_cache_stats s = LQ_PREFIX_CACHE_STATS_INIT;
         return lq_prefix_cache_get_stats(&s, as<lq_prefix_cache>(h));
       }},
      {"lq_prefix_cache_error", Takes::handle, Kind::prefix_cache,
       [](Handles&, void* h) { return lq_prefix_cache_error(nullptr, 0, nullptr, as<lq_prefix_cache>(h)); }},
  };
}

}  // namespace lq_test
