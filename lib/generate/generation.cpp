// Generating: start, step, and what a sampled token becomes.
#include <algorithm>
#include <limits>

#include "session_impl.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxLogprobs = 100;
constexpr std::size_t kMaxStops = 256;
constexpr std::size_t kMaxStopBytes = 4096;

void check_options(const GenerateOptions& o, std::size_t n_vocab) {
  LQ_CHECK(o.logprobs <= kMaxLogprobs, Code::invalid_argument, "generate: ", o.logprobs,
           " logprobs asked for, at most ", kMaxLogprobs);
  LQ_CHECK(o.stop.size() <= kMaxStops, Code::invalid_argument, "generate: ", o.stop.size(), " stop strings, at most ",
           kMaxStops);
  for (const std::string& s : o.stop) {
    LQ_CHECK(!s.empty(), Code::invalid_argument, "generate: a stop string is empty");
    LQ_CHECK(s.size() <= kMaxStopBytes, Code::invalid_argument, "generate: a stop string of ", s.size(),
             " bytes, at most ", kMaxStopBytes);
  }
  for (std::int32_t t : o.stop_tokens)
    LQ_CHECK(t >= 0 && static_cast<std::size_t>(t) < n_vocab, Code::invalid_argument, "generate: stop token ", t,
             ", the vocabulary has ", n_vocab);
  const int most = static_cast<int>(DraftPolicy::kMost);
  LQ_CHECK(o.lookup >= -1 && o.lookup <= most, Code::invalid_argument, "generate: lookup is ", o.lookup,
           ", expected -1 to ", most);
  o.sampler.check_vocab(n_vocab);
}

}  // namespace

void Session::start(std::optional<std::span<const std::int32_t>> prompt, GenerateOptions options) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  check_options(options, s.model->decoder()->spec().n_vocab);
  if (prompt) {
    s.check_tokens(*prompt);
    LQ_CHECK(!prompt->empty(), Code::invalid_argument, "generate: the prompt holds no tokens");
  }
  LQ_CHECK(prompt || !s.tokens.empty(), Code::invalid_argument, "generate: no prompt, and the session holds no tokens");
  Generation g(std::move(options), s.model->tokenizer());
  if (s.may_look_ahead(g.options)) g.index.emplace();
  if (g.options.grammar) {
    g.constrained.emplace(s.model->token_masks(g.options.grammar), s.model->tokenizer(), g.options.stop_tokens,
                          g.options.ignore_end);
  }
  s.settle();
  std::size_t reused = s.kv.length();
  if (prompt && g.options.append) {
    s.reserve_tokens(prompt->size());
    s.make_room(prompt->size());
    s.abandon();
    s.tokens.insert(s.tokens.end(), prompt->begin(), prompt->end());
    s.logits = {};
    g.result.prompt_tokens = prompt->size();
    reused = 0;
  } else if (prompt) {
    reused = s.replace(*prompt);
    g.result.prompt_tokens = prompt->size();
  }
  g.prompt_total = s.tokens.size();
  g.result.reused_tokens = std::min(reused, g.result.prompt_tokens);
  s.generation.emplace(std::move(g));
}

Event Session::Impl::working() const {
  Event e;
  e.index = generation->tokens.size();
  e.logprob = std::numeric_limits<float>::quiet_NaN();
  e.prompt_total = generation->prompt_total;
  e.prompt_done = std::min(kv.length(), generation->prompt_total);
  return e;
}

void Session::Impl::end(Finish why) noexcept {
  abandon();
  Generation& g = *generation;
  if (g.finish == Finish::none) g.finish = g.result.finish = why;
}

// The DONE event; the first one carries the text that was still waiting.
Event Session::Impl::close() {
  Generation& g = *generation;
  std::string rest;
  if (!g.told && !g.stops.matched()) rest = g.stops.feed(g.decoder.flush()) + g.stops.flush();
  g.text += rest;
  g.piece = std::move(rest);
  g.told = true;
  Event e = working();
  e.kind = EventKind::done;
  e.finish = g.finish;
  e.text = g.piece;
  return e;
}

