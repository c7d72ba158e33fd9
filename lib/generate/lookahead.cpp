// Computing ahead: where the next tokens can be guessed (lookup.hpp), the pass of the last token takes the guess along,
// and has the logits after each of its tokens. The sampler then chooses token by token as ever, from the same logits as
// without a guess, since these do not depend on how tokens were cut into passes. While it chooses what was guessed,
// the next logits are there; at the first difference what was computed too much is forgotten.
#include <algorithm>
#include <cstring>

#include "session_impl.hpp"

namespace lq {
namespace {

constexpr std::size_t kSmallDraft = 15;  // under a small budget, where a unit of work has to stay short

std::size_t most_drafted(const GenerateOptions& o) noexcept {
  if (o.lookup < 0) return 0;
  return o.lookup > 0 ? static_cast<std::size_t>(o.lookup) : kUsualDraft;
}

// A generation ends with this token, so nothing has to be computed after it.
bool ends(const Generation& g, const Tokenizer& tokenizer, std::int32_t token) {
  const auto& stops = g.options.stop_tokens;
  return (!g.options.ignore_end && tokenizer.is_end_of_generation(token)) ||
         std::find(stops.begin(), stops.end(), token) != stops.end();
}

}  // namespace

// Memory that plain decoding may need later is never taken: with a cap, the full session has to fit beside this.
bool Session::Impl::may_look_ahead(const GenerateOptions& o) const {
  if (most_drafted(o) == 0) return false;
  if (!options.memory_cap) return true;
  const SessionMemory full = memory_needed(model->decoder()->spec(), options);
  return full.kv_bytes + full.workspace_bytes <= options.memory_cap;
}

std::size_t Session::Impl::draft_limit(bool small) const noexcept {
  const Generation& g = *generation;
  std::size_t most = std::min(most_drafted(g.options), n_ctx - tokens.size());
  if (small) most = std::min(most, kSmallDraft);
  if (g.options.max_tokens) most = std::min(most, g.options.max_tokens - g.tokens.size() - 1);
  return most;
}

// Fills ahead.rows: the last token, a draft of up to k tokens and one more, which says whether the draft should have
// been longer. Where the match runs into the end of the list it goes on with what it has copied. Returns the length of
// the draft.
std::size_t Session::Impl::expect(const NgramIndex::Match& match, std::size_t k) {
  const Tokenizer& tokenizer = *model->tokenizer();
  std::vector<std::int32_t>& rows = ahead.rows;
  rows.reserve(DraftPolicy::kMost + 2);  // no copy is left behind by growing
  rows.assign(1, tokens.back());
  for (std::size_t i = match.from; rows.size() < k + 2; ++i) {
    rows.push_back(i < tokens.size() ? tokens[i] : rows[1 + i - tokens.size()]);
    if (ends(*generation, tokenizer, rows.back())) break;
  }
  ahead.agreed = match.length;
  return rows.size() - 2;
}

// What a grammar leaves no choice about, as the tokenizer would write it. Returns the length of the draft.
std::size_t Session::Impl::expect_forced(bool small) {
  if (!generation->constrained) return 0;
  const std::vector<std::int32_t> forced = generation->constrained->forced();
  const std::size_t k = ahead.policy.draft(NgramIndex::kMeasured, std::min(forced.size(), draft_limit(small)));
  if (k == 0) return 0;
  ahead.rows.reserve(DraftPolicy::kMost + 2);
  ahead.rows.assign(1, tokens.back());
  ahead.rows.insert(ahead.rows.end(), forced.begin(), forced.begin() + static_cast<std::ptrdiff_t>(k));
  ahead.agreed = NgramIndex::kMeasured;
  return k;
}

bool Session::Impl::begin_ahead(bool small) {
  if (!generation || !generation->index || generation->finish != Finish::none) return false;
  try {
    const NgramIndex::Match match = generation->index->match(tokens);
    std::size_t k = expect_forced(small);
    if (k == 0 && match.length) k = expect(match, ahead.policy.draft(match.length, draft_limit(small)));
    if (k == 0) return false;
    logits = {};
    const std::size_t most = std::min(most_drafted(generation->options) + 1, n_ctx);
    if (!ahead.pass || ahead.pass->max_rows() < most) {
      ahead.pass.reset();
      ahead.pass = std::make_unique<Decoder::Pass>(model->decoder(), most, most, n_ctx);
      ahead.pass->profile_into(profile.get());
    }
    const PassSegment segment{&kv, {ahead.rows.data(), k + 1}, LogitsFor::all, adapters};
    ahead.pass->begin({&segment, 1});
    running = ahead.pass.get();
    return true;
  } catch (const std::bad_alloc&) {
  } catch (const Error& e) {
    if (e.code() != Code::out_of_memory) throw;
  }
  settle();
  generation->index.reset();  // it goes without
  return false;
}

void Session::Impl::finish_ahead(const Decoder::Pass& pass) noexcept {
  if (&pass == one.get()) ahead.policy.timed(1, running_us);
  if (&pass != ahead.pass.get()) return;
  ahead.policy.timed(pass.logits_rows(), running_us);
  ahead.computed = pass.logits_rows() - 1;
  if (generation) generation->result.drafted_tokens += ahead.computed;
}

void Session::Impl::took(std::int32_t token) noexcept {
  Lookahead& a = ahead;
  const bool expected = a.came + 1 < a.rows.size();
  const bool right = expected && a.rows[a.came + 1] == token;
  if (expected) a.policy.observe(a.agreed + a.came, right);
  if (right && a.came < a.computed) {
    ++generation->result.accepted_tokens;
    logits = a.pass->row(++a.came);
  } else {
    settle();
    logits = {};
  }
}

void Session::Impl::settle() noexcept {
  if (running && running == ahead.pass.get()) {
    running->abandon();
    running = nullptr;
  }
  if (kv.length() > tokens.size()) kv.truncate(tokens.size());
  if (options.wipe && !ahead.rows.empty()) explicit_bzero(ahead.rows.data(), ahead.rows.size() * sizeof(ahead.rows[0]));
  ahead.rows.clear();
  ahead.computed = ahead.came = 0;
}

}  // namespace lq
