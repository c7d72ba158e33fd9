// The vectors of a store in memory: one byte a number, searched exactly. Thread contract: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "loquor/core/context.hpp"

namespace lq {

// A vector of length 1 as bytes: value = scale * byte.
struct ByteVector {
  std::vector<std::int8_t> values;
  float scale = 0;
};
ByteVector to_bytes(std::span<const float> v);

class Vectors {
 public:
  explicit Vectors(std::size_t dimension) : dimension_(dimension) {}
  void add(std::int64_t chunk, std::int64_t document, std::span<const std::int8_t> values, float scale);
  void clear();
  std::size_t size() const noexcept { return chunks_.size(); }
  std::size_t dimension() const noexcept { return dimension_; }
  std::int64_t last() const noexcept { return chunks_.empty() ? 0 : chunks_.back(); }

  struct Found {
    std::int64_t chunk;
    float cosine;
  };
  // The k nearest to a vector of length 1 among the chunks whose document is `wanted`, nearest first. By all threads.
  std::vector<Found> nearest(const Context& ctx, std::span<const float> query, std::size_t k,
                             const std::function<bool(std::int64_t document)>& wanted) const;
  // NaN for a chunk that has none.
  float cosine(std::span<const float> query, std::int64_t chunk) const;
  float cosine(std::int64_t a, std::int64_t b) const;

 private:
  const std::int8_t* row(std::size_t i) const noexcept { return data_.data() + i * dimension_; }
  std::size_t dimension_;
  std::vector<std::int64_t> chunks_, documents_;
  std::vector<float> scales_;
  std::vector<std::int8_t> data_;
  std::unordered_map<std::int64_t, std::size_t> at_;
};

}  // namespace lq
