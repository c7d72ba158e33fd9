// One forward computation: embed, then per layer {norm, QKV, RoPE, cache} {attention, output projection} {norm,
// gate/up} {SwiGLU, down}, then the head in slices, or what is wanted of it. Each brace is one unit of advance().
#include <algorithm>
#include <chrono>
#include <cstring>

#include "loquor/core/fp_environment.hpp"
#include "loquor/core/status.hpp"
#include "pass_impl.hpp"
#include "pass_input.hpp"

namespace lq {
namespace {

// Weight bytes and multiply-adds of one head slice: about 200 us on one core, whichever of the two binds.
constexpr std::size_t kSliceBytes = std::size_t{2} << 20;
constexpr std::size_t kSliceMacs = 16'000'000;
constexpr std::size_t kMinSlicePanels = 64;  // below this the hand-off to the threads would show
constexpr std::size_t kBlockPanels = kernels::kLogitBlock / 16;

}  // namespace

Decoder::Pass::Impl::Impl(std::shared_ptr<const Decoder> m, std::size_t rows, std::size_t logit_rows,
                          std::size_t context, std::size_t score_rows)
    : model(std::move(m)),
      ctx(model->context()),
      spec(model->spec()),
      weights(model->impl_->weights),
      max_rows(rows),
      max_logits(logit_rows),
      max_context(context),
      max_scores(score_rows),
      some(weights.head_matrix().panels()) {
  constexpr std::size_t kMaxRows = 1 << 16;
  LQ_CHECK(rows > 0 && rows <= kMaxRows, Code::invalid_argument, "pass: ", rows, " rows, expected 1 to ", kMaxRows);
  LQ_CHECK(logit_rows <= rows && score_rows <= rows, Code::invalid_argument, "pass: ", std::max(logit_rows, score_rows),
           " rows of logits of ", rows, " rows");
  LQ_CHECK(context > 0 && context <= KvSequence::kMaxTokens, Code::invalid_argument, "pass: context of ", context,
           " tokens, expected 1 to ", KvSequence::kMaxTokens);
  LQ_CHECK(!spec.learned_positions || context <= spec.n_ctx_train, Code::invalid_argument, "pass: context of ", context,
           " tokens, but the model has only ", spec.n_ctx_train, " positions");
  allocate();
}

// Everything a pass will ever need, so that a token never waits for the allocator.
void Decoder::Pass::Impl::allocate() {
  const std::size_t rope = spec.rope_dim / 2;
  const bool local =
      std::any_of(spec.layers.begin(), spec.layers.end(), [](const LayerSpec& l) { return l.rope == 1; });
  std::size_t scratch_bytes = 0;
  for (DType type : {DType::F16, DType::Q8_0, DType::F32}) {
    if (spec.head_dim % traits(type).block_elems) continue;
    scratch_bytes = std::max(scratch_bytes,
                             attention_scratch_bytes(ctx, model->kv_layout(type), spec.n_head, max_rows, max_context));
  }
  float** const parts[] = {&x,      &qkv,      &attn,   &ffn,       &cos[0], &sin[0], &cos[1],
                           &sin[1], &selected, &logits, &block_max, &temp,   &expert, &routes};
  const std::size_t counts[] = {max_rows * spec.d_model,
                                max_rows * qkv_cols(),
                                max_rows * q_cols(),
                                max_rows * 2 * spec.d_ff,
                                max_rows * rope,
                                max_rows * rope,
                                local ? max_rows * rope : 0,
                                local ? max_rows * rope : 0,
                                std::max(max_logits, max_scores) * spec.d_model,
                                max_logits * spec.n_vocab,
                                max_logits * logit_blocks(),
                                needs_temp() ? max_rows * spec.d_model : 0,
                                spec.n_expert ? 2 * max_rows * spec.d_model : 0,
                                spec.n_expert * max_rows};
  std::size_t total = 0;
  for (std::size_t n : counts) total += align_floats(n);
  memory = ctx.allocate(total * sizeof(float) + scratch_bytes, true);
  float* at = reinterpret_cast<float*>(memory.data());
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    *parts[i] = at;
    at += align_floats(counts[i]);
  }
  scratch = {reinterpret_cast<std::byte*>(at), scratch_bytes};
  act = Activations(ctx, max_rows, std::max({spec.d_model, q_cols(), spec.d_ff}), model->compute());
  if (max_scores) score.emplace(ctx, weights.head_matrix(), max_scores, spec.logit_cap);
  segments.reserve(max_rows);
  ids.reserve(max_rows);
  positions.reserve(max_rows);
  wanted.reserve(max_rows);
  items.reserve(max_rows);
  sorted.reserve(max_rows);
}

void Decoder::Pass::Impl::check_distinct(std::span<const PassSegment> batch) {
  sorted.clear();
  for (const PassSegment& s : batch) sorted.push_back(s.seq);
  std::sort(sorted.begin(), sorted.end());
  LQ_CHECK(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), Code::invalid_argument,
           "pass: a sequence is in the batch twice");
}

