// Text encoders through the C interface, over a small random checkpoint.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>

#include "arguments.hpp"
#include "calls.hpp"

using namespace lq_test;

namespace {

const char* const kTexts[] = {"hello", "the inner text", ""};
float out[3 * 64];

lq_status create(Handles& h, void (*change)(lq_embedder_options&)) {
  const auto o = with<lq_embedder_options>(LQ_EMBEDDER_OPTIONS_INIT, change);
  lq_embedder* e = nullptr;
  const lq_status status = lq_embedder_create(&e, h.encoder, &o);
  lq_embedder_free(e);
  return status;
}

const BadRow kWrong[] = {
    {"struct_size", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.struct_size = 4; }); }},
    {"max_tokens too few", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.max_tokens = 2; }); }},
    {"max_tokens too many", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.max_tokens = 129; }); }},
    {"batch_tokens", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.batch_tokens = 1 << 17; }); }},
    {"pooling", kInvalid, [](Handles& h) { return create(h, [](auto& o) { o.pooling = "most"; }); }},
    {"create NULL", kInvalid, [](Handles& h) { return lq_embedder_create(nullptr, h.encoder, nullptr); }},
    {"a language model", LQ_ERR_UNSUPPORTED,
     [](Handles& h) {
       lq_embedder* e = nullptr;
       return lq_embedder_create(&e, h.model, nullptr);
     }},
    {"a session of an encoder", kInvalid,
     [](Handles& h) {
       lq_session* s = nullptr;
       return lq_session_create(&s, h.encoder, nullptr);
     }},
    {"dimension NULL", kInvalid, [](Handles& h) { return lq_embedder_dimension(nullptr, h.embedder); }},
    {"max_tokens NULL", kInvalid, [](Handles& h) { return lq_embedder_max_tokens(nullptr, h.embedder); }},
    {"out NULL with capacity", kInvalid,
     [](Handles& h) { return lq_embedder_embed(nullptr, 5, nullptr, h.embedder, kTexts, nullptr, 1, nullptr); }},
    {"room for less", LQ_ERR_BUFFER_TOO_SMALL,
     [](Handles& h) { return lq_embedder_embed(out, 63, nullptr, h.embedder, kTexts, nullptr, 1, nullptr); }},
    {"texts NULL", kInvalid,
     [](Handles& h) { return lq_embedder_embed(out, 192, nullptr, h.embedder, nullptr, nullptr, 1, nullptr); }},
    {"a text NULL", kInvalid,
     [](Handles& h) {
       const char* const texts[] = {"x", nullptr};
       return lq_embedder_embed(out, 192, nullptr, h.embedder, texts, nullptr, 2, nullptr);
     }},
    {"too many texts", LQ_ERR_LIMIT,
     [](Handles& h) { return lq_embedder_embed(out, 192, nullptr, h.embedder, kTexts, nullptr, SIZE_MAX, nullptr); }},
    {"cancel of another type", kInvalid,
     [](Handles& h) {
       return lq_embedder_embed(out, 192, nullptr, h.embedder, kTexts, nullptr, 1,
                                reinterpret_cast<lq_cancel*>(h.model));
     }},
    {"cancelled", LQ_ERR_CANCELLED,
     [](Handles& h) {
       lq_cancel_trigger(h.cancel);
       const lq_status s = lq_embedder_embed(out, 192, nullptr, h.embedder, kTexts, nullptr, 1, h.cancel);
       lq_cancel_reset(h.cancel);
       return s;
     }},
};

}  // namespace

TEST_CASE("wrong arguments to embedders are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("texts become vectors of length 1, the same alone and among others", "[capi]") {
  Handles h;
  uint32_t n = 0;
  size_t count = 0;
  REQUIRE(lq_embedder_dimension(&n, h.embedder) == LQ_OK);
  CHECK(n == 64);
  REQUIRE(lq_embedder_embed(nullptr, 0, &count, h.embedder, kTexts, nullptr, 3, nullptr) == LQ_OK);
  CHECK(count == 192);
  REQUIRE(lq_embedder_embed(out, 192, &count, h.embedder, kTexts, nullptr, 3, nullptr) == LQ_OK);
  for (size_t i = 0; i < 3; ++i) {
    float alone[64];
    double square = 0;
    const size_t length = std::strlen(kTexts[i]);
    REQUIRE(lq_embedder_embed(alone, 64, nullptr, h.embedder, kTexts + i, &length, 1, nullptr) == LQ_OK);
    CHECK(std::memcmp(alone, out + 64 * i, sizeof alone) == 0);
    for (const float x : alone) square += static_cast<double>(x) * x;
    CHECK(square == Approx(1.0));
  }
  // Cut to three tokens: the same first letter is the same text.
  lq_embedder_options o = LQ_EMBEDDER_OPTIONS_INIT;
  o.max_tokens = 3;
  o.pooling = "cls";
  lq_embedder* cut = nullptr;
  REQUIRE(lq_embedder_create(&cut, h.encoder, &o) == LQ_OK);
  const char* const alike[] = {"a b c d", "a x y", "b"};
  REQUIRE(lq_embedder_embed(out, 192, &count, cut, alike, nullptr, 3, nullptr) == LQ_OK);
  CHECK(std::memcmp(out, out + 64, 64 * sizeof(float)) == 0);
  CHECK(std::memcmp(out, out + 128, 64 * sizeof(float)) != 0);
  lq_embedder_free(cut);
}
