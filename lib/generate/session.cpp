#include "loquor/generate/session.hpp"

#include <algorithm>
#include <cstring>

#include "loquor/kernels/sampling.hpp"
#include "session_impl.hpp"

namespace lq {
namespace {

constexpr std::size_t kDefaultChunk = 256;
constexpr std::size_t kStepChunk = 16;  // under a small budget: a unit of work stays well below a millisecond
constexpr auto kSmallBudget = std::chrono::milliseconds(20);
constexpr std::size_t kMaxContext = std::size_t{1} << 24;

const std::shared_ptr<const Model>& with_decoder(const std::shared_ptr<const Model>& model) {
  LQ_CHECK(model && model->decoder(), Code::invalid_argument,
           "session: the model has no weights to generate with (a vocabulary only, or a text encoder)");
  return model;
}

}  // namespace

Session::Impl::Impl(std::shared_ptr<const Model> m, const SessionOptions& o)
    : model(with_decoder(m)), options(o), kv(*model->context(), model->decoder()->kv_layout(o.kv_type), o.wipe) {
  n_ctx = o.n_ctx ? o.n_ctx : model->decoder()->spec().n_ctx_train;
  LQ_CHECK(n_ctx >= 1 && n_ctx <= kMaxContext, Code::invalid_argument, "session: a context of ", n_ctx,
           " tokens, expected 1 to ", kMaxContext);
  LQ_CHECK(o.prefill_chunk <= 65536, Code::invalid_argument, "session: a prefill chunk of ", o.prefill_chunk,
           ", expected up to 65536");
  LQ_CHECK(o.overflow == Overflow::error || (n_ctx >= 4 && o.slide_keep <= n_ctx / 2), Code::invalid_argument,
           "session: sliding keeps ", o.slide_keep, " tokens of a context of ", n_ctx, ", expected at most half");
  check_memory(1, 0);
  if (o.wipe) tokens.reserve(n_ctx);  // no copy is left behind by growing
}

Session::Impl::~Impl() {
  abandon();
  if (!options.wipe) return;
  if (!tokens.empty()) explicit_bzero(tokens.data(), tokens.capacity() * sizeof(tokens[0]));
  if (!own_logits.empty()) explicit_bzero(own_logits.data(), own_logits.capacity() * sizeof(own_logits[0]));
}

void Session::Impl::reserve_tokens(std::size_t more) {
  const std::size_t wanted = tokens.size() + more;
  if (wanted > tokens.capacity()) tokens.reserve(std::max(wanted, std::min(wanted + wanted / 2, n_ctx)));
}

bool Session::Impl::wants_cancel() const noexcept {
  // The handle is the generation's: once that has ended it stops nothing any more.
  const bool handle = generation && generation->finish == Finish::none && generation->options.cancel &&
                      generation->options.cancel->load(std::memory_order_relaxed);
  return handle || cancelled.load(std::memory_order_relaxed);
}

void Session::Impl::check_cancel() {
  if (!wants_cancel()) return;
  cancelled.store(false, std::memory_order_relaxed);
  fail(Code::cancelled, "session: cancelled");
}

void Session::Impl::check_tokens(std::span<const std::int32_t> ids) const {
  const std::size_t n = model->decoder()->spec().n_vocab;
  for (std::size_t i = 0; i < ids.size(); ++i)
    LQ_CHECK(ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < n, Code::invalid_argument, "session: token ", i, " is ",
             ids[i], ", the vocabulary has ", n);
}

void Session::Impl::check_memory(std::size_t new_tokens, std::size_t workspace) const {
  if (!options.memory_cap) return;
  const std::size_t pages = (tokens.size() + new_tokens + KvLayout::kPageTokens - 1) / KvLayout::kPageTokens;
  const std::size_t held = (one ? one->nbytes() : 0) + (many ? many->nbytes() : 0);
  const std::size_t wanted = std::max(pages, kv.page_count()) * kv.layout().bytes_per_page() + held + workspace;
  LQ_CHECK(wanted <= options.memory_cap, Code::out_of_memory, "session: ", wanted, " bytes are over its cap of ",
           options.memory_cap);
}

std::size_t Session::Impl::chunk() const noexcept {
  return std::min(options.prefill_chunk ? options.prefill_chunk : kDefaultChunk, n_ctx);
}

void Session::Impl::abandon() noexcept {
  if (running) running->abandon();
  running = nullptr;
  settle();
}

void Session::Impl::cut(std::size_t n) noexcept {
  abandon();
  if (n < tokens.size()) tokens.resize(n);
  if (kv.length() > n) kv.truncate(n);
  logits = {};
}

void Session::Impl::make_room(std::size_t n) {
  LQ_CHECK(n <= n_ctx, Code::context_full, "session: ", n, " tokens do not fit a context of ", n_ctx);
  if (tokens.size() + n <= n_ctx) return;
  LQ_CHECK(options.overflow == Overflow::slide && options.slide_keep + n <= n_ctx, Code::context_full, "session: ", n,
           " more tokens do not fit: ", tokens.size(), " of ", n_ctx, " are in use");
  abandon();
  const std::size_t keep = std::min(options.slide_keep, tokens.size());
  const std::size_t movable = tokens.size() - keep;
  const std::size_t drop = std::min(movable, std::max(movable / 2, tokens.size() + n - n_ctx));
  tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(keep),
               tokens.begin() + static_cast<std::ptrdiff_t>(keep + drop));
  if (kv.length() > keep) kv.truncate(keep);  // what moved down sits at new positions and is computed again
  if (generation && generation->index) generation->index->clear();
  logits = {};
}

