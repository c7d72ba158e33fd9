#include <cmath>
#include <limits>

#include "grammar.hpp"
#include "sampler.hpp"
#include "session.hpp"

namespace lq::capi {

GenerateOptions generate_options(const Call& call, const lq_generate_options& o, std::size_t n_vocab) {
  constexpr std::size_t kMaxStops = 4096;
  LQ_CHECK(o.logprobs <= 100, Code::invalid_argument, call.function(), ": logprobs is ", o.logprobs, ", at most 100");
  LQ_CHECK(o.reserved == 0 && o.reserved2 == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
  LQ_CHECK(o.lookup >= -1 && o.lookup <= 31, Code::invalid_argument, call.function(), ": lookup is ", o.lookup,
           ", expected -1 to 31");
  GenerateOptions g;
  g.max_tokens = o.max_tokens;
  g.logprobs = o.logprobs;
  g.ignore_end = o.ignore_end != 0;
  g.append = o.append != 0;
  g.lookup = o.lookup;
  if (o.sampler) {
    const Use<SamplerObject> sampler(call, o.sampler, "options.sampler");
    sampler->sampler.check_vocab(n_vocab);
    g.sampler = sampler->sampler;
  }
  if (o.grammar) g.grammar = Use<GrammarObject>(call, o.grammar, "options.grammar")->grammar;
  if (o.cancel) g.cancel = Use<CancelObject>(call, o.cancel, "options.cancel")->flag;
  for (const char* stop : array_arg(call, o.stop, o.stop_count, "options.stop", kMaxStops)) {
    std::string text = name_arg(call, stop, "options.stop[i]");
    LQ_CHECK(!text.empty(), Code::invalid_argument, call.function(), ": options.stop holds an empty string");
    g.stop.push_back(std::move(text));
  }
  for (const std::int32_t id : array_arg(call, o.stop_tokens, o.stop_token_count, "options.stop_tokens", kMaxStops)) {
    LQ_CHECK(id >= 0 && static_cast<std::size_t>(id) < n_vocab, Code::invalid_argument, call.function(),
             ": options.stop_tokens holds ", id, ", the vocabulary has ", n_vocab, " tokens");
    g.stop_tokens.push_back(id);
  }
  return g;
}

std::vector<std::int32_t> prompt_tokens(const Call& call, const SessionObject& s, const char* prompt,
                                        std::size_t length, const lq_generate_options& o) {
  EncodeOptions encode;
  encode.parse_special = o.parse_special != 0;
  encode.add_special = o.no_begin == 0 && o.append == 0;
  const Tokenizer& tokenizer = *s.model->tokenizer();
  std::vector<std::int32_t> ids = tokenizer.encode(text_arg(call, prompt, length, "prompt"), encode);
  // An end token after the prompt would tell the model that there is nothing to add.
  if (encode.add_special && tokenizer.add_eos() && !ids.empty() && tokenizer.eos() == ids.back()) ids.pop_back();
  LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": prompt has no tokens");
  return ids;
}

lq_event to_c(const Event& e, std::vector<lq_logprob>& top) {
  lq_event c = LQ_EVENT_INIT;
  c.kind = static_cast<std::int32_t>(e.kind);
  c.token = e.token;
  c.index = static_cast<std::uint32_t>(e.index);
  c.text = e.text.empty() ? "" : e.text.data();
  c.text_length = e.text.size();
  c.logprob = e.logprob;
  c.finish = static_cast<std::int32_t>(e.finish);
  top.clear();
  for (const TokenLogprob& t : e.top) top.push_back({t.token, t.logprob});
  c.top = top.data();
  c.top_count = top.size();
  c.prompt_done = static_cast<std::uint32_t>(e.prompt_done);
  c.prompt_total = static_cast<std::uint32_t>(e.prompt_total);
  return c;
}

lq_result to_c(const GenerateResult& r, double load_ms) {
  lq_result c = LQ_RESULT_INIT;
  c.finish = static_cast<std::int32_t>(r.finish);
  c.prompt_tokens = static_cast<std::uint32_t>(r.prompt_tokens);
  c.reused_tokens = static_cast<std::uint32_t>(r.reused_tokens);
  c.generated_tokens = static_cast<std::uint32_t>(r.generated_tokens);
  c.load_ms = load_ms;
  c.prefill_ms = r.prefill_ms;
  c.decode_ms = r.decode_ms;
  c.first_token_ms = r.first_token_ms;
  c.prefill_tps = r.prefill_tps;
  c.decode_tps = r.decode_tps;
  c.drafted_tokens = static_cast<std::uint32_t>(r.drafted_tokens);
  c.accepted_tokens = static_cast<std::uint32_t>(r.accepted_tokens);
  return c;
}

namespace {

using Prompt = std::optional<std::span<const std::int32_t>>;

// Starts a generation; the options are checked before the session is touched.
void start(const Call& call, SessionObject& s, Prompt prompt, const lq_generate_options& o) {
  s.session.start(prompt, generate_options(call, o, s.model->tokenizer()->vocab_size()));
}

// Runs the generation that was started to its end. The result is written also if it fails on the way.
void run(SessionObject& s, lq_result* result, lq_token_fn callback, void* user) {
  const auto tell = [&] {
    if (result) write_struct(result, to_c(s.session.result(), s.model->load_ms()));
  };
  try {
    for (;;) {
      const Event e = s.session.step();
      if (e.kind == EventKind::working) continue;
      const lq_event c = to_c(e, s.top);
      const bool stop = callback && callback(&c, user) != 0;
      if (e.kind == EventKind::done) break;
      if (stop) {
        s.session.stop(Finish::callback);
        break;
      }
    }
  } catch (...) {
    tell();
    throw;
  }
  tell();
}

lq_generate_options generate_arg(const Call& call, const lq_generate_options* options) {
  return options_arg<lq_generate_options>(call, options, LQ_GENERATE_OPTIONS_INIT);
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

const char* lq_finish_name(lq_finish finish) noexcept {
  switch (static_cast<int>(finish)) {
    case LQ_FINISH_END:
    case LQ_FINISH_STOP:
      return "stop";
    case LQ_FINISH_LENGTH:
      return "length";
    case LQ_FINISH_CONTEXT_FULL:
      return "context_full";
    case LQ_FINISH_CANCELLED:
      return "cancelled";
    case LQ_FINISH_CALLBACK:
      return "callback";
    default:
      return "none";
  }
}

lq_status lq_session_generate(lq_result* result, lq_session* session, const char* prompt, size_t length,
                              const lq_generate_options* options, lq_token_fn callback, void* user) noexcept {
  return guard(__func__, [&](Call& call) {
    if (result) {
      out_struct_size(call, result, "result");
      write_struct(result, lq_result LQ_RESULT_INIT);
    }
    SessionObject& s = call.on<SessionObject>(session, "session");
    const lq_generate_options o = generate_arg(call, options);
    if (prompt) {
      const auto ids = prompt_tokens(call, s, prompt, length, o);
      start(call, s, ids, o);
    } else {
      start(call, s, std::nullopt, o);
    }
    run(s, result, callback, user);
  });
}

lq_status lq_session_chat(lq_result* result, lq_session* session, const lq_message* messages, size_t count,
                          const lq_chat_options* chat, const lq_generate_options* options, lq_token_fn callback,
                          void* user) noexcept {
  return guard(__func__, [&](Call& call) {
    if (result) {
      out_struct_size(call, result, "result");
      write_struct(result, lq_result LQ_RESULT_INIT);
    }
    SessionObject& s = call.on<SessionObject>(session, "session");
    const lq_generate_options o = generate_arg(call, options);
    const auto ids = chat_prompt_tokens(call, *s.model, messages, count, chat);
    start(call, s, ids, o);
    run(s, result, callback, user);
  });
}

lq_status lq_session_start(lq_session* session, const char* prompt, size_t length,
                           const lq_generate_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    const lq_generate_options o = generate_arg(call, options);
    if (!prompt) return start(call, s, std::nullopt, o);
    const auto ids = prompt_tokens(call, s, prompt, length, o);
    start(call, s, ids, o);
  });
}

lq_status lq_session_start_tokens(lq_session* session, const int32_t* tokens, size_t count,
                                  const lq_generate_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    const lq_generate_options o = generate_arg(call, options);
    const auto ids = array_arg(call, tokens, count, "tokens");
    LQ_CHECK(!ids.empty(), Code::invalid_argument, call.function(), ": count is 0");
    start(call, s, ids, o);
  });
}

