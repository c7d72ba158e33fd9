#include "lq_prefix.h"

#include "session.hpp"

namespace lq::capi {

namespace {

struct PrefixCacheObject final : Object {
  static constexpr Kind kKind = Kind::prefix_cache;
  explicit PrefixCacheObject(std::shared_ptr<PrefixCache> c) : Object(kKind), cache(std::move(c)) {}
  std::shared_ptr<PrefixCache> cache;
};

std::size_t size_arg(std::uint64_t bytes) { return static_cast<std::size_t>(std::min<std::uint64_t>(bytes, SIZE_MAX)); }

lq_prefix_cache_stats to_c(const PrefixCacheStats& s) {
  lq_prefix_cache_stats c = LQ_PREFIX_CACHE_STATS_INIT;
  c.lookups = s.lookups;
  c.hits = s.hits;
  c.reused_tokens = s.reused_tokens;
  c.entries = s.entries;
  c.bytes = s.bytes;
  c.max_bytes = s.max_bytes;
  c.evicted = s.evicted;
  return c;
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_prefix_cache_create(lq_prefix_cache** out, lq_model* model,
                                 const lq_prefix_cache_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const ModelObject& m = call.on<ModelObject>(model, "model");
    const auto o = options_arg<lq_prefix_cache_options>(call, options, LQ_PREFIX_CACHE_OPTIONS_INIT);
    LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is ", o.reserved, ", expected 0");
    *out =
        new_handle<PrefixCacheObject, lq_prefix_cache>(std::make_shared<PrefixCache>(m.model, size_arg(o.max_bytes)));
  });
}

void lq_prefix_cache_free(lq_prefix_cache* cache) noexcept { free_handle(cache, Kind::prefix_cache); }

lq_status lq_session_use_prefix_cache(lq_session* session, lq_prefix_cache* cache) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    s.session.use_prefix_cache(cache ? Use<PrefixCacheObject>(call, cache, "cache")->cache : nullptr);
  });
}

lq_status lq_prefix_cache_resize(lq_prefix_cache* cache, uint64_t max_bytes) noexcept {
  return guard(__func__, [&](Call& call) {
    call.on<PrefixCacheObject>(cache, "cache").cache->set_max_bytes(size_arg(max_bytes));
  });
}

lq_status lq_prefix_cache_clear(lq_prefix_cache* cache) noexcept {
  return guard(__func__, [&](Call& call) { call.on<PrefixCacheObject>(cache, "cache").cache->clear(); });
}

lq_status lq_prefix_cache_get_stats(lq_prefix_cache_stats* out, const lq_prefix_cache* cache) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_prefix_cache_stats LQ_PREFIX_CACHE_STATS_INIT);
    write_struct(out, to_c(call.on<PrefixCacheObject>(cache, "cache").cache->stats()));
  });
}

lq_status lq_prefix_cache_error(char* out, size_t capacity, size_t* length, const lq_prefix_cache* cache) noexcept {
  return object_error(__func__, out, capacity, length, cache, Kind::prefix_cache);
}

}  // extern "C"
