#include "loquor/nn/network.hpp"

namespace lq::nn {
namespace {

constexpr std::size_t kManyClasses = 1024;

}  // namespace

Network::Network(const Context& ctx, std::string description, std::uint64_t seed)
    : description_(std::move(description)), parameters_(ctx) {
  Random random(seed);
  std::size_t at = 0;
  for (;;) {
    const std::size_t bar = description_.find('|', at), end = bar == std::string::npos ? description_.size() : bar;
    LayerArgs args(parameters_, random, str(layers_.size(), "."), std::string_view(description_).substr(at, end - at));
    if (layers_.empty()) takes_ids_ = args.name() == "embedding";
    layers_.push_back(make_layer(args));
    if (bar == std::string::npos) break;
    at = bar + 1;
  }
}

Value Network::apply(Graph& g, Value x, bool carry) const {
  for (const auto& layer : layers_) x = layer->apply(g, x, carry);
  return x;
}

Value Network::loss(Graph& g, Value x, Loss kind, Value target, bool carry) const {
  if (kind == Loss::mean_squared_error) return mean_squared_error(g, apply(g, x, carry), target);
  const auto* head = dynamic_cast<const Linear*>(layers_.back().get());
  if (!head || head->weight->rows() < kManyClasses) return cross_entropy(g, apply(g, x, carry), target);
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) x = layers_[i]->apply(g, x, carry);
  return linear_cross_entropy(g, x, *head->weight, head->bias, target);
}

}  // namespace lq::nn
