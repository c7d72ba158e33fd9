// Sessions: a token list with its KV cache, and the generation that extends it, whole or step by step. One user at a
// time; cancel() may come from any thread. Sessions of one model are independent of each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/dtype.hpp"
#include "loquor/generate/logprobs.hpp"
#include "loquor/generate/model.hpp"
#include "loquor/generate/prefix_cache.hpp"
#include "loquor/generate/sampler.hpp"

namespace lq {

enum class Overflow : int {
  error = 0,  // Error{context_full}; a generation ends with Finish::context_full
  slide = 1,  // forget the older half of what follows the first slide_keep tokens, recompute the rest
};

struct SessionOptions {
  std::size_t n_ctx = 0;  // 0 = as the model was trained
  DType kv_type = DType::F16;
  Overflow overflow = Overflow::error;
  std::size_t slide_keep = 0;
  std::size_t prefill_chunk = 0;  // 0 = chosen by the library
  bool wipe = false;              // overwrite the cache when it is released
  std::size_t memory_cap = 0;     // bytes; 0 = none
};

enum class Finish : int { none = 0, end = 1, stop = 2, length = 3, context_full = 4, cancelled = 5, callback = 6 };

struct GenerateOptions {
  std::size_t max_tokens = 0;  // 0 = until the model ends or the context is full
  Sampler sampler;
  std::vector<std::string> stop;
  std::vector<std::int32_t> stop_tokens;
  // What is generated is a text of this grammar, or the beginning of one if max_tokens or a stop ends it sooner. Ends by
  // itself (Finish::end) where the text is whole and cannot go on. Log probabilities are those without it.
  std::shared_ptr<const Grammar> grammar;
  std::size_t logprobs = 0;
  bool ignore_end = false;
  bool append = false;  // the prompt is appended instead of replacing the contents
  // Most tokens that are guessed from what the session holds and computed with the last one; 0 = chosen by the library,
  // -1 = none, at most 31. Only the time depends on it. A batch does not guess.
  int lookup = 0;
  std::shared_ptr<const std::atomic<bool>> cancel;
};

enum class EventKind : int { working = 0, token = 1, done = 2 };

// Views are valid until the session is used again.
struct Event {
  EventKind kind = EventKind::working;
  std::int32_t token = -1;
  std::size_t index = 0;  // tokens made before it
  std::string_view text;  // now certain: never half a character, nor what may begin a stop string
  float logprob = 0;      // NaN unless asked for
  std::span<const TokenLogprob> top;
  Finish finish = Finish::none;
  std::size_t prompt_done = 0, prompt_total = 0;
};

struct GenerateResult {
  Finish finish = Finish::none;
  std::size_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
  double prefill_ms = 0, decode_ms = 0, first_token_ms = 0, prefill_tps = 0, decode_tps = 0;
  std::size_t drafted_tokens = 0, accepted_tokens = 0;  // guessed and computed ahead; of which so many came
};

// What a session takes when it is full.
struct SessionMemory {
  std::uint64_t kv_bytes = 0, workspace_bytes = 0;
};

class Session {
 public:
  struct Impl;  // lib/generate/session_impl.hpp
  static SessionMemory memory_needed(const DecoderSpec& spec, const SessionOptions& options);

  // Throws Error{invalid_argument} for a vocabulary-only model or sizes out of range, Error{out_of_memory}.
  explicit Session(std::shared_ptr<const Model> model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  ~Session();
  Session fork() const;  // shares the cache, copy on write, and the prefix cache if it uses one

  const Model& model() const noexcept;
  // From now on takes over what the cache holds of a prompt, and gives it what is computed. nullptr: no longer. Throws
  // Error{invalid_argument} for another model's.
  void use_prefix_cache(std::shared_ptr<PrefixCache> cache);

  // From now on computes with these adapters added to the weights, in their order; none: with the weights alone. What
  // was computed otherwise is computed again when it is needed; the tokens stay, a generation is given up. While there
  // are any, the session takes no part in a prefix cache. Throws Error{invalid_argument} for another model's, or a
  // scale that is not finite.
  void set_adapters(std::vector<AdapterUse> adapters);
  // Holds exactly these tokens afterwards; returns how many were in the cache already. Throws Error{invalid_argument|
  // context_full|cancelled|out_of_memory}.
  std::size_t set_prompt(std::span<const std::int32_t> tokens);
  void feed(std::span<const std::int32_t> tokens);
  // n_vocab scores after the last token. Throws Error{invalid_argument} if there are none.
  std::span<const float> logits();
  // As set_prompt (without a prompt: goes on from the tokens held), but of the logits after the last token only those
  // of `ids` are computed, in their order to `out`: the bits that logits() has there. Unless it has all of them
  // already, logits() computes the last token again.
  std::size_t logits_of(std::optional<std::span<const std::int32_t>> prompt, std::span<const std::int32_t> ids,
                        std::span<float> out);
  // Appends tokens; returns ln p(token | those before it) for each but the first `from` (and the very first of an empty
  // session), without ever holding a row of logits. Neither chunks nor threads change the bits. On failure it holds the
  // tokens that it held before. Throws Error{invalid_argument|context_full|cancelled|out_of_memory}; `cancel` is a
  // second way to stop it.
  std::vector<double> score(std::span<const std::int32_t> tokens, std::size_t from = 0,
                            const std::atomic<bool>* cancel = nullptr);
  // Appends tokens; fn(position, logits) after each, in order; false stops: Error{cancelled}.
  void eval(std::span<const std::int32_t> tokens, const std::function<bool(std::size_t, std::span<const float>)>& fn);
  // Throws Error{invalid_argument} if it holds fewer.
  void rewind(std::size_t n_tokens);
  std::size_t capacity() const noexcept;
  std::size_t memory() const noexcept;
  // On: from now on the time of its own passes (not of a batch's) is summed by parts, beginning at nothing.
  void profile(bool on);
  const PassProfile* profile() const noexcept;  // nullptr: off
  const std::vector<std::int32_t>& tokens() const noexcept;

  // Versioned, checksummed state. Loading throws Error{not_found|io|bad_file|mismatch|context_full} and then changes
  // nothing.
  std::vector<std::byte> save() const;
  void save_file(const std::string& path) const;
  void load(std::span<const std::byte> state);
  void load_file(const std::string& path);

  // Begins a generation; any other is given up. Without a prompt it goes on from the session's tokens.
  void start(std::optional<std::span<const std::int32_t>> prompt, GenerateOptions options);
  // Works for up to budget_us (at least one unit), or until a token or the end. UINT64_MAX: until then.
  Event step(std::uint64_t budget_us = UINT64_MAX);
  // Ends the generation, keeping what was made.
  void stop(Finish why = Finish::callback);
  // Sticky until a call has returned Error{cancelled} for it. Safe in signal handlers.
  void cancel() noexcept;

  GenerateResult result() const noexcept;
  const std::string& output() const noexcept;
  const std::vector<std::int32_t>& output_tokens() const noexcept;

 private:
  friend class Batch;
  explicit Session(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Brings several started sessions of one model a token further in one pass. One user at a time.
class Batch {
 public:
  Batch(std::shared_ptr<const Model> model, std::size_t max_sessions);
  ~Batch();
  // events[i] tells about sessions[i]. Throws Error{invalid_argument} for another model's session, one given twice or
  // one that was not started.
  void step(std::span<Session* const> sessions, std::span<Event> events);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
