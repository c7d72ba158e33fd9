#include <cmath>

#include "loquor/nn/layers.hpp"

namespace lq::nn {
namespace {

// Rows [first, first + rows) of a parameter.
Parameter part(const Parameter& p, std::size_t first, std::size_t rows) {
  Parameter q = p;
  const std::size_t each = p.shape.rank() == 2 ? p.cols() : 1;
  q.shape = p.shape.rank() == 2 ? Shape{rows, each} : Shape{rows};
  q.count = rows * each;
  q.value += first * each;
  if (q.grad) q.grad += first * each;
  return q;
}

TransformerOptions causal(TransformerOptions o) {
  o.causal = true;
  return o;
}

}  // namespace

MultiheadAttention::MultiheadAttention(const LayerArgs& a, const std::string& name, std::size_t width,
                                       std::size_t heads)
    : width_(width), heads_(heads) {
  LQ_CHECK(heads && width % heads == 0, Code::invalid_argument, "attention: ", heads, " heads in a width of ", width);
  in_weight_ =
      &uniform(a, name + "in_proj_weight", {3 * width, width}, std::sqrt(6 / (4 * static_cast<double>(width))));
  in_bias_ = &constant(a, name + "in_proj_bias", {3 * width}, 0.0f);
  out_ = std::make_unique<Linear>(a, name + "out_proj.", width, width, true);
  std::fill_n(out_->bias->value, width, 0.0f);
  q_weight_ = part(*in_weight_, 0, width);
  q_bias_ = part(*in_bias_, 0, width);
  kv_weight_ = part(*in_weight_, width, 2 * width);
  kv_bias_ = part(*in_bias_, width, 2 * width);
}

Value MultiheadAttention::apply(Graph& g, Value x, bool causal, Value lengths) const {
  Value qkv = linear(g, x, *in_weight_, in_bias_);
  const AttentionShape shape{heads_, heads_, width_ / heads_, causal, lengths};
  return out_->apply(g, attention(g, {qkv, 0}, {qkv, width_}, {qkv, 2 * width_}, shape), false);
}

Value MultiheadAttention::apply(Graph& g, Value x, Value memory, Value lengths) const {
  Value q = linear(g, x, q_weight_, &q_bias_), kv = linear(g, memory, kv_weight_, &kv_bias_);
  const AttentionShape shape{heads_, heads_, width_ / heads_, false, lengths};
  return out_->apply(g, attention(g, {q, 0}, {kv, 0}, {kv, width_}, shape), false);
}

EncoderLayer::EncoderLayer(const LayerArgs& a, const std::string& name, const TransformerOptions& o)
    : o_(o),
      attention_(a, name + "self_attn.", o.width, o.heads),
      linear1_(a, name + "linear1.", o.width, o.ff, true),
      linear2_(a, name + "linear2.", o.ff, o.width, true),
      norm1_(a, name + "norm1.", o.width),
      norm2_(a, name + "norm2.", o.width) {}

Value EncoderLayer::apply(Graph& g, Value x, Value lengths) const {
  const auto attend = [&](Value v) { return dropout(g, attention_.apply(g, v, o_.causal, lengths), o_.dropout); };
  const auto feed = [&](Value v) {
    Value h = dropout(g, activation(g, linear1_.apply(g, v, false), o_.activation), o_.dropout);
    return dropout(g, linear2_.apply(g, h, false), o_.dropout);
  };
  if (o_.pre_norm) {
    x = add(g, x, attend(norm1_.apply(g, x, false)));
    return add(g, x, feed(norm2_.apply(g, x, false)));
  }
  x = norm1_.apply(g, add(g, x, attend(x)), false);
  return norm2_.apply(g, add(g, x, feed(x)), false);
}

DecoderLayer::DecoderLayer(const LayerArgs& a, const std::string& name, const TransformerOptions& o)
    : o_(causal(o)),
      self_(a, name + "self_attn.", o.width, o.heads),
      cross_(a, name + "multihead_attn.", o.width, o.heads),
      linear1_(a, name + "linear1.", o.width, o.ff, true),
      linear2_(a, name + "linear2.", o.ff, o.width, true),
      norm1_(a, name + "norm1.", o.width),
      norm2_(a, name + "norm2.", o.width),
      norm3_(a, name + "norm3.", o.width) {}

Value DecoderLayer::apply(Graph& g, Value x, Value memory, Value lengths) const {
  const auto attend = [&](Value v) { return dropout(g, self_.apply(g, v, true), o_.dropout); };
  const auto look = [&](Value v) { return dropout(g, cross_.apply(g, v, memory, lengths), o_.dropout); };
  const auto feed = [&](Value v) {
    Value h = dropout(g, activation(g, linear1_.apply(g, v, false), o_.activation), o_.dropout);
    return dropout(g, linear2_.apply(g, h, false), o_.dropout);
  };
  if (o_.pre_norm) {
    x = add(g, x, attend(norm1_.apply(g, x, false)));
    x = add(g, x, look(norm2_.apply(g, x, false)));
    return add(g, x, feed(norm3_.apply(g, x, false)));
  }
  x = norm1_.apply(g, add(g, x, attend(x)), false);
  x = norm2_.apply(g, add(g, x, look(x)), false);
  return norm3_.apply(g, add(g, x, feed(x)), false);
}

namespace {

class TransformerLayer final : public Layer {
 public:
  TransformerLayer(const LayerArgs& a, const TransformerOptions& o, std::size_t layers) {
    for (std::size_t i = 0; i < layers; ++i)
      layers_.push_back(std::make_unique<EncoderLayer>(a, str("layers.", i, "."), o));
  }
  Value apply(Graph& g, Value x, bool) const override {
    for (const auto& layer : layers_) x = layer->apply(g, x);
    return x;
  }

 private:
  std::vector<std::unique_ptr<EncoderLayer>> layers_;
};

}  // namespace

std::unique_ptr<Layer> make_transformer(LayerArgs& a) {
  TransformerOptions o{};
  o.width = a.number(0, "the width");
  o.heads = a.option("heads", 1);
  o.ff = a.option("ff", 4 * o.width);
  o.dropout = a.option_float("dropout", 0.0f);
  o.causal = a.flag("causal");
  o.pre_norm = a.flag("pre_norm");
  if (a.flag("gelu")) o.activation = Activation::gelu;
  const std::size_t layers = a.option("layers", 1);
  return std::make_unique<TransformerLayer>(a, o, layers);
}

}  // namespace lq::nn