std::size_t Session::Impl::replace(std::span<const std::int32_t> wanted) {
  LQ_CHECK(wanted.size() <= n_ctx, Code::context_full, "session: a prompt of ", wanted.size(),
           " tokens does not fit a context of ", n_ctx);
  settle();
  const auto differs = std::mismatch(tokens.begin(), tokens.end(), wanted.begin(), wanted.end());
  const std::size_t same = static_cast<std::size_t>(differs.first - tokens.begin());
  tokens.reserve(wanted.size());
  if (same < tokens.size()) cut(same);
  if (same < wanted.size()) {
    abandon();
    logits = {};
    tokens.insert(tokens.end(), wanted.begin() + static_cast<std::ptrdiff_t>(same), wanted.end());
    take_prefix(tokens.size());
  }
  return kv.length();
}

Decoder::Pass& Session::Impl::pass_for(std::size_t rows, std::size_t all_logits) {
  std::unique_ptr<Decoder::Pass>& pass = rows == 1 ? one : many;
  const std::size_t wanted = rows == 1 ? 1 : std::min(rows, chunk());
  if (!pass || pass->max_rows() < wanted) {
    LQ_CHECK(all_logits <= 1, Code::internal, "session: ", all_logits, " rows of logits asked for");
    logits = {};
    pass.reset();
    pass = std::make_unique<Decoder::Pass>(model->decoder(), wanted, 1, n_ctx);
    pass->profile_into(profile.get());
  }
  return *pass;
}

void Session::profile(bool on) {
  Impl& s = *impl_;
  if (on && !s.profile) s.profile = std::make_unique<PassProfile>();
  if (on) *s.profile = {};
  PassProfile* const into = on ? s.profile.get() : nullptr;
  for (const auto* pass : {&s.one, &s.many, &s.ahead.pass})
    if (*pass) (*pass)->profile_into(into);
  if (!on) s.profile.reset();
}

const PassProfile* Session::profile() const noexcept { return impl_->profile.get(); }

void Session::Impl::keep_logits(const LogitsRow& row) {
  own_logits.reserve(row.values.size() + row.block_max.size());
  own_logits.assign(row.values.begin(), row.values.end());
  own_logits.insert(own_logits.end(), row.block_max.begin(), row.block_max.end());
  logits.values = std::span<const float>(own_logits).first(row.values.size());
  logits.block_max = std::span<const float>(own_logits).last(row.block_max.size());
}

void Session::Impl::begin_pass(Clock::time_point deadline) {
  LQ_CHECK(!tokens.empty(), Code::invalid_argument, "session: it holds no tokens");
  if (kv.length() == tokens.size()) kv.truncate(tokens.size() - 1);  // the cache is there, the logits are not
  const std::size_t left = tokens.size() - kv.length();
  const bool small = deadline - Clock::now() < kSmallBudget;
  running_us = 0;
  check_memory(0, 0);
  if (left == 1 && begin_ahead(small)) return;
  const std::size_t rows = std::min(left, small ? std::min(kStepChunk, chunk()) : chunk());
  Decoder::Pass& pass = pass_for(rows, 1);
  const PassSegment segment{
      &kv, {tokens.data() + kv.length(), rows}, rows == left ? LogitsFor::last : LogitsFor::none, adapters};
  logits = {};
  pass.begin({&segment, 1});
  running = &pass;
}

