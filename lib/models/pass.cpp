// One forward computation: embed, then per layer {norm, QKV, RoPE, cache} {attention, output projection} {norm,
// gate/up} {SwiGLU, down}, then the head in slices, or what is wanted of it. Each brace is one unit of advance().
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>

#include "cost_table.hpp"
#include "decoder_impl.hpp"
#include "head_rows.hpp"
#include "loquor/core/fp_environment.hpp"
#include "loquor/core/status.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/models/score_head.hpp"
#include "pass_input.hpp"

namespace lq {
namespace {

// Weight bytes and multiply-adds of one head slice: about 200 us on one core, whichever of the two binds.
constexpr std::size_t kSliceBytes = std::size_t{2} << 20;
constexpr std::size_t kSliceMacs = 16'000'000;
constexpr std::size_t kMinSlicePanels = 64;  // below this the hand-off to the threads would show
constexpr std::size_t kBlockPanels = kernels::kLogitBlock / 16;

}  // namespace

struct Decoder::Pass::Impl {
  struct Segment {
    KvSequence* seq;
    std::size_t first_row, rows, first_pos;
    LogitsFor logits;
    std::size_t logit_rows() const noexcept { return logits == LogitsFor::all ? rows : logits == LogitsFor::last; }
  };

  std::shared_ptr<const Decoder> model;
  const Context& ctx;
  const DecoderSpec& spec;
  const Weights& weights;
  std::size_t max_rows, max_logits, max_context, max_scores;

  // Workspace; rows of qkv are q | k | v, of ffn gate and up.
  Storage memory;
  float *x = nullptr, *qkv = nullptr, *attn = nullptr, *ffn = nullptr, *selected = nullptr, *logits = nullptr,
        *block_max = nullptr;
  float *cos = nullptr, *sin = nullptr;
  std::span<std::byte> scratch;
  Activations act;
  HeadRows some;                   // for begin(only)
  std::optional<ScoreHead> score;  // for begin(targets)

  // The batch in progress.
  std::vector<Segment> segments;
  std::vector<std::int32_t> ids;
  std::vector<std::size_t> positions;  // of each row
  std::vector<std::size_t> wanted;     // rows whose logits are wanted
  std::vector<AttentionItem> items;
  std::vector<const KvSequence*> sorted;
  KvLayout layout;
  std::size_t depth = 0;  // longest sequence, after this pass

  Stage stage = Stage::done, last_stage = Stage::head;
  std::size_t layer = 0, panel = 0, slice = 0, n_logits = 0;
  bool keep_maxima = false;  // the logits are for sampling
  float* hidden = nullptr;   // residual stream (n_hidden, C): x, or `selected` once only wanted rows are left
  std::size_t n_hidden = 0;
  CostTable costs;

  Impl(std::shared_ptr<const Decoder> m, std::size_t rows, std::size_t logit_rows, std::size_t context,
       std::size_t score_rows);
  void allocate();

  std::size_t q_cols() const noexcept { return spec.n_head * spec.head_dim; }
  std::size_t kv_cols() const noexcept { return spec.n_kv_head * spec.head_dim; }
  std::size_t qkv_cols() const noexcept { return q_cols() + 2 * kv_cols(); }
  std::size_t logit_blocks() const noexcept { return (spec.n_vocab + kernels::kLogitBlock - 1) / kernels::kLogitBlock; }
  static TensorView<float> view(float* p, std::size_t rows, std::size_t cols, std::size_t stride) {
    return {p, rows, cols, stride};
  }
  static TensorView<const float> cview(const float* p, std::size_t rows, std::size_t cols, std::size_t stride) {
    return {p, rows, cols, stride};
  }

  void check_distinct(std::span<const PassSegment> batch);
  void accept(std::span<const PassSegment> batch, const HeadChoice& choice);
  void release() noexcept;
  void step();
  void embed();
  void rope_tables();
  void run_linear(const Linear& linear, TensorView<float> y, Store store, const Linear* next);
  Upcoming head_slice(std::size_t begin) const noexcept;
  void run_qkv();
  void select_rows();
  void make_items(bool only_wanted);
  void run_attend();
  void run_ffn_up();
  void run_ffn_down();
  void final_norm();
  void run_head();
  void find_maxima(std::size_t block_begin, std::size_t block_end);
  void run_some();
  void run_score();
  void finish() noexcept;
};

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
  allocate();
}

