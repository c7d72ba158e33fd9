// Several sessions in one pass: each contributes what it lacks, prompts share what the waiting tokens leave free.
#include <algorithm>
#include <limits>

#include "loquor/kernels/table.hpp"
#include "session_impl.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxSessions = 1024;
constexpr std::size_t kPromptRows = 256;

}  // namespace

struct Batch::Impl {
  std::shared_ptr<const Model> model;
  std::size_t max_sessions, max_rows;
  std::unique_ptr<Decoder::Pass> pass;
  std::size_t pass_context = 0;

  void check(std::span<Session* const> sessions, std::span<Event> events) const;
  std::vector<Session::Impl*> gather(std::span<Session* const> sessions) const;
  bool compute(std::span<Session::Impl* const> waiting);
};

Batch::Batch(std::shared_ptr<const Model> model, std::size_t max_sessions) : impl_(std::make_unique<Impl>()) {
  LQ_CHECK(model && model->decoder(), Code::invalid_argument,
           "batch: the model has no weights to generate with (a vocabulary only, or a text encoder)");
  LQ_CHECK(max_sessions >= 1 && max_sessions <= kMaxSessions, Code::invalid_argument, "batch: ", max_sessions,
           " sessions, expected 1 to ", kMaxSessions);
  impl_->model = std::move(model);
  impl_->max_sessions = max_sessions;
  impl_->max_rows = std::max(kPromptRows, max_sessions);
}

Batch::~Batch() = default;

void Batch::Impl::check(std::span<Session* const> sessions, std::span<Event> events) const {
  LQ_CHECK(sessions.size() <= max_sessions && events.size() >= sessions.size(), Code::invalid_argument,
           "batch: ", sessions.size(), " sessions in a batch for ", max_sessions);
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    LQ_CHECK(sessions[i], Code::invalid_argument, "batch: session ", i, " is null");
    LQ_CHECK(&sessions[i]->model() == model.get(), Code::invalid_argument, "batch: session ", i,
             " belongs to another model");
  }
  std::vector<Session*> sorted(sessions.begin(), sessions.end());
  std::sort(sorted.begin(), sorted.end());
  LQ_CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), Code::invalid_argument,
           "batch: a session was given twice");
}

// Those that need a pass. A session that is cancelled or over its memory cap ends here; the others go on.
std::vector<Session::Impl*> Batch::Impl::gather(std::span<Session* const> sessions) const {
  std::vector<Session::Impl*> waiting;
  waiting.reserve(sessions.size());
  for (Session* session : sessions) {
    Session::Impl& s = *session->impl_;
    if (s.generation->finish != Finish::none) continue;
    try {
      s.check_cancel();
      if (!s.ready()) s.check_memory(0, 0);
    } catch (const Error& e) {
      if (e.code() != Code::cancelled) model->context()->log(LogLevel::warning, e.what());
      s.end(e.code() == Code::cancelled ? Finish::cancelled : Finish::callback);
      continue;
    }
    s.abandon();
    if (!s.ready()) waiting.push_back(&s);
  }
  return waiting;
}

// False if one of them was cancelled meanwhile: nothing has been computed then.
bool Batch::Impl::compute(std::span<Session::Impl* const> waiting) {
  std::vector<PassSegment> segments;
  std::size_t rows = waiting.size(), context = 1;  // a row for each; what is left goes to the prompts in order
  for (Session::Impl* s : waiting) {
    if (s->kv.length() == s->tokens.size()) s->kv.truncate(s->tokens.size() - 1);
    const std::size_t left = s->tokens.size() - s->kv.length();
    const std::size_t n = 1 + std::min(left - 1, max_rows - rows);
    rows += n - 1;
    segments.push_back(
        {&s->kv, {s->tokens.data() + s->kv.length(), n}, n == left ? LogitsFor::last : LogitsFor::none, s->adapters});
    context = std::max(context, s->n_ctx);
  }
  if (!pass || pass_context < context) {
    pass.reset();
    pass = std::make_unique<Decoder::Pass>(model->decoder(), max_rows, max_sessions, context);
    pass_context = context;
  }
  pass->begin(segments);
  do {
    for (Session::Impl* s : waiting) {
      if (!s->wants_cancel()) continue;
      pass->abandon();
      return false;
    }
  } while (!pass->advance());
  std::size_t row = 0;
  for (std::size_t i = 0; i < waiting.size(); ++i) {
    waiting[i]->computed(segments[i].tokens.size());
    if (segments[i].logits == LogitsFor::none) continue;
    waiting[i]->keep_logits(pass->row(row++));
  }
  return true;
}

void Batch::step(std::span<Session* const> sessions, std::span<Event> events) {
  impl_->check(sessions, events);
  std::vector<std::unique_ptr<SessionLock>> locks;
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    locks.push_back(std::make_unique<SessionLock>(*sessions[i]->impl_));
    LQ_CHECK(sessions[i]->impl_->generation, Code::invalid_argument, "batch: session ", i, " was not started");
  }
  const auto begin = Clock::now();
  for (;;) {
    const std::vector<Session::Impl*> waiting = impl_->gather(sessions);
    if (waiting.empty() || impl_->compute(waiting)) break;
  }
  const double ms = ms_since(begin);
  for (std::size_t i = 0; i < sessions.size(); ++i) {
    Session::Impl& s = *sessions[i]->impl_;
    Generation& g = *s.generation;
    if (g.finish != Finish::none) {
      events[i] = s.close();
      continue;
    }
    const bool first = g.tokens.empty();
    (first ? g.result.prefill_ms : g.result.decode_ms) += ms;
    if (!s.ready()) {
      events[i] = s.working();
      continue;
    }
    try {
      events[i] = s.choose();
    } catch (const Error& e) {  // this session's own trouble; the others go on
      s.end(e.code() == Code::context_full ? Finish::context_full : Finish::callback);
      events[i] = s.close();
    }
    if (first) g.result.first_token_ms = ms_since(g.started);
    s.add_rates();
  }
}

}  // namespace lq
