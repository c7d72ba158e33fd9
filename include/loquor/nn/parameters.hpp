// Named fp32 parameters of a network with their gradients. A Parameter keeps its address for the life of the set.
// Thread contract: thread-compatible; graphs that use the parameters read the values and add to the gradients.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/core/tensor.hpp"

namespace lq::nn {

struct Parameter {
  std::string name;
  Shape shape;
  std::size_t count = 0;
  float* value = nullptr;  // (shape), zero at first
  float* grad = nullptr;   // (shape), zero after add() and after an optimizer's step; nullptr if frozen
  std::size_t rows() const noexcept { return shape.rank() < 2 ? 1 : count / cols(); }
  std::size_t cols() const noexcept { return shape.rank() ? shape[shape.rank() - 1] : 1; }
};

class Parameters {
 public:
  explicit Parameters(const Context& ctx) : ctx_(&ctx) {}

  // Throws Error{invalid_argument} if the name is taken, Error{out_of_memory}.
  Parameter& add(std::string name, Shape shape, bool trainable = true);
  Parameter* find(std::string_view name) const noexcept;  // nullptr if absent
  std::span<const std::unique_ptr<Parameter>> all() const noexcept { return all_; }
  std::size_t count() const noexcept;  // of numbers in all
  void zero_grad() noexcept;
  const Context& context() const noexcept { return *ctx_; }

 private:
  const Context* ctx_;
  std::vector<std::unique_ptr<Parameter>> all_;
  std::vector<Storage> storage_;
};

}  // namespace lq::nn