void Decoder::Pass::Impl::accept(std::span<const PassSegment> batch, const HeadChoice& choice) {
  segments.clear();
  ids.clear();
  positions.clear();
  wanted.clear();
  depth = 0;
  keep_maxima = true;
  layout = batch[0].seq->layout();
  for (const PassSegment& s : batch) {
    const Segment seg{s.seq, ids.size(), s.tokens.size(), s.seq->length(), s.logits, s.adapters};
    ids.insert(ids.end(), s.tokens.begin(), s.tokens.end());
    for (std::size_t i = 0; i < seg.rows; ++i) positions.push_back(seg.first_pos + i);
    for (std::size_t i = seg.rows - seg.logit_rows(); i < seg.rows; ++i) wanted.push_back(seg.first_row + i);
    depth = std::max(depth, seg.first_pos + seg.rows);
    keep_maxima &= s.logits != LogitsFor::all;  // those are read, not drawn from
    segments.push_back(seg);
  }
  find_adapted(false);
  n_logits = 0;
  hidden = x;
  n_hidden = ids.size();
  layer = panel = 0;
  const PackedMatrix& head = weights.head_matrix();
  const std::size_t by_macs = kSliceMacs / (16 * spec.d_model * std::max<std::size_t>(wanted.size(), 1));
  slice = std::max(kMinSlicePanels, std::min(kSliceBytes / std::max<std::size_t>(head.panel_bytes(), 1), by_macs));
  slice -= slice % kBlockPanels;
  if (!choice.only.empty()) some.select(choice.only);
  if (!choice.targets.empty()) score->begin(choice.targets);
  last_stage = !choice.targets.empty() ? Stage::score : !choice.only.empty() ? Stage::some : Stage::head;
  keep_maxima &= last_stage == Stage::head;
  stage = Stage::embed;
}

void Decoder::Pass::Impl::release() noexcept {
  for (Segment& s : segments) s.seq->truncate(s.first_pos);
  segments.clear();
  stage = Stage::done;
  n_logits = 0;
}

void Decoder::Pass::Impl::step() {
  switch (stage) {
    case Stage::embed:
      as(PassPart::embedding, [&] { embed(); });
      stage = Stage::qkv;
      return;
    case Stage::qkv:
      run_qkv();
      stage = Stage::attend;
      if (layer + 1 == spec.n_layer) select_rows();
      if (n_hidden == 0) finish();
      return;
    case Stage::attend:
      run_attend();
      stage = Stage::ffn_up;
      return;
    case Stage::ffn_up:
      run_ffn_up();
      stage = Stage::ffn_down;
      return;
    case Stage::ffn_down:
      run_ffn_down();
      stage = ++layer < spec.n_layer ? Stage::qkv : last_stage;
      return;
    case Stage::head:
      return as(PassPart::head, [&] { run_head(); });
    case Stage::some:
      return as(PassPart::head, [&] { run_some(); });
    case Stage::score:
      return as(PassPart::head, [&] { run_score(); });
    case Stage::done:
      return;
  }
}

// In the last layer, once keys and values are stored, only the rows whose logits are wanted matter.
void Decoder::Pass::Impl::select_rows() {
  if (wanted.size() == n_hidden) return;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    std::memcpy(selected + i * spec.d_model, x + wanted[i] * spec.d_model, spec.d_model * sizeof(float));
  hidden = selected;
  n_hidden = wanted.size();
  make_items(true);
  find_adapted(true);
}

void Decoder::Pass::Impl::make_items(bool only_wanted) {
  items.clear();
  std::size_t out_row = 0;
  for (const Segment& s : segments) {
    const std::size_t n = only_wanted ? s.logit_rows() : s.rows;
    if (n == 0) continue;
    const std::size_t skip = s.rows - n;
    items.push_back({cview(qkv + (s.first_row + skip) * qkv_cols(), n, q_cols(), qkv_cols()),
                     view(attn + out_row * q_cols(), n, q_cols(), q_cols()), s.first_pos + skip, s.seq->pages()});
    out_row += n;
  }
}

void Decoder::Pass::Impl::run_head() {
  const PackedMatrix& head = weights.head_matrix();
  if (panel == 0) final_norm();
  const std::size_t end = std::min(head.panels(), panel + slice);
  matmul_panels(ctx, head, act, view(logits, n_hidden, spec.n_vocab, spec.n_vocab), panel, end, Store::assign, nullptr,
                head_slice(end));
  touched += static_cast<double>((end - panel) * head.panel_bytes());
  cap_logits(panel, end);
  if (keep_maxima) find_maxima(panel / kBlockPanels, (end + kBlockPanels - 1) / kBlockPanels);
  panel = end;
  if (panel == head.panels()) finish();
}

