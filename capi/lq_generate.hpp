// Part of loquor.hpp: samplers, sessions, generation, batches, perplexity.
#ifndef LOQUOR_LQ_GENERATE_HPP
#define LOQUOR_LQ_GENERATE_HPP

#include <iterator>

#include "lq_generate.h"
#include "lq_grammar.hpp"
#include "lq_model.hpp"
#include "lq_profile.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_sampler* raw) noexcept {
  lq_sampler_free(raw);
}
template <>
inline void free_handle(lq_session* raw) noexcept {
  lq_session_free(raw);
}
template <>
inline void free_handle(lq_batch* raw) noexcept {
  lq_batch_free(raw);
}
}  // namespace detail

// A chain of stages; see lq_sampler_add for the names. Sampler().add("top_k", 40).add("temperature", 0.8).seed(1)
class Sampler {
 public:
  // Changes logits, reorders, lowers the count; false stops the generation.
  using Stage = std::function<bool(lq_candidate* candidates, std::size_t& count, const std::int32_t* history,
                                   std::size_t history_count)>;

  Sampler() { detail::check(lq_sampler_create(raw_.out())); }
  Sampler& add(const char* name, double value = 0) {
    detail::check(lq_sampler_add(raw_.get(), name, value));
    return *this;
  }
  Sampler& add(const char* name, const std::vector<double>& values) {
    detail::check(lq_sampler_add_values(raw_.get(), name, values.data(), values.size()));
    return *this;
  }
  Sampler& add(Stage stage) {
    auto kept = std::make_shared<Stage>(std::move(stage));
    stages_.push_back(kept);
    detail::check(lq_sampler_add_callback(raw_.get(), &Sampler::run_stage, kept.get()));
    return *this;
  }
  Sampler& bias(std::int32_t token, float value) {
    detail::check(lq_sampler_bias(raw_.get(), &token, &value, 1));
    return *this;
  }
  Sampler& seed(std::uint64_t value) {
    detail::check(lq_sampler_seed(raw_.get(), value));
    return *this;
  }
  Sampler clone() const {
    Sampler copy{detail::Owner<lq_sampler>()};
    detail::check(lq_sampler_clone(copy.raw_.out(), raw_.get()));
    copy.stages_ = stages_;
    return copy;
  }
  std::int32_t sample(const float* logits, std::size_t n_vocab, const Tokens& history = {},
                      std::uint64_t position = 0) {
    std::int32_t token = -1;
    detail::check(lq_sampler_sample(&token, raw_.get(), logits, n_vocab, history.data(), history.size(), position));
    return token;
  }
  lq_sampler* get() const noexcept { return raw_.get(); }

 private:
  friend class Session;
  explicit Sampler(detail::Owner<lq_sampler> raw) : raw_(std::move(raw)) {}
  static int run_stage(lq_candidate* c, std::size_t* n, const std::int32_t* history, std::size_t m, void* user) {
    return detail::shield([&] { return (*static_cast<Stage*>(user))(c, *n, history, m); });
  }
  std::vector<std::shared_ptr<Stage>> stages_;
  detail::Owner<lq_sampler> raw_;
};

struct SessionOptions {
  std::uint32_t n_ctx = 0;
  std::string kv_type = {};  // "f16", "q8_0", "f32"
  lq_overflow overflow = LQ_OVERFLOW_ERROR;
  std::uint32_t slide_keep = 0;
  std::uint32_t prefill_chunk = 0;
  bool wipe = false;
  std::uint64_t memory_cap = 0;
};

struct GenerateOptions {
  std::uint32_t max_tokens = 0;
  const Sampler* sampler = nullptr;  // greedy if none
  std::vector<std::string> stop = {};
  Tokens stop_tokens = {};
  std::uint32_t logprobs = 0;
  bool ignore_end = false;
  bool append = false;
  bool parse_special = false;
  bool no_begin = false;
  const Cancel* cancel = nullptr;
  std::int32_t lookup = 0;           // most tokens guessed and computed ahead; 0 = the library's choice, -1 = none
  const Grammar* grammar = nullptr;  // what is generated is one of its texts
};