// Everything a pass will ever need, so that a token never waits for the allocator.
void Decoder::Pass::Impl::allocate() {
  const std::size_t rope = spec.rope_dim / 2;
  std::size_t scratch_bytes = 0;
  for (DType type : {DType::F16, DType::Q8_0, DType::F32}) {
    if (spec.head_dim % traits(type).block_elems) continue;
    scratch_bytes = std::max(scratch_bytes,
                             attention_scratch_bytes(ctx, model->kv_layout(type), spec.n_head, max_rows, max_context));
  }
  float** const parts[] = {&x, &qkv, &attn, &ffn, &cos, &sin, &selected, &logits, &block_max};
  const std::size_t counts[] = {max_rows * spec.d_model,
                                max_rows * qkv_cols(),
                                max_rows * q_cols(),
                                max_rows * 2 * spec.d_ff,
                                max_rows * rope,
                                max_rows * rope,
                                std::max(max_logits, max_scores) * spec.d_model,
                                max_logits * spec.n_vocab,
                                max_logits * logit_blocks()};
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
  if (max_scores) score.emplace(ctx, weights.head_matrix(), max_scores);
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
    const Segment seg{s.seq, ids.size(), s.tokens.size(), s.seq->length(), s.logits};
    ids.insert(ids.end(), s.tokens.begin(), s.tokens.end());
    for (std::size_t i = 0; i < seg.rows; ++i) positions.push_back(seg.first_pos + i);
    for (std::size_t i = seg.rows - seg.logit_rows(); i < seg.rows; ++i) wanted.push_back(seg.first_row + i);
    depth = std::max(depth, seg.first_pos + seg.rows);
    keep_maxima &= s.logits != LogitsFor::all;  // those are read, not drawn from
    segments.push_back(seg);
  }
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
      embed();
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
      run_head();
      return;
    case Stage::some:
      run_some();
      return;
    case Stage::score:
      run_score();
      return;
    case Stage::done:
      return;
  }
}

void Decoder::Pass::Impl::embed() {
  ctx.pool().parallel_for(ids.size(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r)
      weights.embedding.row(ctx, static_cast<std::size_t>(ids[r]), x + r * spec.d_model);
  });
  rope_tables();
  make_items(false);
}

// Angles in double: at position 8,192 a float product would already be off by 5e-4 radians.
void Decoder::Pass::Impl::rope_tables() {
  const std::size_t half = spec.rope_dim / 2;
  ctx.pool().parallel_for(ids.size(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r)
      for (std::size_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(positions[r]) * weights.rope_inverse[i];
        cos[r * half + i] = static_cast<float>(std::cos(angle));
        sin[r * half + i] = static_cast<float>(std::sin(angle));
      }
  });
}

// `next`: what will be multiplied by after it; nullptr: the head.
void Decoder::Pass::Impl::run_linear(const Linear& linear, TensorView<float> y, Store store, const Linear* next) {
  std::size_t column = 0;
  for (const PackedMatrix& part : linear.parts) {
    const PackedMatrix* after = next ? next->parts.data() : nullptr;
    if (&part != &linear.parts.back()) after = &part + 1;
    matmul_panels(ctx, part, act, view(y.data + column, y.rows, part.rows(), y.stride), 0, part.panels(), store,
                  linear.bias ? linear.bias + column : nullptr,
                  after ? after->upcoming(0, after->panels()) : head_slice(0));
    column += part.rows();
  }
}

// What the head's slice from panel `begin` on will read; after the last one, the next token's first layer.
Upcoming Decoder::Pass::Impl::head_slice(std::size_t begin) const noexcept {
  const PackedMatrix& head = weights.head_matrix();
  if (begin < head.panels()) return head.upcoming(begin, std::min(head.panels(), begin + slice));
  const PackedMatrix& first = weights.layers.front().qkv.parts.front();
  return first.upcoming(0, first.panels());
}

