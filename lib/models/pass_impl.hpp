// A forward computation in progress. Shared by pass.cpp, pass_layers.cpp and pass_experts.cpp only.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "attention_watch.hpp"
#include "cost_table.hpp"
#include "decoder_impl.hpp"
#include "head_rows.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/models/adapter.hpp"
#include "loquor/models/pass_profile.hpp"
#include "loquor/models/score_head.hpp"

namespace lq {

struct Decoder::Pass::Impl {
  struct Segment {
    KvSequence* seq;
    std::size_t first_row, rows, first_pos;
    LogitsFor logits;
    std::span<const AdapterUse> adapters;
    std::size_t logit_rows() const noexcept { return logits == LogitsFor::all ? rows : logits == LogitsFor::last; }
  };

  std::shared_ptr<const Decoder> model;
  const Context& ctx;
  const DecoderSpec& spec;
  const Weights& weights;
  std::size_t max_rows, max_logits, max_context, max_scores;

  // Workspace; rows of qkv are q | k | v, of ffn gate and up. temp (rows, C) is what a half of a layer adds, or a
  // norm's output; expert (2 rows, C) what experts see and what they make of it, routes (rows, n_expert) whose turn it
  // is.
  Storage memory;
  float *x = nullptr, *qkv = nullptr, *attn = nullptr, *ffn = nullptr, *selected = nullptr, *logits = nullptr,
        *block_max = nullptr, *temp = nullptr, *expert = nullptr, *routes = nullptr;
  // Of each table of angles: rows of rope_dim/2.
  float *cos[2] = {}, *sin[2] = {};
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
  // Rows of the residual stream and the adapters that they go through.
  struct AdaptedRows {
    std::size_t first, rows;
    std::span<const AdapterUse> adapters;
  };
  std::vector<AdaptedRows> adapted;
  std::vector<float> low;  // (rows, rank), what comes out of an adapter's first matrix
  std::vector<const KvSequence*> sorted;
  KvLayout layout;
  std::size_t depth = 0;  // longest sequence, after this pass

  Stage stage = Stage::done, last_stage = Stage::head;
  std::size_t layer = 0, panel = 0, slice = 0, n_logits = 0;
  bool keep_maxima = false;  // the logits are for sampling
  float* hidden = nullptr;   // residual stream (n_hidden, C): x, or `selected` once only wanted rows are left
  std::size_t n_hidden = 0;
  CostTable costs;
  PassProfile* profile = nullptr;
  const AttentionWatch* watch = nullptr;
  double touched = 0;  // bytes of weights, keys and values that had to be read so far

  Impl(std::shared_ptr<const Decoder> m, std::size_t rows, std::size_t logit_rows, std::size_t context,
       std::size_t score_rows);
  void allocate();

  std::size_t q_cols() const noexcept { return spec.n_head * spec.head_dim; }
  std::size_t kv_cols() const noexcept { return spec.n_kv_head * spec.head_dim; }
  std::size_t qkv_cols() const noexcept { return q_cols() + 2 * kv_cols(); }
  std::size_t logit_blocks() const noexcept { return (spec.n_vocab + kernels::kLogitBlock - 1) / kernels::kLogitBlock; }
  // The residual stream.
  TensorView<float> stream() const noexcept { return view(hidden, n_hidden, spec.d_model, spec.d_model); }
  TensorView<const float> const_stream() const noexcept { return cview(hidden, n_hidden, spec.d_model, spec.d_model); }
  // What a layer adds to it waits there while something else still needs it as it was, or to be changed itself.
  bool deferred() const noexcept { return spec.parallel || spec.post_norm || spec.residual_scale != 1; }
  bool needs_temp() const noexcept { return deferred() || spec.norm == NormKind::layer || spec.n_expert; }
  static TensorView<float> view(float* p, std::size_t rows, std::size_t cols, std::size_t stride) {
    return {p, rows, cols, stride};
  }
  static TensorView<const float> cview(const float* p, std::size_t rows, std::size_t cols, std::size_t stride) {
    return {p, rows, cols, stride};
  }

  // Runs fn() as that part of the pass.
  template <class Fn>
  void as(PassPart part, const Fn& fn) {
    if (!profile) return fn();
    const auto start = std::chrono::steady_clock::now();
    const double before = touched;
    fn();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    profile->add(part, took.count(), touched - before);
  }

  void check_distinct(std::span<const PassSegment> batch);
  void accept(std::span<const PassSegment> batch, const HeadChoice& choice);
  void release() noexcept;
  void step();
  void embed();
  void rope_tables();
  void run_linear(const Linear& linear, TensorView<float> y, Store store, const Linear* next);
  void adapt(Adapter::LowRank Adapter::Layer::*which, TensorView<float> y);
  void find_adapted(bool only_wanted);
  void reserve_adapters(std::span<const PassSegment> batch);
  Upcoming head_slice(std::size_t begin) const noexcept;
  const RopeTable& rope_table(int which) const noexcept;
  void apply_norm(const NormWeights& w);
  void norm(const NormWeights& w);
  void rotate(float* x, std::size_t heads);
  void run_qkv();
  void place_heads(const LayerWeights& w);
  void select_rows();
  void make_items(bool only_wanted);
  void run_attend();
  void attention_out(const LayerWeights& w, const Linear* next);
  void run_ffn_up();
  void run_ffn_down();
  void add_half(const Linear& linear, const NormWeights& post, const Linear* next,
                Adapter::LowRank Adapter::Layer::*which);
  void activate(bool interleaved, std::size_t rows);
  void run_experts();
  void choose_experts(float* scores) const noexcept;
  void cap_logits(std::size_t panel_begin, std::size_t panel_end);
  void final_norm();
  void run_head();
  void find_maxima(std::size_t block_begin, std::size_t block_end);
  void run_some();
  void run_score();
  void finish() noexcept;
};

}  // namespace lq