// What a step or a callback tells; text and top() are borrowed until the session is used again.
class Event {
 public:
  lq_event_kind kind() const noexcept { return static_cast<lq_event_kind>(raw.kind); }
  std::int32_t token() const noexcept { return raw.token; }
  std::uint32_t index() const noexcept { return raw.index; }
  std::string_view text() const noexcept { return {raw.text, raw.text_length}; }
  float logprob() const noexcept { return raw.logprob; }
  std::vector<lq_logprob> top() const { return {raw.top, raw.top + raw.top_count}; }
  lq_finish finish() const noexcept { return static_cast<lq_finish>(raw.finish); }
  bool done() const noexcept { return raw.kind == LQ_EVENT_DONE; }

  lq_event raw = LQ_EVENT_INIT;
};

// Called for each token and at the end; false stops.
using TokenCallback = std::function<bool(const Event&)>;

class PrefixCache;  // lq_prefix.hpp
class Adapter;      // lq_adapter.hpp

class Session {
 public:
  explicit Session(const Model& model, const SessionOptions& options = {}) : model_(model) {
    lq_session_options o = LQ_SESSION_OPTIONS_INIT;
    o.n_ctx = options.n_ctx;
    o.kv_type = options.kv_type.empty() ? nullptr : options.kv_type.c_str();
    o.overflow = options.overflow;
    o.slide_keep = options.slide_keep;
    o.prefill_chunk = options.prefill_chunk;
    o.wipe = options.wipe;
    o.memory_cap = options.memory_cap;
    detail::check(lq_session_create(raw_.out(), model.get(), &o));
  }
  Session fork() {
    Session copy(model_, detail::Owner<lq_session>());
    detail::check(lq_session_fork(copy.raw_.out(), raw_.get()));
    return copy;
  }

  // Shares what it computes, and what others have, from now on; nullptr: no longer.
  void use_prefix_cache(const PrefixCache* cache);
  // LoRA adapters and their scales, instead of those before; {}: none.
  void set_adapters(const std::vector<std::pair<const Adapter*, float>>& adapters);

  // Tokens and logits.
  std::size_t set_prompt(const Tokens& tokens) {
    std::size_t reused = 0;
    detail::check(lq_session_set_prompt(&reused, raw_.get(), tokens.data(), tokens.size()));
    return reused;
  }
  void feed(const Tokens& tokens) { detail::check(lq_session_feed(raw_.get(), tokens.data(), tokens.size())); }
  // n_vocab floats, borrowed until the next call on the session.
  const float* logits(std::size_t* n_vocab = nullptr) {
    const float* values = nullptr;
    std::size_t n = 0;
    detail::check(lq_session_logits(&values, &n, raw_.get()));
    if (n_vocab) *n_vocab = n;
    return values;
  }
  // The scores of these tokens alone, after the session's tokens or after a prompt that replaces them.
  std::vector<float> logits_of(const Tokens& ids) {
    std::vector<float> out(ids.size() ? ids.size() : 1);
    detail::check(lq_session_logits_of(out.data(), nullptr, raw_.get(), nullptr, 0, ids.data(), ids.size()));
    return out;
  }
  std::vector<float> logits_of(const Tokens& prompt, const Tokens& ids, std::size_t* reused = nullptr) {
    static const std::int32_t none = 0;
    std::vector<float> out(ids.size() ? ids.size() : 1);
    detail::check(lq_session_logits_of(out.data(), reused, raw_.get(), prompt.empty() ? &none : prompt.data(),
                                       prompt.size(), ids.data(), ids.size()));
    return out;
  }
  // fn(position, logits, n_vocab) for each token fed; false stops.
  void eval(const Tokens& tokens, const std::function<bool(std::size_t, const float*, std::size_t)>& fn) {
    using Fn = std::function<bool(std::size_t, const float*, std::size_t)>;
    const auto call = [](std::size_t position, const float* logits, std::size_t n, void* user) {
      return detail::shield([&] { return (*static_cast<const Fn*>(user))(position, logits, n); });
    };
    detail::check(lq_session_eval(raw_.get(), tokens.data(), tokens.size(), call, const_cast<Fn*>(&fn)));
  }
  // Sum of log probabilities and how many tokens were scored.
  std::pair<double, std::size_t> score(const Tokens& tokens) {
    double sum = 0;
    std::size_t scored = 0;
    detail::check(lq_session_score(&sum, &scored, raw_.get(), tokens.data(), tokens.size()));
    return {sum, scored};
  }
  void rewind(std::size_t n_tokens) { detail::check(lq_session_rewind(raw_.get(), n_tokens)); }
  std::size_t length() const { return get_size(lq_session_length); }
  std::size_t capacity() const { return get_size(lq_session_capacity); }
  // Sums the time of its computations by parts from now on; false: no longer.
  void profile(bool on) { detail::check(lq_session_profile(raw_.get(), on ? 1 : 0)); }
  std::vector<lq_profile_part> profile() const {
    std::size_t n = 0;
    detail::check(lq_session_profile_parts(&n, raw_.get()));
    std::vector<lq_profile_part> parts(n, lq_profile_part LQ_PROFILE_PART_INIT);
    for (std::size_t i = 0; i < n; ++i) detail::check(lq_session_profile_part(&parts[i], raw_.get(), i));
    return parts;
  }
  std::uint64_t memory() const {
    std::uint64_t bytes = 0;
    detail::check(lq_session_memory(&bytes, raw_.get()));
    return bytes;
  }
  Tokens tokens() const {
    return detail::read_array<std::int32_t>(length(), [&](auto... a) { return lq_session_tokens(a..., raw_.get()); });
  }

