// Profiles through the C interface, over the tiny model.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>
#include "calls.hpp"

using namespace lq_test;

namespace {

using Profile = std::map<std::string, lq_profile_part>;

Profile profile_of(lq_session* session) {
  Profile all;
  size_t n = 0;
  REQUIRE(lq_session_profile_parts(&n, session) == LQ_OK);
  for (size_t i = 0; i < n; ++i) {
    lq_profile_part part = LQ_PROFILE_PART_INIT;
    REQUIRE(lq_session_profile_part(&part, session, i) == LQ_OK);
    all[part.name] = part;
  }
  return all;
}

}  // namespace

TEST_CASE("a profile counts the parts of a session's passes", "[capi]") {
  Handles h;
  lq_model_info info = LQ_MODEL_INFO_INIT;
  REQUIRE(lq_model_get_info(&info, h.model, nullptr) == LQ_OK);
  const std::vector<int32_t> prompt(100, 70);
  lq_profile_part part = LQ_PROFILE_PART_INIT;
  CHECK(profile_of(h.session).empty());
  CHECK(lq_session_profile_part(&part, h.session, 0) == LQ_ERR_INVALID_ARGUMENT);
  REQUIRE(lq_session_feed(h.session, prompt.data(), prompt.size()) == LQ_OK);  // not counted: it is off
  REQUIRE(lq_session_profile(h.session, 1) == LQ_OK);
  CHECK(profile_of(h.session).at("qkv").calls == 0);
  REQUIRE(lq_session_feed(h.session, prompt.data(), 1) == LQ_OK);
  Profile p = profile_of(h.session);
  CHECK(p.at("embedding").calls == 1);
  for (const char* each :
       {"qkv", "rotary", "kv_store", "attention", "attention_out", "ffn_up", "activation", "ffn_down"}) {
    INFO(each);
    CHECK(p.at(each).calls == info.n_layer);
    CHECK(p.at(each).seconds > 0);
  }
  CHECK(p.at("norm").calls == 2 * info.n_layer);
  CHECK(p.at("experts").calls == 0);
  CHECK(p.at("qkv").bytes > 0);
  CHECK(p.at("activation").bytes == 0);
  const double layer_bytes = p.at("ffn_down").bytes, seen = p.at("attention").bytes;
  CHECK(seen > 0);
  // A prompt of many tokens reads each weight once, and sees the keys and values of three more positions.
  REQUIRE(lq_session_profile(h.session, 1) == LQ_OK);
  REQUIRE(lq_session_feed(h.session, prompt.data(), 3) == LQ_OK);
  p = profile_of(h.session);
  CHECK(p.at("ffn_down").bytes == layer_bytes);
  size_t length = 0;
  REQUIRE(lq_session_length(&length, h.session) == LQ_OK);
  const double now = static_cast<double>(length);
  CHECK(p.at("attention").bytes / seen == Approx(now / (now - 3)));
  CHECK(lq_session_profile_part(&part, h.session, p.size()) == LQ_ERR_INVALID_ARGUMENT);
  CHECK(lq_session_profile(h.session, 2) == LQ_ERR_INVALID_ARGUMENT);
  REQUIRE(lq_session_profile(h.session, 0) == LQ_OK);
  CHECK(profile_of(h.session).empty());
  REQUIRE(lq_session_feed(h.session, prompt.data(), 3) == LQ_OK);
}
