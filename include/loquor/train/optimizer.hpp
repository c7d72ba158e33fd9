// Optimizers over a set of parameters, with torch.optim's arithmetic. Thread contract: one caller at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/nn/parameters.hpp"

namespace lq {

struct OptimizerOptions {
  std::string name = "adamw";  // "sgd", "adam" (decay as L2) or "adamw" (decay apart from the gradient)
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double momentum = 0.0;  // of sgd
  bool nesterov = false;
  double weight_decay = 0.0;
  double clip = 0.0;  // largest norm of all gradients together; 0 = no limit
};

class Optimizer {
 public:
  // Parameters that are frozen are left out. Throws Error{invalid_argument|out_of_memory}.
  Optimizer(nn::Parameters& parameters, OptimizerOptions options);

  // The norm of all gradients together; the same bits on any number of threads.
  double gradient_norm() const;
  // One update with this learning rate, after which the gradients are zero. `norm` is gradient_norm().
  void step(double rate, double norm);

  std::uint64_t steps() const noexcept { return steps_; }
  void set_steps(std::uint64_t n) noexcept { steps_ = n; }
  // Moments, one array for each trainable parameter and moment, for checkpoints.
  struct Moment {
    std::string name;  // "m/0.weight"
    float* data;
    std::size_t count;
  };
  const std::vector<Moment>& moments() const noexcept { return moments_; }

 private:
  struct Piece {
    float *value, *grad, *m, *v;
    std::size_t count;
  };
  const Context* ctx_;
  OptimizerOptions options_;
  bool adam_;
  std::uint64_t steps_ = 0;
  Storage storage_;
  std::vector<Moment> moments_;
  std::vector<Piece> pieces_;
  mutable std::vector<double> squares_;
  std::size_t total_ = 0;
};

}  // namespace lq
