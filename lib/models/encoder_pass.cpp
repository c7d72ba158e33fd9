// The forward pass of an encoder: embeddings, then per layer attention over the whole text and a feed-forward block,
// each followed by the residual sum and a norm. Texts lie one after another in the rows of all matrices, without
// padding.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "attention_watch.hpp"
#include "encoder_impl.hpp"
#include "loquor/core/fp_environment.hpp"
#include "loquor/core/status.hpp"

namespace lq {

struct Encoder::Pass::Impl {
  struct Text {
    std::size_t first, rows;
  };

  std::shared_ptr<const Encoder> model;
  const Context& ctx;
  const EncoderSpec& spec;
  const Encoder::Impl& weights;
  std::size_t max_rows;

  Storage memory;
  float *x = nullptr, *qkv = nullptr, *attn = nullptr, *ffn = nullptr;  // x (T, C); rows of qkv are q | k | v
  KvLayout layout;                                                      // keys and values of one layer at a time
  Activations act;
  const AttentionWatch* watch = nullptr;

  std::vector<Text> batch;
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> positions;
  std::vector<std::byte*> pages;  // all of them
  std::vector<AttentionItem> items;

  Impl(std::shared_ptr<const Encoder> m, std::size_t rows);
  void accept(std::span<const std::span<const std::int32_t>> texts);
  void embed();
  void attend(const EncoderLayer& layer);
  void feed_forward(const EncoderLayer& layer);
  void run_linear(const Linear& linear, TensorView<float> y, Store store);
  void norm(const NormWeights& w);

  std::size_t rows() const noexcept { return ids.size(); }
  static TensorView<float> view(float* p, std::size_t rows, std::size_t cols) { return {p, rows, cols, cols}; }
  static TensorView<const float> cview(const float* p, std::size_t rows, std::size_t cols, std::size_t stride) {
    return {p, rows, cols, stride};
  }
};

Encoder::Pass::Impl::Impl(std::shared_ptr<const Encoder> m, std::size_t rows)
    : model(std::move(m)), ctx(model->context()), spec(model->spec()), weights(*model->impl_), max_rows(rows) {
  constexpr std::size_t kMaxRows = 1 << 16;
  LQ_CHECK(rows > 0 && rows <= kMaxRows, Code::invalid_argument, "pass: ", rows, " rows, expected 1 to ", kMaxRows);
  layout.type = DType::F32;
  layout.n_layer = 1;
  layout.n_kv_head = spec.n_head;
  layout.head_dim = spec.head_dim;
  const std::size_t counts[] = {rows * spec.d_model, rows * 3 * spec.d_model, rows * spec.d_model, rows * spec.d_ff};
  float** const parts[] = {&x, &qkv, &attn, &ffn};
  // Each text begins a page of its own; the shortest have one token.
  const std::size_t n_pages = rows / KvLayout::kPageTokens + std::min(rows, kMaxTexts) + 1;
  std::size_t total = 0;
  for (const std::size_t n : counts) total += align_floats(n);
  memory = ctx.allocate(total * sizeof(float) + n_pages * layout.bytes_per_page(), true);
  float* at = reinterpret_cast<float*>(memory.data());
  for (std::size_t i = 0; i < std::size(counts); ++i) {
    *parts[i] = at;
    at += align_floats(counts[i]);
  }
  for (std::size_t i = 0; i < n_pages; ++i)
    pages.push_back(reinterpret_cast<std::byte*>(at) + i * layout.bytes_per_page());
  act = Activations(ctx, rows, std::max(spec.d_model, spec.d_ff), weights.compute);
  ids.reserve(rows);
  positions.reserve(rows);
  batch.reserve(std::min(rows, kMaxTexts));
  items.reserve(std::min(rows, kMaxTexts));
}

void Encoder::Pass::Impl::accept(std::span<const std::span<const std::int32_t>> texts) {
  batch.clear();
  ids.clear();
  positions.clear();
  items.clear();
  std::size_t total = 0;
  LQ_CHECK(texts.size() <= kMaxTexts, Code::invalid_argument, "pass: ", texts.size(), " texts, at most ", kMaxTexts);
  for (const auto& text : texts) {
    LQ_CHECK(!text.empty() && text.size() <= spec.n_ctx, Code::invalid_argument, "pass: a text of ", text.size(),
             " tokens, expected 1 to ", spec.n_ctx);
    total += text.size();
    LQ_CHECK(total <= max_rows, Code::invalid_argument, "pass: more than the ", max_rows, " tokens there is room for");
    for (const std::int32_t id : text)
      LQ_CHECK(id >= 0 && static_cast<std::size_t>(id) < spec.n_vocab, Code::invalid_argument, "pass: token ", id,
               " is outside the vocabulary of ", spec.n_vocab);
  }
  std::size_t page = 0;
  for (const auto& text : texts) {
    batch.push_back({ids.size(), text.size()});
    for (std::size_t i = 0; i < text.size(); ++i) positions.push_back(static_cast<std::uint32_t>(i));
    const std::size_t first = ids.size(), width = spec.d_model;
    ids.insert(ids.end(), text.begin(), text.end());
    items.push_back({cview(qkv + first * 3 * width, text.size(), width, 3 * width),
                     view(attn + first * width, text.size(), width), 0, pages.data() + page, text.size()});
    page += (text.size() + KvLayout::kPageTokens - 1) / KvLayout::kPageTokens;
  }
}

void Encoder::Pass::Impl::norm(const NormWeights& w) {
  layer_norm(ctx, cview(x, rows(), spec.d_model, spec.d_model), w.weight, w.bias, spec.norm_eps,
             view(x, rows(), spec.d_model));
}

void Encoder::Pass::Impl::run_linear(const Linear& linear, TensorView<float> y, Store store) {
  std::size_t column = 0;
  for (const PackedMatrix& part : linear.parts) {
    matmul(ctx, part, act, {y.data + column, y.rows, part.rows(), y.stride}, store,
           linear.bias ? linear.bias + column : nullptr);
    column += part.rows();
  }
}

void Encoder::Pass::Impl::embed() {
  const std::size_t width = spec.d_model;
  ctx.pool().parallel_for(rows(), 16, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r) {
      float* row = x + r * width;
      weights.embedding.row(ctx, static_cast<std::size_t>(ids[r]), row);
      const float* position = weights.positions + positions[r] * width;
      // In the order of the model's own code: types first.
      for (std::size_t i = 0; i < width; ++i) row[i] = (row[i] + (weights.types ? weights.types[i] : 0)) + position[i];
    }
  });
  norm(weights.embedding_norm);
}

