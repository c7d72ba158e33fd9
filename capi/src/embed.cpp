#include "lq_embed.h"

#include "args.hpp"
#include "loquor/generate/embedder.hpp"
#include "model.hpp"

namespace lq::capi {

namespace {

struct EmbedderObject final : Object {
  static constexpr Kind kKind = Kind::embedder;
  EmbedderObject(std::shared_ptr<const Model> model, const EmbedOptions& options)
      : Object(kKind), embedder(std::move(model), options) {}
  Embedder embedder;
};

std::optional<Pooling> pooling_arg(const Call& call, const char* text) {
  if (!text || !*text) return std::nullopt;
  const std::string name = name_arg(call, text, "options.pooling");
  if (name == "mean") return Pooling::mean;
  if (name == "cls") return Pooling::cls;
  if (name == "last") return Pooling::last;
  fail(Code::invalid_argument, call.function(), ": options.pooling is '", std::string_view(name).substr(0, 32),
       "', expected mean, cls or last");
}

EmbedOptions embed_options(const Call& call, const lq_embedder_options* options) {
  const auto o = options_arg<lq_embedder_options>(call, options, LQ_EMBEDDER_OPTIONS_INIT);
  constexpr std::uint32_t kMost = 1 << 16;
  LQ_CHECK(o.batch_tokens <= kMost, Code::invalid_argument, call.function(), ": batch_tokens is ", o.batch_tokens,
           ", expected at most ", kMost);
  EmbedOptions e;
  e.max_tokens = o.max_tokens;
  if (o.batch_tokens) e.batch_tokens = o.batch_tokens;
  e.normalize = o.raw == 0;
  e.pooling = pooling_arg(call, o.pooling);
  return e;
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_embedder_create(lq_embedder** out, lq_model* model, const lq_embedder_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const ModelObject& m = call.on<ModelObject>(model, "model");
    *out = new_handle<EmbedderObject, lq_embedder>(m.model, embed_options(call, options));
  });
}

void lq_embedder_free(lq_embedder* embedder) noexcept { free_handle(embedder, Kind::embedder); }

lq_status lq_embedder_dimension(uint32_t* out, const lq_embedder* embedder) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = static_cast<std::uint32_t>(call.on<EmbedderObject>(embedder, "embedder").embedder.dimension());
  });
}

lq_status lq_embedder_max_tokens(uint32_t* out, const lq_embedder* embedder) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = static_cast<std::uint32_t>(call.on<EmbedderObject>(embedder, "embedder").embedder.max_tokens());
  });
}

lq_status lq_embedder_embed(float* out, size_t capacity, size_t* count, lq_embedder* embedder, const char* const* texts,
                            const size_t* lengths, size_t n, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    Embedder& e = call.on<EmbedderObject>(embedder, "embedder").embedder;
    const auto pointers = array_arg(call, texts, n, "texts");
    std::vector<std::string_view> views;
    views.reserve(n);
    for (std::size_t i = 0; i < n; ++i) {
      LQ_CHECK(pointers[i], Code::invalid_argument, call.function(), ": texts[", i, "] is NULL");
      views.push_back(text_arg(call, pointers[i], lengths ? lengths[i] : LQ_NTS, "a text"));
    }
    const std::size_t needed = n * e.dimension();
    if (count) *count = needed;
    LQ_CHECK(out || capacity == 0, Code::invalid_argument, call.function(), ": out is NULL with capacity ", capacity);
    if (!out) return;
    LQ_CHECK(needed <= capacity, Code::buffer_too_small, call.function(), ": the result has ", needed,
             " numbers, the buffer holds ", capacity);
    Use<CancelObject> stop;
    if (cancel) stop = Use<CancelObject>(call, cancel, "cancel");
    e.embed(views, out, cancel ? stop->flag.get() : nullptr);
  });
}

lq_status lq_embedder_error(char* out, size_t capacity, size_t* length, const lq_embedder* embedder) noexcept {
  return object_error(__func__, out, capacity, length, embedder, Kind::embedder);
}

}  // extern "C"