bool Session::Impl::advance(Clock::time_point deadline) {
  Decoder::Pass* pass = running;
  const std::size_t before = kv.length();
  const auto start = Clock::now();
  const auto unit = [&] { return std::chrono::duration<double, std::micro>(pass->next_unit_us()); };
  running = nullptr;  // if a unit throws, the pass has undone itself
  while (!pass->advance()) {
    running = pass;
    check_cancel();
    if (deadline != Clock::time_point::max() &&
        Clock::now() + std::chrono::duration_cast<Clock::duration>(unit()) >= deadline) {
      running_us += 1e3 * ms_since(start);
      return false;
    }
    running = nullptr;
  }
  running_us += 1e3 * ms_since(start);
  if (pass->logits_rows() > 0) logits = pass->row(0);
  finish_ahead(*pass);
  computed(kv.length() - before);
  return true;
}

bool Session::Impl::compute(Clock::time_point deadline) {
  while (!ready()) {
    check_cancel();
    if (!running) begin_pass(deadline);
    if (!advance(deadline)) return false;
    if (deadline != Clock::time_point::max() && Clock::now() >= deadline) break;
  }
  return ready();
}

namespace {

// As Decoder::Pass allocates: activations of every width, logits, attention's partial results.
std::uint64_t workspace_bytes(const DecoderSpec& s, std::size_t rows, std::size_t logits, std::size_t n_ctx) {
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim;
  const std::size_t floats = rows * (s.d_model + q + 2 * kv + q + 2 * s.d_ff + s.rope_dim) +
                             logits * (s.d_model + s.n_vocab + s.n_vocab / kernels::kLogitBlock + 1);
  const std::size_t mixture = s.n_expert ? rows * (3 * s.d_model + s.n_expert) : rows * s.d_model;  // at most
  const std::size_t partials = s.n_head * (n_ctx / 128 + 1) * (s.head_dim + 2);
  return 4 * (floats + mixture + partials) + Activations::bytes_needed(rows, std::max({s.d_model, q, s.d_ff}));
}

}  // namespace

SessionMemory Session::memory_needed(const DecoderSpec& spec, const SessionOptions& options) {
  const std::size_t n_ctx = options.n_ctx ? options.n_ctx : spec.n_ctx_train;
  LQ_CHECK(n_ctx >= 1 && n_ctx <= kMaxContext, Code::invalid_argument, "session: a context of ", n_ctx,
           " tokens, expected 1 to ", kMaxContext);
  const KvLayout layout{options.kv_type, spec.n_layer, spec.n_kv_head, spec.head_dim};
  const std::size_t pages = (n_ctx + KvLayout::kPageTokens - 1) / KvLayout::kPageTokens;
  const std::size_t rows = std::min(options.prefill_chunk ? options.prefill_chunk : kDefaultChunk, n_ctx);
  const std::size_t ahead = std::min(kUsualDraft + 1, n_ctx);
  return {pages * layout.bytes_per_page(), workspace_bytes(spec, 1, 1, n_ctx) + workspace_bytes(spec, rows, 1, n_ctx) +
                                               workspace_bytes(spec, ahead, ahead, n_ctx)};
}

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options)
    : impl_(std::make_unique<Impl>(std::move(model), options)) {}