void Encoder::Pass::Impl::attend(const EncoderLayer& layer) {
  const std::size_t width = spec.d_model, stride = 3 * width;
  set_activations(ctx, cview(x, rows(), width, width), act);
  run_linear(layer.qkv, view(qkv, rows(), stride), Store::assign);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const float* k = qkv + batch[i].first * stride + width;
    // The pages of an item are this object's own.
    kv_store(ctx, layout, 0, const_cast<std::byte* const*>(items[i].pages), 0, cview(k, batch[i].rows, width, stride),
             cview(k + width, batch[i].rows, width, stride));
  }
  const AttentionRule rule{.scale = 1.0f / std::sqrt(static_cast<float>(spec.head_dim))};
  if (watch)
    watch->layer(ctx, static_cast<std::size_t>(&layer - weights.layers.data()),
                 {cview(qkv, rows(), width, stride), cview(qkv + width, rows(), width, stride), spec.n_head,
                  spec.n_head, spec.head_dim, false},
                 rule);
  attention(ctx, layout, 0, items, spec.n_head, rule, {});
  set_activations(ctx, cview(attn, rows(), width, width), act);
  run_linear(layer.o, view(x, rows(), width), Store::add);
  norm(layer.attn_norm);
}

void Encoder::Pass::Impl::feed_forward(const EncoderLayer& layer) {
  set_activations(ctx, cview(x, rows(), spec.d_model, spec.d_model), act);
  run_linear(layer.up, view(ffn, rows(), spec.d_ff), Store::assign);
  gelu(ctx, cview(ffn, rows(), spec.d_ff, spec.d_ff), spec.gelu_tanh, view(ffn, rows(), spec.d_ff));
  set_activations(ctx, cview(ffn, rows(), spec.d_ff, spec.d_ff), act);
  run_linear(layer.down, view(x, rows(), spec.d_model), Store::add);
  norm(layer.ffn_norm);
}

Encoder::Pass::Pass(std::shared_ptr<const Encoder> model, std::size_t max_rows) {
  LQ_CHECK(model, Code::invalid_argument, "pass: no model");
  impl_ = std::make_unique<Impl>(std::move(model), max_rows);
}

Encoder::Pass::~Pass() = default;

void Encoder::Pass::run(std::span<const std::span<const std::int32_t>> texts) {
  Impl& p = *impl_;
  const FpEnvironment fp;
  try {
    p.accept(texts);
    if (texts.empty()) return;
    p.embed();
    for (const EncoderLayer& layer : p.weights.layers) {
      p.attend(layer);
      p.feed_forward(layer);
    }
  } catch (...) {
    p.batch.clear();
    throw;
  }
}

void Encoder::Pass::watch_attention(const AttentionWatch* watch) noexcept { impl_->watch = watch; }

TensorView<const float> Encoder::Pass::hidden(std::size_t i) const noexcept {
  const Impl& p = *impl_;
  if (i >= p.batch.size()) return {};
  return Impl::cview(p.x + p.batch[i].first * p.spec.d_model, p.batch[i].rows, p.spec.d_model, p.spec.d_model);
}

void Encoder::Pass::pool(std::size_t i, Pooling pooling, bool normalize, float* out) const noexcept {
  const TensorView<const float> h = hidden(i);
  if (pooling == Pooling::mean) {
    std::fill_n(out, h.cols, 0.0f);
    for (std::size_t r = 0; r < h.rows; ++r)
      for (std::size_t c = 0; c < h.cols; ++c) out[c] += h(r, c);
    for (std::size_t c = 0; c < h.cols; ++c) out[c] /= static_cast<float>(h.rows);
  } else {
    std::memcpy(out, h.row(pooling == Pooling::last ? h.rows - 1 : 0), h.cols * sizeof(float));
  }
  if (!normalize) return;
  double square = 0;
  for (std::size_t c = 0; c < h.cols; ++c) square += static_cast<double>(out[c]) * out[c];
  const float scale = square > 0 ? static_cast<float>(1.0 / std::sqrt(square)) : 0.0f;
  for (std::size_t c = 0; c < h.cols; ++c) out[c] *= scale;
}

std::size_t Encoder::Pass::texts() const noexcept { return impl_->batch.size(); }
std::size_t Encoder::Pass::max_rows() const noexcept { return impl_->max_rows; }
std::size_t Encoder::Pass::nbytes() const noexcept { return impl_->memory.size() + impl_->act.storage_.size(); }

}  // namespace lq