// While the slice is still in the cache of the thread that wrote it: threads share the blocks as they did the panels.
void Decoder::Pass::Impl::find_maxima(std::size_t block_begin, std::size_t block_end) {
  const KernelTable& k = ctx.kernels();
  ctx.pool().parallel_for(block_end - block_begin, [&](std::size_t begin, std::size_t end, unsigned) {
    const std::size_t first = block_begin + begin, token = first * kernels::kLogitBlock;
    const std::size_t n = std::min((end - begin) * kernels::kLogitBlock, spec.n_vocab - token);
    for (std::size_t r = 0; r < n_hidden; ++r)
      k.block_max(logits + r * spec.n_vocab + token, n, block_max + r * logit_blocks() + first);
  });
}

// As run_head, but only the runs of panels that were chosen; `panel` is where the next one may begin.
void Decoder::Pass::Impl::run_some() {
  if (panel == 0) final_norm();
  std::size_t room = slice;
  for (const PanelRange& run : some.runs()) {
    if (run.end <= panel) continue;
    if (room == 0) return;
    const std::size_t begin = std::max(panel, run.begin);
    panel = std::min(run.end, begin + room);
    room -= panel - begin;
    touched += static_cast<double>((panel - begin) * weights.head_matrix().panel_bytes());
    matmul_panels(ctx, weights.head_matrix(), act, view(logits, n_hidden, spec.n_vocab, spec.n_vocab), begin, panel);
    cap_logits(begin, panel);
  }
  if (panel == some.runs().back().end) finish();
}

void Decoder::Pass::Impl::run_score() {
  if (panel == 0) final_norm();
  const PackedMatrix& head = weights.head_matrix();
  touched += static_cast<double>((std::min(head.panels(), panel + slice) - panel) * head.panel_bytes());
  panel += slice;
  if (score->advance(act, slice)) finish();
}

void Decoder::Pass::Impl::finish() noexcept {
  for (Segment& s : segments) s.seq->commit(s.rows);
  segments.clear();
  n_logits = last_stage == Stage::score ? 0 : wanted.size();
  stage = Stage::done;
}

Decoder::Pass::Pass(std::shared_ptr<const Decoder> model, std::size_t max_rows, std::size_t max_logits,
                    std::size_t max_context, std::size_t max_scores) {
  LQ_CHECK(model, Code::invalid_argument, "pass: no model");
  impl_ = std::make_unique<Impl>(std::move(model), max_rows, max_logits, max_context, max_scores);
}

Decoder::Pass::~Pass() { abandon(); }

void Decoder::Pass::begin(std::span<const PassSegment> segments, const HeadChoice& choice) {
  Impl& p = *impl_;
  check_batch(segments, choice, *p.model, {p.max_rows, p.max_logits, p.max_context, p.max_scores});
  p.check_distinct(segments);
  p.reserve_adapters(segments);
  abandon();
  std::size_t reserved = 0;
  try {
    for (; reserved < segments.size(); ++reserved) segments[reserved].seq->reserve(segments[reserved].tokens.size());
  } catch (...) {
    for (std::size_t i = 0; i < reserved; ++i) segments[i].seq->truncate(segments[i].seq->length());
    throw;
  }
  p.accept(segments, choice);
}

bool Decoder::Pass::advance() {
  Impl& p = *impl_;
  if (p.stage == Stage::done) return true;
  const FpEnvironment fp;
  const auto start = std::chrono::steady_clock::now();
  float& cost = p.costs.at(p.stage, p.n_hidden, p.depth);
  try {
    p.step();
  } catch (...) {
    p.release();
    throw;
  }
  CostTable::update(cost, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  return p.stage == Stage::done;
}

void Decoder::Pass::profile_into(PassProfile* profile) noexcept { impl_->profile = profile; }

void Decoder::Pass::watch_attention(const AttentionWatch* watch) noexcept { impl_->watch = watch; }

bool Decoder::Pass::done() const noexcept { return impl_->stage == Stage::done; }

void Decoder::Pass::abandon() noexcept {
  if (impl_ && impl_->stage != Stage::done) impl_->release();
}

double Decoder::Pass::next_unit_us() const noexcept {
  Impl& p = *impl_;
  return p.stage == Stage::done ? 0.0 : p.costs.at(p.stage, p.n_hidden, p.depth);
}

LogitsRow Decoder::Pass::row(std::size_t i) const noexcept {
  const Impl& p = *impl_;
  if (i >= p.n_logits) return {};
  LogitsRow row{{p.logits + i * p.spec.n_vocab, p.spec.n_vocab}, {}};
  if (p.keep_maxima) row.block_max = {p.block_max + i * p.logit_blocks(), p.logit_blocks()};
  return row;
}

std::size_t Decoder::Pass::logits_rows() const noexcept { return impl_->n_logits; }
std::span<const double> Decoder::Pass::logprobs() const noexcept {
  const Impl& p = *impl_;
  if (!p.score || p.stage != Stage::done || p.last_stage != Stage::score) return {};
  return p.score->logprobs();
}
std::size_t Decoder::Pass::max_rows() const noexcept { return impl_->max_rows; }
std::size_t Decoder::Pass::nbytes() const noexcept {
  return impl_->memory.size() + impl_->act.storage_.size() + (impl_->score ? impl_->score->nbytes() : 0);
}

}  // namespace lq
