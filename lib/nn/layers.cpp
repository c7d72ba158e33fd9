#include "loquor/nn/layers.hpp"

#include <cmath>

namespace lq::nn {

#define LQ_LAYER(name) std::unique_ptr<Layer> make_##name(LayerArgs& a);
#include "loquor/nn/layers.def"
#undef LQ_LAYER

std::unique_ptr<Layer> make_layer(LayerArgs& args) {
  std::string known;
  std::unique_ptr<Layer> layer;
#define LQ_LAYER(row)                                \
  if (args.name() == #row) layer = make_##row(args); \
  known += known.empty() ? #row : ", " #row;
#include "loquor/nn/layers.def"
#undef LQ_LAYER
  LQ_CHECK(layer, Code::invalid_argument, "network: no layer '", args.name(), "'; there are ", known);
  args.finish();
  return layer;
}

Linear::Linear(const LayerArgs& a, const std::string& name, std::size_t in, std::size_t out, bool with_bias)
    : weight(&uniform(a, name + "weight", {out, in}, 1 / std::sqrt(static_cast<double>(in)))),
      bias(with_bias ? &uniform(a, name + "bias", {out}, 1 / std::sqrt(static_cast<double>(in))) : nullptr) {}

LayerNorm::LayerNorm(const LayerArgs& a, const std::string& name, std::size_t width)
    : weight(&constant(a, name + "weight", {width}, 1.0f)), bias(&constant(a, name + "bias", {width}, 0.0f)) {}

namespace {

struct EmbeddingLayer final : Layer {
  const Parameter* table;
  explicit EmbeddingLayer(const Parameter& t) : table(&t) {}
  Value apply(Graph& g, Value x, bool) const override { return embedding(g, x, *table); }
};

struct PositionsLayer final : Layer {
  const Parameter* table;
  explicit PositionsLayer(const Parameter& t) : table(&t) {}
  Value apply(Graph& g, Value x, bool) const override { return add_positions(g, x, *table); }
};

struct ActivationLayer final : Layer {
  Activation kind;
  explicit ActivationLayer(Activation k) : kind(k) {}
  Value apply(Graph& g, Value x, bool) const override { return activation(g, x, kind); }
};

struct DropoutLayer final : Layer {
  float p;
  explicit DropoutLayer(float probability) : p(probability) {}
  Value apply(Graph& g, Value x, bool) const override { return dropout(g, x, p); }
};

struct RmsNormLayer final : Layer {
  const Parameter* weight;
  explicit RmsNormLayer(const Parameter& w) : weight(&w) {}
  Value apply(Graph& g, Value x, bool) const override { return rms_norm(g, x, *weight); }
};

struct LastLayer final : Layer {
  Value apply(Graph& g, Value x, bool) const override { return last(g, x); }
};

// Layers stacked as in torch: parameters weight_ih_l0, ..., dropout between layers.
class RecurrentLayer final : public Layer {
 public:
  RecurrentLayer(LayerArgs& a, Cell cell) : cell_(cell) {
    const std::size_t in = a.number(0, "the input's width"), size = a.number(1, "the state's width");
    const std::size_t layers = a.option("layers", 1), width = gates(cell) * size;
    dropout_ = a.option_float("dropout", 0.0f);
    const double bound = 1 / std::sqrt(static_cast<double>(size));
    for (std::size_t i = 0; i < layers; ++i) {
      const std::string l = str("_l", i);
      RecurrentWeights w{};
      w.w_ih = &uniform(a, "weight_ih" + l, {width, i ? size : in}, bound);
      w.w_hh = &uniform(a, "weight_hh" + l, {width, size}, bound);
      w.b_ih = &uniform(a, "bias_ih" + l, {width}, bound);
      w.b_hh = &uniform(a, "bias_hh" + l, {width}, bound);
      weights_.push_back(w);
    }
  }

  Value apply(Graph& g, Value x, bool carry) const override {
    for (std::size_t i = 0; i < weights_.size(); ++i) {
      const std::size_t batch = x->shape[0], size = weights_[i].w_hh->cols();
      Value h = carry ? g.input({batch, size}) : nullptr;
      Value c = carry && cell_ == Cell::lstm ? g.input({batch, size}) : nullptr;
      const RecurrentOutput out = recurrent(g, cell_, x, weights_[i], h, c);
      if (h) g.carry(out.h, h);
      if (c) g.carry(out.c, c);
      x = i + 1 < weights_.size() ? dropout(g, out.y, dropout_) : out.y;
    }
    return x;
  }

 private:
  Cell cell_;
  float dropout_;
  std::vector<RecurrentWeights> weights_;
};

}  // namespace

std::unique_ptr<Layer> make_linear(LayerArgs& a) {
  const std::size_t in = a.number(0, "the input's width"), out = a.number(1, "the output's width");
  const std::size_t none = static_cast<std::size_t>(-1), tied = a.option("tied", none);
  if (tied == none) return std::make_unique<Linear>(a, "", in, out, !a.flag("no_bias"));
  const Parameter* table = a.parameters().find(str(tied, ".weight"));
  LQ_CHECK(table && table->rows() == out && table->cols() == in, Code::invalid_argument, "network: linear: layer ",
           tied, " has no weight (", out, ", ", in, ") to share");
  return std::make_unique<Linear>(*table, nullptr);
}

std::unique_ptr<Layer> make_embedding(LayerArgs& a) {
  const std::size_t ids = a.number(0, "the number of ids"), width = a.number(1, "the width");
  return std::make_unique<EmbeddingLayer>(normal(a, "weight", {ids, width}, a.option_float("std", 1.0f)));
}

std::unique_ptr<Layer> make_positions(LayerArgs& a) {
  const std::size_t tokens = a.number(0, "the number of positions"), width = a.number(1, "the width");
  return std::make_unique<PositionsLayer>(normal(a, "weight", {tokens, width}, a.option_float("std", 0.02f)));
}

std::unique_ptr<Layer> make_relu(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::relu); }
std::unique_ptr<Layer> make_tanh(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::tanh); }
std::unique_ptr<Layer> make_sigmoid(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::sigmoid); }
std::unique_ptr<Layer> make_gelu(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::gelu); }
std::unique_ptr<Layer> make_gelu_tanh(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::gelu_tanh); }
std::unique_ptr<Layer> make_silu(LayerArgs&) { return std::make_unique<ActivationLayer>(Activation::silu); }

std::unique_ptr<Layer> make_dropout(LayerArgs& a) {
  const float p = a.option_float("p", 0.5f);
  LQ_CHECK(p >= 0.0f && p < 1.0f, Code::invalid_argument, "network: dropout: p is to be from 0 to below 1");
  return std::make_unique<DropoutLayer>(p);
}

std::unique_ptr<Layer> make_layer_norm(LayerArgs& a) {
  return std::make_unique<LayerNorm>(a, "", a.number(0, "the width"));
}

std::unique_ptr<Layer> make_rms_norm(LayerArgs& a) {
  return std::make_unique<RmsNormLayer>(constant(a, "weight", {a.number(0, "the width")}, 1.0f));
}

std::unique_ptr<Layer> make_last(LayerArgs&) { return std::make_unique<LastLayer>(); }
std::unique_ptr<Layer> make_rnn(LayerArgs& a) { return std::make_unique<RecurrentLayer>(a, Cell::rnn); }
std::unique_ptr<Layer> make_lstm(LayerArgs& a) { return std::make_unique<RecurrentLayer>(a, Cell::lstm); }
std::unique_ptr<Layer> make_gru(LayerArgs& a) { return std::make_unique<RecurrentLayer>(a, Cell::gru); }

}  // namespace lq::nn
