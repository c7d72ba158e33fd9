// Prefix caches and the logits of some tokens through the C interface, over the tiny model.
#include <catch2/catch.hpp>
#include <cstring>
#include <thread>

#include "arguments.hpp"
#include "calls.hpp"
#include "tiny_model.hpp"

using namespace lq_test;

namespace {

using Ids = std::vector<int32_t>;

Ids prompt_of(size_t n, int32_t last) {
  Ids ids;
  for (size_t i = 0; i < n; ++i) ids.push_back(static_cast<int32_t>(3 + (i * 37) % 256));
  ids.back() = last;
  return ids;
}

lq_session* sharing(Handles& h, uint32_t wipe = 0) {
  lq_session_options o = LQ_SESSION_OPTIONS_INIT;
  o.wipe = static_cast<int32_t>(wipe);
  lq_session* s = nullptr;
  REQUIRE(lq_session_create(&s, h.model, &o) == LQ_OK);
  REQUIRE(lq_session_use_prefix_cache(s, h.prefix_cache) == LQ_OK);
  return s;
}

lq_prefix_cache_stats stats_of(Handles& h) {
  lq_prefix_cache_stats s = LQ_PREFIX_CACHE_STATS_INIT;
  REQUIRE(lq_prefix_cache_get_stats(&s, h.prefix_cache) == LQ_OK);
  return s;
}

lq_status create(Handles& h, void (*change)(lq_prefix_cache_options&)) {
  const auto o = with<lq_prefix_cache_options>(LQ_PREFIX_CACHE_OPTIONS_INIT, change);
  lq_prefix_cache* c = nullptr;
  const lq_status status = lq_prefix_cache_create(&c, h.model, &o);
  lq_prefix_cache_free(c);
  return status;
}

float out[8];

lq_status logits_of(Handles& h, const Ids& ids) {
  return lq_session_logits_of(out, nullptr, h.session, nullptr, 0, ids.data(), ids.size());
}

const BadRow kWrong[] = {
    {"struct_size", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.struct_size = 4; }); }},
    {"reserved", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.reserved = 1; }); }},
    {"create NULL", kInvalid, [](Handles& h) { return lq_prefix_cache_create(nullptr, h.model, nullptr); }},
    {"use a handle of another type", kInvalid,
     [](Handles& h) { return lq_session_use_prefix_cache(h.session, reinterpret_cast<lq_prefix_cache*>(h.batch)); }},
    {"use another model's", kInvalid,
     [](Handles& h) {
       Handles other;
       return lq_session_use_prefix_cache(h.session, other.prefix_cache);
     }},
    {"stats NULL", kInvalid, [](Handles& h) { return lq_prefix_cache_get_stats(nullptr, h.prefix_cache); }},
    {"stats struct_size", kInvalid,
     [](Handles& h) {
       lq_prefix_cache_stats s = LQ_PREFIX_CACHE_STATS_INIT;
       s.struct_size = 8;
       return lq_prefix_cache_get_stats(&s, h.prefix_cache);
     }},
    {"logits_of no ids", kInvalid, [](Handles& h) { return logits_of(h, {}); }},
    {"logits_of id", kInvalid,
     [](Handles& h) {
       return logits_of(h, {5, 267});
     }},
    {"logits_of negative id", kInvalid, [](Handles& h) { return logits_of(h, {-1}); }},
    {"logits_of out NULL", kInvalid,
     [](Handles& h) { return lq_session_logits_of(nullptr, nullptr, h.session, nullptr, 0, h.tokens.data(), 1); }},
    {"logits_of ids NULL", kInvalid,
     [](Handles& h) { return lq_session_logits_of(out, nullptr, h.session, nullptr, 0, nullptr, 3); }},
    {"logits_of ids count", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_session_logits_of(out, nullptr, h.session, nullptr, 0, h.tokens.data(), SIZE_MAX); }},
    {"logits_of prompt empty", kInvalid,
     [](Handles& h) { return lq_session_logits_of(out, nullptr, h.session, h.tokens.data(), 0, h.tokens.data(), 1); }},
    {"logits_of prompt NULL", kInvalid,
     [](Handles& h) { return lq_session_logits_of(out, nullptr, h.session, nullptr, 5, h.tokens.data(), 1); }},
    {"logits_of prompt too long", LQ_ERR_CONTEXT_FULL,
     [](Handles& h) {
       const Ids ids(257, 5);
       return lq_session_logits_of(out, nullptr, h.session, ids.data(), ids.size(), ids.data(), 1);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to prefix caches and scores are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("sessions that use a prefix cache take over each other's prompts", "[capi][prefix]") {
  Handles h;
  const Ids a = prompt_of(200, 5), b = prompt_of(200, 6);
  lq_session *first = sharing(h), *second = sharing(h, 1), *stranger = nullptr;
  REQUIRE(lq_session_create(&stranger, h.model, nullptr) == LQ_OK);
  size_t reused = 1;
  REQUIRE(lq_session_set_prompt(&reused, first, a.data(), a.size()) == LQ_OK);
  CHECK(reused == 0);
  REQUIRE(lq_session_set_prompt(&reused, stranger, b.data(), b.size()) == LQ_OK);
  CHECK(reused == 0);
  REQUIRE(lq_session_set_prompt(&reused, second, b.data(), b.size()) == LQ_OK);
  CHECK(reused == 192);
  const float *x = nullptr, *y = nullptr;
  size_t n = 0;
  REQUIRE(lq_session_logits(&x, &n, stranger) == LQ_OK);
  REQUIRE(lq_session_logits(&y, &n, second) == LQ_OK);
  CHECK(std::memcmp(x, y, n * sizeof(float)) == 0);

  lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
  o.max_tokens = 2;
  lq_result r = LQ_RESULT_INIT;
  lq_session* third = sharing(h);
  REQUIRE(lq_session_start_tokens(third, a.data(), a.size(), &o) == LQ_OK);
  REQUIRE(lq_session_result(&r, third) == LQ_OK);
  CHECK(r.reused_tokens == 192);

  const lq_prefix_cache_stats s = stats_of(h);
  CHECK(s.entries == 3);
  CHECK(s.lookups == 3);
  CHECK(s.hits == 2);
  CHECK(s.reused_tokens == 384);
  CHECK(s.bytes > 0);
  CHECK(s.max_bytes == 1 << 24);
  REQUIRE(lq_prefix_cache_resize(h.prefix_cache, s.bytes - 1) == LQ_OK);
  CHECK(stats_of(h).entries == 2);
  CHECK(stats_of(h).evicted == 1);
  REQUIRE(lq_prefix_cache_clear(h.prefix_cache) == LQ_OK);
  CHECK(stats_of(h).entries == 0);
  // The handle may go first; sessions keep the cache.
  lq_prefix_cache_free(h.prefix_cache);
  REQUIRE(lq_session_set_prompt(&reused, first, b.data(), b.size()) == LQ_OK);
  REQUIRE(lq_session_use_prefix_cache(first, nullptr) == LQ_OK);
  for (lq_session* session : {first, second, third, stranger}) lq_session_free(session);
}

TEST_CASE("the logits of some tokens are those of all", "[capi]") {
  Handles h;
  const Ids prompt = prompt_of(90, 7), ids = {266, 0, 68, 68};
  size_t reused = 9, n = 0;
  REQUIRE(lq_session_logits_of(out, &reused, h.session, prompt.data(), prompt.size(), ids.data(), ids.size()) == LQ_OK);
  CHECK(reused == 0);
  const float* full = nullptr;
  REQUIRE(lq_session_logits(&full, &n, h.session) == LQ_OK);
  for (size_t i = 0; i < ids.size(); ++i) CHECK(std::memcmp(&out[i], &full[ids[i]], sizeof(float)) == 0);
  REQUIRE(lq_session_logits_of(out, &reused, h.session, nullptr, 0, ids.data(), 1) == LQ_OK);
  CHECK(reused == 90);
}
