// What a trainer trains: parameters and a loss recorded from them. Networks are (nn/network.hpp), and language models
// with adapters (models/lora.hpp). Thread contract: graphs of it may be recorded from several threads.
#pragma once

#include <string>

#include "loquor/nn/graph.hpp"
#include "loquor/nn/parameters.hpp"

namespace lq::nn {

// cross_entropy: class ids, one for each row of the output; mean_squared_error: as many values as the output has.
enum class Loss : int { cross_entropy, mean_squared_error };

class Trainable {
 public:
  virtual ~Trainable() = default;
  // Equal for what can take each other's checkpoints.
  virtual const std::string& description() const noexcept = 0;
  virtual Parameters& parameters() noexcept = 0;
  virtual const Parameters& parameters() const noexcept = 0;
  // The loss of a batch x with these targets; `carry`: recurrent state runs on from the last run.
  virtual Value loss(Graph& g, Value x, Loss kind, Value target, bool carry) const = 0;
};

}  // namespace lq::nn