  // State.
  void save_file(const std::string& path) const { detail::check(lq_session_save_file(raw_.get(), path.c_str())); }
  void load_file(const std::string& path) { detail::check(lq_session_load_file(raw_.get(), path.c_str())); }
  std::vector<unsigned char> save() const {
    return detail::read_array<unsigned char>(0, [&](auto... a) { return lq_session_save(a..., raw_.get()); });
  }
  void load(const void* data, std::size_t size) { detail::check(lq_session_load(raw_.get(), data, size)); }

  // Generation: the whole text at once, with a callback on the way if wanted.
  std::string generate(std::string_view prompt, const GenerateOptions& options = {},
                       const TokenCallback& fn = nullptr) {
    return run(options, [&](const lq_generate_options* o) {
      return lq_session_generate(nullptr, raw_.get(), prompt.data() ? prompt.data() : "", prompt.size(), o,
                                 fn ? &Session::on_token : nullptr, const_cast<TokenCallback*>(&fn));
    });
  }
  // Goes on from what the session holds.
  std::string generate(const GenerateOptions& options = {}, const TokenCallback& fn = nullptr) {
    return run(options, [&](const lq_generate_options* o) {
      return lq_session_generate(nullptr, raw_.get(), nullptr, 0, o, fn ? &Session::on_token : nullptr,
                                 const_cast<TokenCallback*>(&fn));
    });
  }
  std::string chat(const std::vector<Message>& messages, const GenerateOptions& options = {},
                   const TokenCallback& fn = nullptr, const ChatOptions& chat_options = {}) {
    const detail::ChatArgs args(messages, chat_options);
    return run(options, [&](const lq_generate_options* o) {
      return lq_session_chat(nullptr, raw_.get(), args.messages.data(), args.messages.size(), &args.options, o,
                             fn ? &Session::on_token : nullptr, const_cast<TokenCallback*>(&fn));
    });
  }

