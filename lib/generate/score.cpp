// Scoring without whole rows of logits: the logits of a few tokens, and the log probabilities of a text.
#include <algorithm>

#include "loquor/kernels/table.hpp"
#include "loquor/models/score_head.hpp"
#include "session_impl.hpp"

namespace lq {
namespace {

// Computes positions [kv.length(), end), all logits but those of `choice` left out.
void compute_piece(Session::Impl& s, Decoder::Pass& pass, std::size_t rows, LogitsFor logits, const HeadChoice& choice,
                   const std::atomic<bool>* cancel) {
  const PassSegment segment{&s.kv, {s.tokens.data() + s.kv.length(), rows}, logits, s.adapters};
  try {
    pass.begin({&segment, 1}, choice);
    do {
      s.check_cancel();
      LQ_CHECK(!cancel || !cancel->load(std::memory_order_relaxed), Code::cancelled, "session: cancelled");
    } while (!pass.advance());
  } catch (...) {
    pass.abandon();
    throw;
  }
  s.computed(rows);
}

// The session's tokens up to the last, of whose logits only those of `ids` are computed.
void compute_only(Session::Impl& s, std::span<const std::int32_t> ids, std::span<float> out) {
  if (!s.ready()) {
    s.abandon();
    if (s.kv.length() == s.tokens.size()) s.kv.truncate(s.tokens.size() - 1);
    s.logits = {};
    for (std::size_t left; (left = s.tokens.size() - s.kv.length()) > 0;) {
      const std::size_t rows = std::min(left, s.chunk());
      s.check_memory(0, 0);
      Decoder::Pass& pass = s.pass_for(rows, 1);
      const bool last = rows == left;
      compute_piece(s, pass, rows, last ? LogitsFor::last : LogitsFor::none, {last ? ids : ids.first(0), {}}, nullptr);
      if (!last) continue;
      const auto logits = pass.logits(0);
      for (std::size_t i = 0; i < ids.size(); ++i) out[i] = logits[static_cast<std::size_t>(ids[i])];
    }
    return;
  }
  for (std::size_t i = 0; i < ids.size(); ++i) out[i] = s.logits.values[static_cast<std::size_t>(ids[i])];
}

}  // namespace

std::size_t Session::logits_of(std::optional<std::span<const std::int32_t>> prompt, std::span<const std::int32_t> ids,
                               std::span<float> out) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  s.check_tokens(ids);
  LQ_CHECK(!ids.empty() && out.size() >= ids.size(), Code::invalid_argument, "session: logits of ", ids.size(),
           " tokens wanted, room for ", out.size());
  if (prompt) {
    s.check_tokens(*prompt);
    LQ_CHECK(!prompt->empty(), Code::invalid_argument, "session: the prompt holds no tokens");
  }
  LQ_CHECK(prompt || !s.tokens.empty(), Code::invalid_argument, "session: it holds no tokens");
  s.check_cancel();
  std::vector<std::int32_t> before = s.tokens;
  if (prompt) before.reserve(std::max(before.size(), prompt->size()));
  const std::size_t reused = prompt ? s.replace(*prompt) : s.kv.length();
  s.compute_or_restore(before, [&] { compute_only(s, ids, out); });
  return reused;
}

std::vector<double> Session::score(std::span<const std::int32_t> more, std::size_t from,
                                   const std::atomic<bool>* cancel) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  s.check_tokens(more);
  if (more.empty()) return {};
  const std::size_t old = s.tokens.size(), total = old + more.size();
  LQ_CHECK(more.size() <= s.n_ctx - old, Code::context_full, "session: ", more.size(), " more tokens do not fit: ", old,
           " of ", s.n_ctx, " are in use");
  s.check_cancel();
  // The row of token i - 1 scores token i. So the last token's row is not needed; it is computed when it is.
  const std::size_t first = std::max<std::size_t>(old + std::min(from, more.size()), 1);
  std::vector<double> scores;
  scores.reserve(total - first);
  s.reserve_tokens(more.size());
  if (s.ready() && first == old) {
    scores.push_back(log_softmax_at(s.model->context()->kernels(), s.logits.values, more[0]));
  }
  const std::size_t silent = first - 1 + scores.size();  // positions before the first row that scores
  s.abandon();
  s.generation.reset();
  s.logits = {};
  s.tokens.insert(s.tokens.end(), more.begin(), more.end());
  try {
    if (s.kv.length() > silent) s.kv.truncate(silent);
    s.take_prefix(silent);
    const std::size_t rows = std::min(s.chunk(), std::max(silent - s.kv.length(), total - 1 - silent));
    if (rows == 0) return scores;
    Decoder::Pass pass(s.model->decoder(), rows, 0, s.n_ctx, std::min(rows, total - 1 - silent));
    s.check_memory(0, pass.nbytes());
    while (s.kv.length() < silent)
      compute_piece(s, pass, std::min(rows, silent - s.kv.length()), LogitsFor::none, {}, cancel);
    while (s.kv.length() < total - 1) {
      const std::size_t at = s.kv.length(), n = std::min(rows, total - 1 - at);
      compute_piece(s, pass, n, LogitsFor::all, {{}, std::span(s.tokens).subspan(at + 1, n)}, cancel);
      scores.insert(scores.end(), pass.logprobs().begin(), pass.logprobs().end());
    }
  } catch (...) {
    s.cut(old);
    throw;
  }
  return scores;
}

}  // namespace lq
