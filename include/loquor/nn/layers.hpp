// Layers: parameters with torch's names, shapes and initial distributions, and what they record in a graph. An open set
// (nn/layers.def), made from one line of text each, so that a network is described the same in every language:
//
//   linear IN OUT [no_bias] [tied=LAYER]         y = x W^T + b; tied: W is the table of embedding layer LAYER
//   embedding IDS WIDTH                          ids (...) -> (..., WIDTH)
//   positions TOKENS WIDTH                       adds a learnt vector for each position
//   relu, tanh, sigmoid, gelu, gelu_tanh, silu
//   dropout p=P    layer_norm WIDTH    rms_norm WIDTH    last
//   rnn|lstm|gru IN STATE [layers=N] [dropout=P]
//   transformer WIDTH heads=H [layers=N] [ff=F] [causal] [pre_norm] [gelu] [dropout=P]
//                                                torch's TransformerEncoderLayer, N times
// Thread contract: immutable once made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/core/random.hpp"
#include "loquor/nn/functions.hpp"

namespace lq::nn {

// What a layer is made from: the words after its name.
class LayerArgs {
 public:
  // `text` is "name 1 2 key=value flag". Throws Error{invalid_argument}.
  LayerArgs(Parameters& parameters, Random& random, std::string prefix, std::string_view text);

  const std::string& name() const noexcept { return name_; }
  Parameters& parameters() const noexcept { return *parameters_; }
  Random& random() const noexcept { return *random_; }
  const std::string& prefix() const noexcept { return prefix_; }  // of parameters' names, "3."
  // The k-th number; throws if there is none or it is not from 1 to 2^28. `what` is for the message.
  std::size_t number(std::size_t k, const char* what);
  std::size_t option(std::string_view key, std::size_t otherwise);
  float option_float(std::string_view key, float otherwise);
  bool flag(std::string_view key);
  // Throws unless every word was asked for.
  void finish() const;

 private:
  const std::string* find(std::string_view key);
  Parameters* parameters_;
  Random* random_;
  std::string prefix_, name_;
  std::vector<std::string> words_;
  std::vector<bool> used_;
};

class Layer {
 public:
  virtual ~Layer() = default;
  // carry: recurrent layers start from where the last run of this graph ended.
  virtual Value apply(Graph& g, Value x, bool carry) const = 0;
};

// A parameter called prefix + name with values from U(-bound, bound), or from N(0, 1) * bound.
Parameter& uniform(const LayerArgs& a, const std::string& name, Shape shape, double bound);
Parameter& normal(const LayerArgs& a, const std::string& name, Shape shape, double bound);
Parameter& constant(const LayerArgs& a, const std::string& name, Shape shape, float value);

struct Linear final : Layer {
  const Parameter *weight, *bias;  // bias may be nullptr
  Linear(const LayerArgs& a, const std::string& name, std::size_t in, std::size_t out, bool with_bias);
  Linear(const Parameter& w, const Parameter* b) : weight(&w), bias(b) {}
  Value apply(Graph& g, Value x, bool) const override { return linear(g, x, *weight, bias); }
};

struct LayerNorm final : Layer {
  const Parameter *weight, *bias;
  LayerNorm(const LayerArgs& a, const std::string& name, std::size_t width);
  Value apply(Graph& g, Value x, bool) const override { return layer_norm(g, x, *weight, bias); }
};

// torch.nn.MultiheadAttention(batch_first=True): in_proj_weight (3 C, C), in_proj_bias, out_proj.
class MultiheadAttention {
 public:
  MultiheadAttention(const LayerArgs& a, const std::string& name, std::size_t width, std::size_t heads);
  Value apply(Graph& g, Value x, bool causal, Value lengths = nullptr) const;
  // Queries from x, keys and values from `memory`.
  Value apply(Graph& g, Value x, Value memory, Value lengths = nullptr) const;

 private:
  const Parameter *in_weight_, *in_bias_;
  std::unique_ptr<Linear> out_;
  std::size_t width_, heads_;
  // Rows of in_proj for q alone and for k and v, as parameters of their own that share its memory.
  Parameter q_weight_, q_bias_, kv_weight_, kv_bias_;
};

struct TransformerOptions {
  std::size_t width, heads, ff;
  float dropout = 0.0f;
  Activation activation = Activation::relu;
  bool pre_norm = false, causal = false;
};

// torch.nn.TransformerEncoderLayer(batch_first=True).
class EncoderLayer {
 public:
  EncoderLayer(const LayerArgs& a, const std::string& name, const TransformerOptions& o);
  Value apply(Graph& g, Value x, Value lengths = nullptr) const;

 private:
  TransformerOptions o_;
  MultiheadAttention attention_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_;
};

// torch.nn.TransformerDecoderLayer(batch_first=True): causal attention, attention to `memory`, feed-forward.
class DecoderLayer {
 public:
  DecoderLayer(const LayerArgs& a, const std::string& name, const TransformerOptions& o);
  Value apply(Graph& g, Value x, Value memory, Value memory_lengths = nullptr) const;

 private:
  TransformerOptions o_;
  MultiheadAttention self_, cross_;
  Linear linear1_, linear2_;
  LayerNorm norm1_, norm2_, norm3_;
};

// Makes the layer that `args` names; throws Error{invalid_argument} with the names there are.
std::unique_ptr<Layer> make_layer(LayerArgs& args);

}  // namespace lq::nn
