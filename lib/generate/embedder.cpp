#include "loquor/generate/embedder.hpp"

#include <algorithm>
#include <numeric>

#include "loquor/core/status.hpp"

namespace lq {

struct Embedder::Impl {
  std::shared_ptr<const Model> model;
  EmbedOptions options;
  Pooling pooling = Pooling::mean;
  std::size_t max_tokens = 0;
  std::unique_ptr<Encoder::Pass> pass;

  std::vector<std::int32_t> tokenize(std::string_view text) const;
};

namespace {

// Longer texts than the model is told to take are cut, as sentence-transformers cuts them.
std::size_t model_limit(const Model& model) {
  const EncoderSpec& spec = model.encoder()->spec();
  const GgufValue* v = model.file().find(str(spec.arch, ".embedding.max_length"));
  const auto n = v ? v->as_uint() : std::nullopt;
  return n && *n >= 2 ? std::min(spec.n_ctx, static_cast<std::size_t>(*n)) : spec.n_ctx;
}

}  // namespace

Embedder::Embedder(std::shared_ptr<const Model> model, EmbedOptions options) {
  LQ_CHECK(model, Code::invalid_argument, "embedder: no model");
  LQ_CHECK(model->encoder(), Code::unsupported,
           "embedder: the model is no text encoder, or only its vocabulary is loaded");
  impl_ = std::make_unique<Impl>();
  Impl& e = *impl_;
  const std::size_t limit = model_limit(*model);
  LQ_CHECK(options.max_tokens == 0 || (options.max_tokens >= 3 && options.max_tokens <= model->encoder()->spec().n_ctx),
           Code::invalid_argument, "embedder: texts of ", options.max_tokens, " tokens, expected 3 to ",
           model->encoder()->spec().n_ctx);
  e.max_tokens = options.max_tokens ? options.max_tokens : limit;
  e.pooling = options.pooling.value_or(model->encoder()->spec().pooling);
  LQ_CHECK(e.pooling != Pooling::none, Code::unsupported,
           "embedder: the model says not how to make one vector of a text; choose a pooling");
  e.pass = std::make_unique<Encoder::Pass>(model->encoder(), std::max(e.max_tokens, options.batch_tokens));
  e.options = options;
  e.model = std::move(model);
}

Embedder::~Embedder() = default;

std::size_t Embedder::dimension() const noexcept { return impl_->model->encoder()->spec().d_model; }
std::size_t Embedder::max_tokens() const noexcept { return impl_->max_tokens; }

std::vector<std::int32_t> Embedder::Impl::tokenize(std::string_view text) const {
  const Tokenizer& t = *model->tokenizer();
  std::vector<std::int32_t> ids = t.encode(text, {.add_special = true});
  if (ids.size() <= max_tokens) return ids.empty() ? std::vector<std::int32_t>{t.unk().value_or(0)} : ids;
  ids.resize(max_tokens);
  if (t.add_eos()) ids.back() = *t.eos();
  return ids;
}

void Embedder::embed(std::span<const std::string_view> texts, float* out, const std::atomic<bool>* cancel) {
  Impl& e = *impl_;
  // Some thousand texts at a time, the longest first: batches of like lengths, whatever the order they come in.
  constexpr std::size_t kWindow = 4096;
  for (std::size_t first = 0; first < texts.size(); first += kWindow) {
    const std::size_t n = std::min(kWindow, texts.size() - first);
    std::vector<std::vector<std::int32_t>> ids(n);
    e.model->context()->pool().parallel_for(n, 16, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t i = begin; i < end; ++i) ids[i] = e.tokenize(texts[first + i]);
    });
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return ids[a].size() > ids[b].size(); });
    for (std::size_t at = 0; at < n;) {
      LQ_CHECK(!cancel || !cancel->load(std::memory_order_relaxed), Code::cancelled, "embedder: cancelled");
      std::vector<std::span<const std::int32_t>> batch;
      std::size_t rows = 0, end = at;
      for (; end < n && batch.size() < Encoder::Pass::kMaxTexts && rows + ids[order[end]].size() <= e.pass->max_rows();
           ++end) {
        batch.push_back(ids[order[end]]);
        rows += batch.back().size();
      }
      e.pass->run(batch);
      for (std::size_t i = at; i < end; ++i)
        e.pass->pool(i - at, e.pooling, e.options.normalize, out + (first + order[i]) * dimension());
      at = end;
    }
  }
}

}  // namespace lq
