// A network described by text, "embedding 65 64 | lstm 64 128 layers=2 | linear 128 65": layers (nn/layers.hpp) in a
// row. Parameter names are those of torch.nn.Sequential of the same modules: "0.weight", "1.weight_ih_l0". The same
// text and seed give the same network. Thread contract: graphs of it may be recorded from several threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "loquor/nn/layers.hpp"
#include "loquor/nn/trainable.hpp"

namespace lq::nn {

class Network final : public Trainable {
 public:
  // Throws Error{invalid_argument} naming the layer, Error{out_of_memory}.
  Network(const Context& ctx, std::string description, std::uint64_t seed);

  const std::string& description() const noexcept override { return description_; }
  Parameters& parameters() noexcept override { return parameters_; }
  const Parameters& parameters() const noexcept override { return parameters_; }
  bool takes_ids() const noexcept { return takes_ids_; }  // the input is token ids, not numbers

  Value apply(Graph& g, Value x, bool carry = false) const;
  // The loss of apply(); a last linear layer with many classes is computed with its loss, a few rows at a time.
  Value loss(Graph& g, Value x, Loss kind, Value target, bool carry = false) const override;

 private:
  std::string description_;
  Parameters parameters_;
  std::vector<std::unique_ptr<Layer>> layers_;
  bool takes_ids_ = false;
};

}  // namespace lq::nn