  // Step by step: start, then step() under a budget until done().
  void start(std::string_view prompt, const GenerateOptions& options = {}) {
    begin(options, [&](const lq_generate_options* o) {
      return lq_session_start(raw_.get(), prompt.data() ? prompt.data() : "", prompt.size(), o);
    });
  }
  void start(const Tokens& tokens, const GenerateOptions& options = {}) {
    begin(options, [&](const lq_generate_options* o) {
      return lq_session_start_tokens(raw_.get(), tokens.data(), tokens.size(), o);
    });
  }
  // Goes on from what the session holds.
  void start_rest(const GenerateOptions& options = {}) {
    begin(options, [&](const lq_generate_options* o) { return lq_session_start(raw_.get(), nullptr, 0, o); });
  }
  void start_chat(const std::vector<Message>& messages, const GenerateOptions& options = {},
                  const ChatOptions& chat_options = {}) {
    const detail::ChatArgs args(messages, chat_options);
    begin(options, [&](const lq_generate_options* o) {
      return lq_session_start_chat(raw_.get(), args.messages.data(), args.messages.size(), &args.options, o);
    });
  }
  Event step(std::uint64_t budget_us = LQ_BUDGET_NONE) {
    Event event;
    detail::check(lq_session_step(&event.raw, raw_.get(), budget_us));
    return event;
  }
  void stop() { detail::check(lq_session_stop(raw_.get())); }
  void cancel() noexcept { lq_session_cancel(raw_.get()); }  // any thread

  // A generation as a range of events, tokens first and one DONE at the end. Leaving the loop early is allowed.
  class Range;
  Range stream(std::string_view prompt, const GenerateOptions& options = {});
  Range stream(const Tokens& tokens, const GenerateOptions& options = {});
  Range stream_chat(const std::vector<Message>& messages, const GenerateOptions& options = {},
                    const ChatOptions& chat_options = {});

  // The last generation.
  lq_result result() const {
    lq_result r = LQ_RESULT_INIT;
    detail::check(lq_session_result(&r, raw_.get()));
    return r;
  }
  std::string output() const {
    const char* text = nullptr;
    std::size_t length = 0;
    detail::check(lq_session_output(&text, &length, raw_.get()));
    return std::string(text, length);
  }
  Tokens output_tokens() const {
    const std::int32_t* tokens = nullptr;
    std::size_t count = 0;
    detail::check(lq_session_output_tokens(&tokens, &count, raw_.get()));
    return Tokens(tokens, tokens + count);
  }

  const Model& model() const noexcept { return model_; }
  lq_session* get() const noexcept { return raw_.get(); }

 private:
  friend class Batch;
  Session(const Model& model, detail::Owner<lq_session> raw) : model_(model), raw_(std::move(raw)) {}

  static int on_token(const lq_event* event, void* user) {
    Event e;
    e.raw = *event;
    return detail::shield([&] { return (*static_cast<const TokenCallback*>(user))(e); });
  }
  std::size_t get_size(lq_status (*get)(std::size_t*, const lq_session*)) const {
    std::size_t n = 0;
    detail::check(get(&n, raw_.get()));
    return n;
  }
  // Converts the options for the call, and keeps the sampler's stages alive for as long as the session may run them.
  template <class Fn>
  void begin(const GenerateOptions& options, Fn&& call) {
    std::vector<const char*> stop;
    for (const std::string& s : options.stop) stop.push_back(s.c_str());
    lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
    o.max_tokens = options.max_tokens;
    o.sampler = options.sampler ? options.sampler->get() : nullptr;
    o.stop = stop.data();
    o.stop_count = stop.size();
    o.stop_tokens = options.stop_tokens.data();
    o.stop_token_count = options.stop_tokens.size();
    o.logprobs = options.logprobs;
    o.ignore_end = options.ignore_end;
    o.append = options.append;
    o.parse_special = options.parse_special;
    o.no_begin = options.no_begin;
    o.cancel = options.cancel ? options.cancel->get() : nullptr;
    o.lookup = options.lookup;
    o.grammar = options.grammar ? options.grammar->get() : nullptr;
    // The stages of the generation before are let go of only when another has taken its place: after a failure it may
    // go on.
    const auto before = static_cast<std::ptrdiff_t>(stages_.size());
    if (options.sampler)
      stages_.insert(stages_.end(), options.sampler->stages_.begin(), options.sampler->stages_.end());
    detail::check(call(&o));
    stages_.erase(stages_.begin(), stages_.begin() + before);
  }
  template <class Fn>
  std::string run(const GenerateOptions& options, Fn&& call) {
    begin(options, call);
    return output();
  }

  Model model_;
  std::vector<std::shared_ptr<Sampler::Stage>> stages_;
  detail::Owner<lq_session> raw_;
};

