#include "lq_attention.h"

#include "args.hpp"
#include "loquor/models/attention_scores.hpp"
#include "model.hpp"

namespace lq::capi {

namespace {

struct LayersAndHeads {
  std::size_t n_layer, n_head;
};

LayersAndHeads shape_of(const Call& call, const Model& model) {
  if (model.decoder()) return {model.decoder()->spec().n_layer, model.decoder()->spec().n_head};
  LQ_CHECK(model.encoder(), Code::unsupported, call.function(), ": only the vocabulary of the model is loaded");
  return {model.encoder()->spec().n_layer, model.encoder()->spec().n_head};
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

lq_status lq_attention_shape(uint32_t* n_layer, uint32_t* n_head, const lq_model* model) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, n_layer, "n_layer") = 0;
    out_param(call, n_head, "n_head") = 0;
    const LayersAndHeads shape = shape_of(call, *call.on<ModelObject>(model, "model").model);
    *n_layer = static_cast<std::uint32_t>(shape.n_layer);
    *n_head = static_cast<std::uint32_t>(shape.n_head);
  });
}

lq_status lq_attention_scores(float* out, size_t capacity, size_t* count, const lq_model* model, const int32_t* tokens,
                              size_t n_tokens, uint32_t first_layer, uint32_t n_layers) noexcept {
  return guard(__func__, [&](Call& call) {
    if (count) *count = 0;
    const Model& m = *call.on<ModelObject>(model, "model").model;
    const auto ids = array_arg(call, tokens, n_tokens, "tokens");
    const LayersAndHeads shape = shape_of(call, m);
    LQ_CHECK(first_layer < shape.n_layer && n_layers <= shape.n_layer - first_layer, Code::invalid_argument,
             call.function(), ": ", n_layers, " layers from ", first_layer, " on, but the model has ", shape.n_layer);
    LQ_CHECK(n_tokens > 0 && n_tokens <= kMaxWatchedTokens, Code::invalid_argument, call.function(), ": ", n_tokens,
             " tokens, expected 1 to ", kMaxWatchedTokens);
    const std::size_t layers = n_layers ? n_layers : shape.n_layer - first_layer;
    const std::size_t needed = layers * shape.n_head * n_tokens * n_tokens;
    if (count) *count = needed;
    LQ_CHECK(out || capacity == 0, Code::invalid_argument, call.function(), ": out is NULL with capacity ", capacity);
    if (!out) return;
    LQ_CHECK(needed <= capacity, Code::buffer_too_small, call.function(), ": the result has ", needed,
             " numbers, and there is room for ", capacity);
    if (m.decoder())
      attention_scores(m.decoder(), ids, first_layer, layers, out);
    else
      attention_scores(m.encoder(), ids, first_layer, layers, out);
  });
}

}  // extern "C"
