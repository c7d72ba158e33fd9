#include "session.hpp"

namespace lq::capi {

namespace {

SessionOptions session_options(const Call& call, const lq_session_options& o) {
  LQ_CHECK(o.overflow == LQ_OVERFLOW_ERROR || o.overflow == LQ_OVERFLOW_SLIDE, Code::invalid_argument, call.function(),
           ": overflow is ", o.overflow, ", expected an lq_overflow");
  SessionOptions s;
  s.n_ctx = o.n_ctx;
  s.kv_type = kv_type_arg(call, o.kv_type);
  s.overflow = static_cast<Overflow>(o.overflow);
  s.slide_keep = o.slide_keep;
  s.prefill_chunk = o.prefill_chunk;
  s.wipe = o.wipe != 0;
  s.memory_cap = o.memory_cap;
  return s;
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_session_create(lq_session** out, lq_model* model, const lq_session_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const std::shared_ptr<const Model>& m = call.on<ModelObject>(model, "model").model;
    const auto o = options_arg<lq_session_options>(call, options, LQ_SESSION_OPTIONS_INIT);
    *out = new_handle<SessionObject, lq_session>(m, Session(m, session_options(call, o)));
  });
}

void lq_session_free(lq_session* session) noexcept { free_handle(session, Kind::session); }

lq_status lq_session_fork(lq_session** out, lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    SessionObject& s = call.on<SessionObject>(session, "session");
    *out = new_handle<SessionObject, lq_session>(s.model, s.session.fork());
  });
}

lq_status lq_session_set_prompt(size_t* reused, lq_session* session, const int32_t* tokens, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    if (reused) *reused = 0;
    SessionObject& s = call.on<SessionObject>(session, "session");
    const std::size_t n = s.session.set_prompt(array_arg(call, tokens, count, "tokens"));
    if (reused) *reused = n;
  });
}

lq_status lq_session_feed(lq_session* session, const int32_t* tokens, size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    const auto ids = array_arg(call, tokens, count, "tokens");
    LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": count is 0");
    s.session.feed(ids);
  });
}

lq_status lq_session_logits(const float** logits, size_t* n_vocab, lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    if (n_vocab) *n_vocab = 0;
    out_param(call, logits, "logits") = nullptr;
    const auto values = call.on<SessionObject>(session, "session").session.logits();
    *logits = values.data();
    if (n_vocab) *n_vocab = values.size();
  });
}

lq_status lq_session_logits_of(float* out, size_t* reused, lq_session* session, const int32_t* prompt,
                               size_t prompt_count, const int32_t* ids, size_t id_count) noexcept {
  return guard(__func__, [&](Call& call) {
    if (reused) *reused = 0;
    out_param(call, out, "out");
    SessionObject& s = call.on<SessionObject>(session, "session");
    const auto tokens = array_arg(call, prompt, prompt_count, "prompt");
    const auto wanted = array_arg(call, ids, id_count, "ids");
    const auto given = prompt ? std::optional(tokens) : std::nullopt;
    const std::size_t n = s.session.logits_of(given, wanted, {out, wanted.size()});
    if (reused) *reused = n;
  });
}

lq_status lq_session_eval(lq_session* session, const int32_t* tokens, size_t count, lq_logits_fn callback,
                          void* user) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    const auto ids = array_arg(call, tokens, count, "tokens");
    LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": count is 0");
    LQ_CHECK(callback, Code::invalid_argument, call.function(), ": callback is NULL");
    s.session.eval(ids, [&](std::size_t position, std::span<const float> logits) {
      return callback(position, logits.data(), logits.size(), user) == 0;
    });
  });
}

lq_status lq_session_score(double* logprob_sum, size_t* scored, lq_session* session, const int32_t* tokens,
                           size_t count) noexcept {
  return guard(__func__, [&](Call& call) {
    if (scored) *scored = 0;
    out_param(call, logprob_sum, "logprob_sum") = 0;
    SessionObject& s = call.on<SessionObject>(session, "session");
    const auto ids = array_arg(call, tokens, count, "tokens");
    LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": count is 0");
    double sum = 0;
    const std::vector<double> scores = s.session.score(ids);
    for (const double p : scores) sum += p;
    *logprob_sum = sum;
    if (scored) *scored = scores.size();
  });
}

lq_status lq_session_rewind(lq_session* session, size_t n_tokens) noexcept {
  return guard(__func__, [&](Call& call) { call.on<SessionObject>(session, "session").session.rewind(n_tokens); });
}

lq_status lq_session_length(size_t* out, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<SessionObject>(session, "session").session.tokens().size();
  });
}

lq_status lq_session_capacity(size_t* out, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<SessionObject>(session, "session").session.capacity();
  });
}

lq_status lq_session_memory(uint64_t* out, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<SessionObject>(session, "session").session.memory();
  });
}

lq_status lq_session_tokens(int32_t* out, size_t capacity, size_t* count, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    write_array<std::int32_t>(call, out, capacity, count, call.on<SessionObject>(session, "session").session.tokens());
  });
}

lq_status lq_session_save_file(const lq_session* session, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    s.session.save_file(name_arg(call, path, "path"));
  });
}

lq_status lq_session_load_file(lq_session* session, const char* path) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    s.session.load_file(name_arg(call, path, "path"));
  });
}

lq_status lq_session_save(void* out, size_t capacity, size_t* length, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    const std::vector<std::byte> state = call.on<SessionObject>(session, "session").session.save();
    write_array<std::byte>(call, static_cast<std::byte*>(out), capacity, length, state);
  });
}

lq_status lq_session_load(lq_session* session, const void* data, size_t length) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    s.session.load(array_arg(call, static_cast<const std::byte*>(data), length, "data", std::size_t{1} << 40));
  });
}

lq_status lq_session_error(char* out, size_t capacity, size_t* length, const lq_session* session) noexcept {
  return object_error(__func__, out, capacity, length, session, Kind::session);
}

}  // extern "C"