lq_status lq_session_start_chat(lq_session* session, const lq_message* messages, size_t count,
                                const lq_chat_options* chat, const lq_generate_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    SessionObject& s = call.on<SessionObject>(session, "session");
    const lq_generate_options o = generate_arg(call, options);
    const auto ids = chat_prompt_tokens(call, *s.model, messages, count, chat);
    start(call, s, ids, o);
  });
}

lq_status lq_session_step(lq_event* event, lq_session* session, uint64_t budget_us) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, event, "event");
    write_struct(event, lq_event LQ_EVENT_INIT);
    SessionObject& s = call.on<SessionObject>(session, "session");
    write_struct(event, to_c(s.session.step(budget_us), s.top));
  });
}

lq_status lq_session_stop(lq_session* session) noexcept {
  return guard(__func__,
               [&](Call& call) { call.on<SessionObject>(session, "session").session.stop(Finish::callback); });
}

lq_status lq_session_cancel(lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    // Not call.on: a failure must not write to the message that the session's own call may be writing.
    Use<SessionObject>(call, session, "session")->session.cancel();
  });
}

lq_status lq_session_result(lq_result* out, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_result LQ_RESULT_INIT);
    SessionObject& s = call.on<SessionObject>(session, "session");
    write_struct(out, to_c(s.session.result(), s.model->load_ms()));
  });
}

lq_status lq_session_output(const char** text, size_t* length, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    out_param(call, text, "text") = "";
    const std::string& output = call.on<SessionObject>(session, "session").session.output();
    *text = output.c_str();
    if (length) *length = output.size();
  });
}

lq_status lq_session_output_tokens(const int32_t** tokens, size_t* count, const lq_session* session) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    out_param(call, tokens, "tokens") = nullptr;
    const auto& ids = call.on<SessionObject>(session, "session").session.output_tokens();
    *tokens = ids.data();
    if (count) *count = ids.size();
  });
}

}  // extern "C"