class Session::Range {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Event;
    using difference_type = std::ptrdiff_t;
    using pointer = const Event*;
    using reference = const Event&;
    Iterator() noexcept = default;
    explicit Iterator(Session* session) : session_(session), event_(session->step()) {}
    const Event& operator*() const noexcept { return event_; }
    const Event* operator->() const noexcept { return &event_; }
    Iterator& operator++() {
      if (event_.done())
        session_ = nullptr;
      else
        event_ = session_->step();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& a, const Iterator& b) noexcept { return a.session_ == b.session_; }
    friend bool operator!=(const Iterator& a, const Iterator& b) noexcept { return !(a == b); }

   private:
    Session* session_ = nullptr;
    Event event_;
  };

  explicit Range(Session* session) noexcept : session_(session) {}
  Iterator begin() const { return Iterator(session_); }
  Iterator end() const noexcept { return Iterator(); }

 private:
  Session* session_;
};

inline Session::Range Session::stream(std::string_view prompt, const GenerateOptions& options) {
  start(prompt, options);
  return Range(this);
}
inline Session::Range Session::stream(const Tokens& tokens, const GenerateOptions& options) {
  start(tokens, options);
  return Range(this);
}
inline Session::Range Session::stream_chat(const std::vector<Message>& messages, const GenerateOptions& options,
                                           const ChatOptions& chat_options) {
  start_chat(messages, options, chat_options);
  return Range(this);
}

// Several started sessions of one model, brought forward together.
class Batch {
 public:
  explicit Batch(const Model& model, std::uint32_t max_sessions = 0) : model_(model) {
    lq_batch_options o = LQ_BATCH_OPTIONS_INIT;
    o.max_sessions = max_sessions;
    detail::check(lq_batch_create(raw_.out(), model.get(), &o));
  }
  // One event per session.
  std::vector<Event> step(const std::vector<Session*>& sessions) {
    std::vector<lq_session*> raw;
    for (Session* s : sessions) raw.push_back(s->get());
    std::vector<lq_event> events(raw.size(), lq_event LQ_EVENT_INIT);
    detail::check(lq_batch_step(events.data(), raw_.get(), raw.data(), raw.size()));
    std::vector<Event> out(events.size());
    for (std::size_t i = 0; i < out.size(); ++i) out[i].raw = events[i];
    return out;
  }
  // fn(index, event), until all are done.
  void run(const std::vector<Session*>& sessions, const std::function<bool(std::size_t, const Event&)>& fn = nullptr) {
    using Fn = std::function<bool(std::size_t, const Event&)>;
    std::vector<lq_session*> raw;
    for (Session* s : sessions) raw.push_back(s->get());
    const auto call = [](std::size_t index, const lq_event* event, void* user) {
      Event e;
      e.raw = *event;
      return detail::shield([&] { return (*static_cast<const Fn*>(user))(index, e); });
    };
    lq_batch_fn callback = nullptr;
    if (fn) callback = call;
    detail::check(lq_batch_run(raw_.get(), raw.data(), raw.size(), callback, const_cast<Fn*>(&fn)));
  }

 private:
  Model model_;
  detail::Owner<lq_batch> raw_;
};

// progress(fraction of windows); false cancels.
inline lq_perplexity_result perplexity(const Model& model, const Tokens& tokens, std::uint32_t n_ctx = 512,
                                       const std::function<bool(float)>& progress = nullptr,
                                       lq_perplexity_options options = LQ_PERPLEXITY_OPTIONS_INIT) {
  lq_perplexity_result result = LQ_PERPLEXITY_RESULT_INIT;
  options.n_ctx = n_ctx;
  if (progress) {
    options.progress = [](float fraction, void* user) {
      return detail::shield([&] { return (*static_cast<const std::function<bool(float)>*>(user))(fraction); });
    };
    options.progress_user = const_cast<std::function<bool(float)>*>(&progress);
  }
  detail::check(lq_perplexity(&result, model.get(), tokens.data(), tokens.size(), &options));
  return result;
}

}  // namespace loquor
#endif