void Decoder::Pass::Impl::run_qkv() {
  const LayerWeights& w = weights.layers[layer];
  const std::size_t stride = qkv_cols();
  rms_norm(ctx, cview(hidden, n_hidden, spec.d_model, spec.d_model), w.attn_norm, spec.norm_eps, act);
  run_linear(w.qkv, view(qkv, n_hidden, stride, stride), Store::assign, &w.o);
  float* const k = qkv + q_cols();
  float* const v = k + kv_cols();
  rope(ctx, view(qkv, n_hidden, q_cols(), stride), spec.n_head, spec.head_dim, spec.rope_dim, cos, sin,
       spec.rope_style);
  rope(ctx, view(k, n_hidden, kv_cols(), stride), spec.n_kv_head, spec.head_dim, spec.rope_dim, cos, sin,
       spec.rope_style);
  for (const Segment& s : segments)
    kv_store(ctx, layout, layer, s.seq->pages(), s.first_pos,
             cview(k + s.first_row * stride, s.rows, kv_cols(), stride),
             cview(v + s.first_row * stride, s.rows, kv_cols(), stride));
}

// In the last layer, once keys and values are stored, only the rows whose logits are wanted matter.
void Decoder::Pass::Impl::select_rows() {
  if (wanted.size() == n_hidden) return;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    std::memcpy(selected + i * spec.d_model, x + wanted[i] * spec.d_model, spec.d_model * sizeof(float));
  hidden = selected;
  n_hidden = wanted.size();
  make_items(true);
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

void Decoder::Pass::Impl::run_attend() {
  attention(ctx, layout, layer, items, spec.n_head, {.scale = spec.attention_scale}, scratch);
  set_activations(ctx, cview(attn, n_hidden, q_cols(), q_cols()), act);
  run_linear(weights.layers[layer].o, view(hidden, n_hidden, spec.d_model, spec.d_model), Store::add,
             &weights.layers[layer].gate_up);
}

void Decoder::Pass::Impl::run_ffn_up() {
  const LayerWeights& w = weights.layers[layer];
  rms_norm(ctx, cview(hidden, n_hidden, spec.d_model, spec.d_model), w.ffn_norm, spec.norm_eps, act);
  run_linear(w.gate_up, view(ffn, n_hidden, 2 * spec.d_ff, 2 * spec.d_ff), Store::assign, &w.down);
}

void Decoder::Pass::Impl::run_ffn_down() {
  const LayerWeights& w = weights.layers[layer];
  const std::size_t stride = 2 * spec.d_ff;
  if (w.gate_up.interleaved)
    swiglu(ctx, cview(ffn, n_hidden, stride, stride), act);
  else
    swiglu(ctx, cview(ffn, n_hidden, spec.d_ff, stride), cview(ffn + spec.d_ff, n_hidden, spec.d_ff, stride), act);
  run_linear(w.down, view(hidden, n_hidden, spec.d_model, spec.d_model), Store::add,
             layer + 1 < spec.n_layer ? &weights.layers[layer + 1].qkv : nullptr);
}

void Decoder::Pass::Impl::final_norm() {
  rms_norm(ctx, cview(hidden, n_hidden, spec.d_model, spec.d_model), weights.final_norm, spec.norm_eps, act);
}

void Decoder::Pass::Impl::run_head() {
  const PackedMatrix& head = weights.head_matrix();
  if (panel == 0) final_norm();
  const std::size_t end = std::min(head.panels(), panel + slice);
  matmul_panels(ctx, head, act, view(logits, n_hidden, spec.n_vocab, spec.n_vocab), panel, end, Store::assign, nullptr,
                head_slice(end));
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
    matmul_panels(ctx, weights.head_matrix(), act, view(logits, n_hidden, spec.n_vocab, spec.n_vocab), begin, panel);
  }
  if (panel == some.runs().back().end) finish();
}

void Decoder::Pass::Impl::run_score() {
  if (panel == 0) final_norm();
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
