// What a session is made of; shared by session.cpp, generation.cpp, score.cpp, state.cpp, batch.cpp, prefix_cache.cpp.
//
// `tokens` is the truth; the cache lags behind it and catches up when logits are wanted. So rewinding, loading, a
// failed prefill or the last sampled token need no special case: whatever is missing is computed on demand, and, as
// results do not depend on chunking, with the same bits.
//
// One exception: while a generation runs, the cache may hold tokens that are only expected (`ahead`, lookahead.cpp).
// settle(), and so abandon(), forgets them.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "constrained.hpp"
#include "lookup.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/session.hpp"
#include "loquor/models/adapter.hpp"
#include "stop_matcher.hpp"

namespace lq {

using Clock = std::chrono::steady_clock;

inline double ms_since(Clock::time_point start) noexcept {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// One generation, from start() to Finish.
struct Generation {
  GenerateOptions options;
  StreamDecoder decoder;
  StopMatcher stops;
  Finish finish = Finish::none;
  bool told = false;  // the DONE event has been given, and with it the last text
  std::size_t prompt_total = 0;
  std::string piece, text;  // of the last event; all so far
  std::vector<std::int32_t> tokens;
  std::vector<TokenLogprob> top;
  std::optional<Logprobs> logprobs;        // once they are wanted
  std::optional<NgramIndex> index;         // none: nothing is computed ahead
  std::optional<Constrained> constrained;  // if there is a grammar
  GenerateResult result;
  Clock::time_point started = Clock::now();

  Generation(GenerateOptions o, std::shared_ptr<const Tokenizer> tokenizer)
      : options(std::move(o)), decoder(std::move(tokenizer)), stops(options.stop) {}
};

constexpr std::size_t kUsualDraft = 15;  // tokens computed ahead at most, if the host does not say

// Tokens that are expected to follow, and what has been computed of them already.
struct Lookahead {
  DraftPolicy policy;
  std::unique_ptr<Decoder::Pass> pass;  // made when first needed; has the logits after rows[0] ... rows[computed]
  std::vector<std::int32_t> rows;       // a session's last token and what is expected after it; empty: nothing is
  std::size_t computed = 0;             // expected tokens that went into the pass,
  std::size_t came = 0;                 // of which so many have come
  std::size_t agreed = 0;               // how many tokens agreed before rows[1]
};

struct Session::Impl {
  std::shared_ptr<const Model> model;
  SessionOptions options;
  std::size_t n_ctx = 0;
  KvSequence kv;
  std::vector<std::int32_t> tokens;          // kv.length() - computed_ahead() <= tokens.size() <= n_ctx
  std::unique_ptr<Decoder::Pass> one, many;  // workspaces for a token and for a chunk, made when first needed
  Decoder::Pass* running = nullptr;          // the pass that is under way
  LogitsRow logits;                          // after the last token; empty if they have to be computed
  double running_us = 0;                     // spent on it
  Lookahead ahead;
  std::vector<float> own_logits;  // where they are kept when no pass holds them (after fork or a batch)
  std::optional<Generation> generation;
  std::vector<AdapterUse> adapters;       // of all its passes; pages are then its own, and not shared as prefixes
  std::shared_ptr<PrefixCache> prefixes;  // shared with other sessions, if the caller said so
  std::unique_ptr<PassProfile> profile;   // of its passes, if that is wanted
  std::atomic<bool> cancelled{false};
  mutable std::atomic<bool> busy{false};

  Impl(std::shared_ptr<const Model> m, const SessionOptions& o);
  ~Impl();

  // Throws Error{cancelled}, once, if cancel() was called or the generation's handle is set.
  void check_cancel();
  bool wants_cancel() const noexcept;  // would check_cancel() throw?
  // Room for n more tokens, sliding if the session does that. Throws Error{context_full}.
  void make_room(std::size_t n);
  // Replaces the tokens, keeping the cache of the common prefix; returns its length.
  std::size_t replace(std::span<const std::int32_t> wanted);
  void cut(std::size_t n) noexcept;
  void reserve_tokens(std::size_t more);  // room for so many more, growing by half at least
  void abandon() noexcept;
  bool ready() const noexcept { return kv.length() == tokens.size() + computed_ahead() && !logits.empty(); }
  // Works towards ready() until the deadline; true if it is. At least one unit is done.
  bool compute(Clock::time_point deadline);
  // Copies the row to own_logits and makes it the session's.
  void keep_logits(const LogitsRow& row);
  void begin_pass(Clock::time_point deadline);
  bool advance(Clock::time_point deadline);  // the running pass; true if it is done
  void compute_all() { compute(Clock::time_point::max()); }
  // Runs `work` after the tokens have been changed from `before`. A cancelled call keeps what it has computed; after
  // any other failure the tokens are the old ones again, and what their cache has lost is computed when it is next
  // needed.
  template <class Fn>
  void compute_or_restore(std::span<const std::int32_t> before, const Fn& work);
  Decoder::Pass& pass_for(std::size_t rows, std::size_t all_logits);
  void check_tokens(std::span<const std::int32_t> ids) const;
  void check_memory(std::size_t new_tokens, std::size_t workspace) const;
  std::size_t chunk() const noexcept;

  // lookahead.cpp
  std::size_t computed_ahead() const noexcept { return ahead.computed - ahead.came; }
  bool may_look_ahead(const GenerateOptions& o) const;
  std::size_t draft_limit(bool small) const noexcept;
  std::size_t expect(const NgramIndex::Match& match, std::size_t k);
  std::size_t expect_forced(bool small);
  // Begins the pass of the last token and what is expected after it; false if nothing is, or it would not pay.
  bool begin_ahead(bool small);
  void finish_ahead(const Decoder::Pass& pass) noexcept;  // after every pass
  void took(std::int32_t token) noexcept;                 // the token was appended: its logits may be there already
  void settle() noexcept;

  // prefix_cache.cpp
  void take_prefix(std::size_t n) noexcept;  // what others have computed of the first n tokens
  void computed(std::size_t rows) noexcept;  // after so many positions have been added to the cache

  // generation.cpp
  Event choose();  // samples from the logits: a TOKEN event or the end
  Event close();
  void end(Finish why) noexcept;
  Event working() const;
  void add_rates() noexcept;
};

template <class Fn>
void Session::Impl::compute_or_restore(std::span<const std::int32_t> before, const Fn& work) {
  try {
    generation.reset();
    work();
  } catch (const Error& e) {
    if (e.code() == Code::cancelled)
      cut(kv.length());
    else
      replace(before);
    throw;
  } catch (...) {
    replace(before);
    throw;
  }
}

// One user at a time: a second one gets Error{invalid_argument} instead of a data race.
class SessionLock {
 public:
  explicit SessionLock(const Session::Impl& s) : busy_(s.busy) {
    LQ_CHECK(!busy_.exchange(true, std::memory_order_acquire), Code::invalid_argument,
             "session: it is in use by another thread");
  }
  ~SessionLock() { busy_.store(false, std::memory_order_release); }
  SessionLock(const SessionLock&) = delete;
  SessionLock& operator=(const SessionLock&) = delete;

 private:
  std::atomic<bool>& busy_;
};

}  // namespace lq
