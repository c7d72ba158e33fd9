// Wrong arguments, function by function: each gives the status it should, a message, and leaves the handles as they
// were.
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "calls.hpp"

namespace lq_test {

struct BadRow {
  const char* what;
  lq_status expected;
  lq_status (*call)(Handles& h);
  bool changes = false;  // the session's tokens, before it fails
};

inline constexpr lq_status kInvalid = LQ_ERR_INVALID_ARGUMENT;
inline const double kNan = std::numeric_limits<double>::quiet_NaN();
inline const float kNanF = std::numeric_limits<float>::quiet_NaN();
inline constexpr auto kIgnore = [](const lq_event*, void*) { return 0; };

// Options with one field changed.
template <class T>
T with(T options, void (*change)(T&)) {
  change(options);
  return options;
}
inline lq_status generate(Handles& h, void (*change)(lq_generate_options&)) {
  const auto o = with<lq_generate_options>(LQ_GENERATE_OPTIONS_INIT, change);
  return lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o, nullptr, nullptr);
}
inline lq_status create_context(void (*change)(lq_context_options&)) {
  const auto o = with<lq_context_options>(LQ_CONTEXT_OPTIONS_INIT, change);
  lq_context* c = nullptr;
  const lq_status s = lq_context_create(&c, &o);
  lq_context_free(c);
  return s;
}
inline lq_status load(Handles& h, void (*change)(lq_model_options&)) {
  const auto o = with<lq_model_options>(LQ_MODEL_OPTIONS_INIT, change);
  lq_model* m = nullptr;
  const lq_status s = lq_model_load_memory(&m, h.context, h.file.data(), h.file.size(), &o);
  lq_model_free(m);
  return s;
}
inline lq_status quantize(Handles& h, void (*change)(lq_quantize_options&)) {
  const auto o = with<lq_quantize_options>(LQ_QUANTIZE_OPTIONS_INIT, change);
  return lq_quantize(nullptr, h.context, h.path.c_str(), (h.path + ".quantized").c_str(), "q4_1", &o);
}
inline lq_status create_session(Handles& h, void (*change)(lq_session_options&)) {
  const auto o = with<lq_session_options>(LQ_SESSION_OPTIONS_INIT, change);
  lq_session* s = nullptr;
  const lq_status status = lq_session_create(&s, h.model, &o);
  lq_session_free(s);
  return status;
}
inline lq_status render(Handles& h, void (*change)(lq_message&)) {
  lq_message m = LQ_MESSAGE_INIT;
  m.role = "user";
  m.content = "hello";
  change(m);
  return lq_chat_render(nullptr, 0, nullptr, h.chat_template, &m, 1, nullptr);
}
inline lq_status add(Handles& h, const char* name, double value) { return lq_sampler_add(h.sampler, name, value); }

// What a failed call must not have changed: the tokens, the next logits, what a sampler chooses.
struct Snapshot {
  std::vector<int32_t> tokens = std::vector<int32_t>(256);
  std::vector<float> logits;
  explicit Snapshot(const Handles& h) {
    size_t n = 0;
    REQUIRE(lq_session_tokens(tokens.data(), tokens.size(), &n, h.session) == LQ_OK);
    tokens.resize(n);
    const float* values = nullptr;
    REQUIRE(lq_session_logits(&values, &n, h.session) == LQ_OK);
    logits.assign(values, values + n);
  }
};

template <std::size_t N>
void run(const BadRow (&rows)[N]) {
  for (const BadRow& row : rows) {
    INFO(row.what);
    Handles h;
    const Snapshot before(h);
    const lq_status status = row.call(h);
    INFO(lq_status_name(status) << ": " << lq_last_error());
    CHECK(status == row.expected);
    CHECK(std::strlen(lq_last_error()) > 10);
    const Snapshot after(h);
    if (row.changes) continue;
    CHECK(before.tokens == after.tokens);
    CHECK(std::memcmp(before.logits.data(), after.logits.data(), before.logits.size() * sizeof(float)) == 0);
  }
}

}  // namespace lq_test