Session::Session(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session::~Session() = default;

Session Session::fork() const {
  const SessionLock lock(*impl_);
  auto copy = std::make_unique<Impl>(impl_->model, impl_->options);
  copy->n_ctx = impl_->n_ctx;
  copy->tokens = impl_->tokens;
  copy->kv = impl_->kv.fork();
  copy->kv.truncate(copy->tokens.size());  // what was computed ahead stays with this one
  copy->ahead.policy = impl_->ahead.policy;
  if (impl_->ready()) copy->keep_logits(impl_->logits);
  copy->prefixes = impl_->prefixes;
  copy->adapters = impl_->adapters;
  return Session(std::move(copy));
}

const Model& Session::model() const noexcept { return *impl_->model; }
std::size_t Session::capacity() const noexcept { return impl_->n_ctx; }
const std::vector<std::int32_t>& Session::tokens() const noexcept { return impl_->tokens; }
std::size_t Session::memory() const noexcept {
  std::size_t bytes = impl_->kv.nbytes() + impl_->own_logits.capacity() * sizeof(float);
  for (const Decoder::Pass* pass : {impl_->one.get(), impl_->many.get(), impl_->ahead.pass.get()})
    bytes += pass ? pass->nbytes() : 0;
  return bytes + (impl_->generation && impl_->generation->index ? impl_->generation->index->nbytes() : 0);
}
void Session::cancel() noexcept { impl_->cancelled.store(true, std::memory_order_relaxed); }

std::size_t Session::set_prompt(std::span<const std::int32_t> tokens) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  s.check_tokens(tokens);
  LQ_CHECK(!tokens.empty(), Code::invalid_argument, "session: the prompt holds no tokens");
  s.check_cancel();
  std::vector<std::int32_t> before = s.tokens;
  before.reserve(std::max(before.size(), tokens.size()));
  const std::size_t reused = s.replace(tokens);
  s.compute_or_restore(before, [&] { s.compute_all(); });
  return reused;
}

void Session::feed(std::span<const std::int32_t> tokens) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  s.check_tokens(tokens);
  if (tokens.empty()) return;
  s.check_cancel();
  const std::vector<std::int32_t> before = s.tokens;
  s.reserve_tokens(tokens.size());
  s.make_room(tokens.size());
  s.abandon();
  s.tokens.insert(s.tokens.end(), tokens.begin(), tokens.end());
  s.logits = {};
  s.take_prefix(s.tokens.size());
  s.compute_or_restore(before, [&] { s.compute_all(); });
}

std::span<const float> Session::logits() {
  const SessionLock lock(*impl_);
  impl_->compute_all();
  return impl_->logits.values;
}

void Session::eval(std::span<const std::int32_t> tokens,
                   const std::function<bool(std::size_t, std::span<const float>)>& fn) {
  const SessionLock lock(*impl_);
  Impl& s = *impl_;
  s.check_tokens(tokens);
  if (tokens.empty()) return;
  LQ_CHECK(tokens.size() <= s.n_ctx - s.tokens.size(), Code::context_full, "session: ", tokens.size(),
           " more tokens do not fit: ", s.tokens.size(), " of ", s.n_ctx, " are in use");
  s.check_cancel();
  s.abandon();
  s.generation.reset();
  if (!s.tokens.empty() && s.kv.length() < s.tokens.size()) s.compute_all();
  // Rows of logits are large: small pieces, a pass of their own for the time of the call.
  constexpr std::size_t kPiece = 32;
  const std::size_t piece = std::min(kPiece, tokens.size());
  Decoder::Pass pass(s.model->decoder(), piece, piece, s.n_ctx);
  s.logits = {};
  s.reserve_tokens(tokens.size());
  for (std::size_t at = 0; at < tokens.size(); at += piece) {
    const PassSegment segment{&s.kv, tokens.subspan(at, std::min(piece, tokens.size() - at)), LogitsFor::all,
                              s.adapters};
    s.check_memory(segment.tokens.size(), pass.nbytes());
    pass.begin({&segment, 1});
    do s.check_cancel();
    while (!pass.advance());
    s.tokens.insert(s.tokens.end(), segment.tokens.begin(), segment.tokens.end());
    for (std::size_t i = 0; i < segment.tokens.size(); ++i)
      LQ_CHECK(fn(s.tokens.size() - segment.tokens.size() + i, pass.logits(i)), Code::cancelled,
               "session: stopped by the callback");
    s.keep_logits(pass.row(segment.tokens.size() - 1));
  }
}

void Session::rewind(std::size_t n) {
  const SessionLock lock(*impl_);
  LQ_CHECK(n <= impl_->tokens.size(), Code::invalid_argument, "session: cannot rewind to ", n, " tokens, it holds ",
           impl_->tokens.size());
  impl_->generation.reset();
  impl_->settle();
  if (n < impl_->tokens.size()) impl_->cut(n);
}

}  // namespace lq
