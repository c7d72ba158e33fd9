#include "loquor/models/attention_scores.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "attention_watch.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

// Softmax over keys [begin, end) of one query; the rest is 0.
void weigh(const float* q, const AttentionWatch::Heads& h, std::size_t kv_head, std::size_t begin, std::size_t end,
           const AttentionRule& rule, float* out) {
  float most = -INFINITY;
  for (std::size_t j = begin; j < end; ++j) {
    const float* k = h.k.row(j) + kv_head * h.head_dim;
    double dot = 0;
    for (std::size_t i = 0; i < h.head_dim; ++i) dot += static_cast<double>(q[i]) * static_cast<double>(k[i]);
    float s = static_cast<float>(dot) * rule.scale;
    if (rule.soft_cap > 0) s = rule.soft_cap * std::tanh(s / rule.soft_cap);
    out[j] = s;
    most = std::max(most, s);
  }
  double sum = 0;
  for (std::size_t j = begin; j < end; ++j) sum += static_cast<double>(out[j] = std::exp(out[j] - most));
  for (std::size_t j = begin; j < end; ++j) out[j] = static_cast<float>(static_cast<double>(out[j]) / sum);
  std::fill(out, out + begin, 0.0f);
  std::fill(out + end, out + h.k.rows, 0.0f);
}

void check(std::size_t n_tokens, std::size_t n_positions, std::size_t n_layer, std::size_t first_layer,
           std::size_t n_layers) {
  const std::size_t most = std::min(kMaxWatchedTokens, n_positions);
  LQ_CHECK(n_tokens > 0 && n_tokens <= most, Code::invalid_argument, "attention scores: a text of ", n_tokens,
           " tokens, expected 1 to ", most);
  LQ_CHECK(n_layers > 0 && first_layer < n_layer && n_layers <= n_layer - first_layer, Code::invalid_argument,
           "attention scores: ", n_layers, " layers from ", first_layer, " on, but the model has ", n_layer);
}

}  // namespace

void AttentionWatch::layer(const Context& ctx, std::size_t which, const Heads& h, const AttentionRule& rule) const {
  if (which < first_layer || which >= first_layer + n_layers) return;
  const std::size_t t = h.q.rows;
  float* const at = out + (which - first_layer) * h.n_head * t * t;
  ctx.pool().parallel_for(h.n_head * t, 8, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t i = begin; i < end; ++i) {
      const std::size_t head = i / t, row = i % t, seen = h.causal ? row + 1 : t;
      const std::size_t first = rule.window && seen > rule.window ? seen - rule.window : 0;
      weigh(h.q.row(row) + head * h.head_dim, h, head / (h.n_head / h.n_kv_head), first, seen, rule, at + i * t);
    }
  });
}

void attention_scores(const std::shared_ptr<const Decoder>& model, std::span<const std::int32_t> tokens,
                      std::size_t first_layer, std::size_t n_layers, float* out) {
  const DecoderSpec& spec = model->spec();
  check(tokens.size(), spec.n_ctx_train ? spec.n_ctx_train : kMaxWatchedTokens, spec.n_layer, first_layer, n_layers);
  Decoder::Pass pass(model, tokens.size(), 0, tokens.size(), tokens.size());
  const DType kept = model->compute() == Compute::reference ? DType::F32 : DType::F16;
  KvSequence seq(model->context(), model->kv_layout(kept));
  const AttentionWatch watch{first_layer, n_layers, out};
  pass.watch_attention(&watch);
  // All rows must go through the last layer too: their probabilities of any tokens are asked for, and not read.
  const PassSegment segment{&seq, tokens, LogitsFor::all};
  pass.begin({&segment, 1}, {{}, tokens});
  pass.run();
}

void attention_scores(const std::shared_ptr<const Encoder>& model, std::span<const std::int32_t> tokens,
                      std::size_t first_layer, std::size_t n_layers, float* out) {
  const EncoderSpec& spec = model->spec();
  check(tokens.size(), spec.n_ctx, spec.n_layer, first_layer, n_layers);
  Encoder::Pass pass(model, tokens.size());
  const AttentionWatch watch{first_layer, n_layers, out};
  pass.watch_attention(&watch);
  pass.run({&tokens, 1});
}

}  // namespace lq
