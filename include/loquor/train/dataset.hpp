// What a network learns from: examples of one shape, as arrays or as windows of a text. Immutable; shareable.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "loquor/core/tensor.hpp"

namespace lq {

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual std::size_t size() const noexcept = 0;
  virtual Shape x_shape() const = 0;  // of one example
  virtual Shape y_shape() const = 0;
  // Example i: 4-byte words, numbers or ids.
  virtual void get(std::size_t i, void* x, void* y) const = 0;
};

// `n` examples of x and y of these shapes, copied; 4 bytes a value, numbers or ids. Throws
// Error{invalid_argument|out_of_memory}.
std::unique_ptr<Dataset> array_dataset(std::size_t n, const void* x, Shape x_shape, const void* y, Shape y_shape);

// Windows of `length` ids of a text, `stride` apart; y is x one id later. Copied. Throws Error{invalid_argument} for a
// text that does not hold one window.
std::unique_ptr<Dataset> text_dataset(std::span<const std::int32_t> ids, std::size_t length, std::size_t stride);

// A permutation of [0, n) for each key, computed element by element, so that a resumed run needs no list: a Feistel
// network over the next power of four, walked until the value is below n (Black & Rogaway 2002).
std::uint64_t permuted(std::uint64_t i, std::uint64_t n, std::uint64_t key) noexcept;

}  // namespace lq
