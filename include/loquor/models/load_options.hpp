// How a model's weights are loaded.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "loquor/nn/ops.hpp"

namespace lq {

struct LoadOptions {
  Compute compute = Compute::quantized;
  std::function<bool(float fraction)> progress;  // false stops the load: Error{cancelled}
  const std::atomic<bool>* cancel = nullptr;     // polled at least every 20 ms
  std::size_t memory_cap = 0;  // bytes of weights + tables; 0 = none. Error{out_of_memory} before allocating
};

}  // namespace lq