void Session::Impl::add_rates() noexcept {
  GenerateResult& r = generation->result;
  const double computed = static_cast<double>(r.prompt_tokens - std::min(r.prompt_tokens, r.reused_tokens));
  r.prefill_tps = computed > 0 && r.prefill_ms > 0 ? computed / r.prefill_ms * 1e3 : 0;
  r.decode_tps =
      r.generated_tokens > 1 && r.decode_ms > 0 ? static_cast<double>(r.generated_tokens - 1) / r.decode_ms * 1e3 : 0;
}

Event Session::Impl::choose() {
  Generation& g = *generation;
  if (g.constrained && g.constrained->finished()) {
    end(Finish::end);
    return close();
  }
  const std::int32_t token = g.constrained ? g.constrained->choose(g.options.sampler, logits, tokens)
                                           : g.options.sampler.sample(logits, tokens, tokens.size());
  const Tokenizer& tokenizer = *model->tokenizer();
  const auto& stops = g.options.stop_tokens;
  if (!g.options.ignore_end && tokenizer.is_end_of_generation(token)) {
    end(Finish::end);
    return close();
  }
  if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
    end(Finish::stop);
    return close();
  }
  if (tokens.size() >= n_ctx && options.overflow == Overflow::error) {
    end(Finish::context_full);
    return close();
  }
  Event e = working();
  e.kind = EventKind::token;
  e.token = token;
  if (g.options.logprobs) {
    if (!g.logprobs) g.logprobs.emplace(model->context()->kernels());
    e.logprob = g.logprobs->compute(logits, token, g.options.logprobs, g.top);
    e.top = g.top;
  }
  if (g.tokens.size() == g.tokens.capacity()) g.tokens.reserve(2 * g.tokens.size() + 16);
  reserve_tokens(1);
  g.piece = g.stops.feed(g.decoder.feed(token));
  g.text += g.piece;
  if (g.constrained) g.constrained->accept(token);
  make_room(1);
  tokens.push_back(token);
  took(token);
  g.tokens.push_back(token);
  g.result.generated_tokens = g.tokens.size();
  e.text = g.piece;
  if (g.stops.matched())
    g.finish = g.result.finish = Finish::stop;
  else if (g.constrained && g.constrained->finished())
    g.finish = g.result.finish = Finish::end;
  else if (g.options.max_tokens && g.tokens.size() >= g.options.max_tokens)
    g.finish = g.result.finish = Finish::length;
  if (g.finish != Finish::none) settle();
  return e;
}

Event Session::step(std::uint64_t budget_us) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  LQ_CHECK(s.generation.has_value(), Code::invalid_argument, "session: no generation was started");
  Generation& g = *s.generation;
  const auto begin = Clock::now();
  // Budgets beyond an hour are as good as none, and cannot overflow the clock.
  const auto deadline =
      budget_us >= 3'600'000'000u ? Clock::time_point::max() : begin + std::chrono::microseconds(budget_us);
  if (g.finish != Finish::none) return s.close();
  const bool first = g.tokens.empty();
  const auto account = [&] {
    (first ? g.result.prefill_ms : g.result.decode_ms) += ms_since(begin);
    s.add_rates();
  };
  try {
    s.check_cancel();
    if (!s.compute(deadline)) {
      account();
      return s.working();
    }
    const Event e = s.choose();
    if (first) g.result.first_token_ms = ms_since(g.started);
    account();
    return e;
  } catch (const Error& e) {
    s.end(e.code() == Code::cancelled      ? Finish::cancelled
          : e.code() == Code::context_full ? Finish::context_full
                                           : Finish::callback);
    throw;
  } catch (...) {
    s.end(Finish::callback);
    throw;
  }
}

void Session::stop(Finish why) {
  const SessionLock lock(*impl_);
  if (impl_->generation) impl_->end(why);
}

GenerateResult Session::result() const noexcept {
  return impl_->generation ? impl_->generation->result : GenerateResult{};
}

const std::string& Session::output() const noexcept {
  static const std::string none;
  return impl_->generation ? impl_->generation->text : none;
}

const std::vector<std::int32_t>& Session::output_tokens() const noexcept {
  static const std::vector<std::int32_t> none;
  return impl_->generation ? impl_->generation->tokens : none;
}

}  // namespace lq
