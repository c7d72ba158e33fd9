// Shapes as keys of a map of compiled graphs.
#pragma once

#include "loquor/core/tensor.hpp"

namespace lq {

inline std::string shape_key(const Shape& shape) {
  std::string key;
  for (std::size_t i = 0; i < shape.rank(); ++i) key += str(shape[i], ",");
  return key;
}

inline Shape with_batch(std::size_t n, const Shape& example) {
  Shape shape{n};
  for (std::size_t i = 0; i < example.rank(); ++i) shape.push_back(example[i]);
  return shape;
}

}  // namespace lq
