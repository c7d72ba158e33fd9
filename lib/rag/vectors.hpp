// The vectors of a store in memory: one byte a number, searched exactly. Thread contract: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "loquor/core/context.hpp"

namespace lq {

// A vector of length 1 as bytes: value = scale * byte, bytes in -127..127.
struct ByteVector {
  std::vector<std::int8_t> values;
  float scale = 0;
};
ByteVector to_bytes(std::span<const float> v);

class Vectors {
 public:
  Vectors(std::shared_ptr<const Context> ctx, std::size_t dimension);
  // Chunks come in ascending order. Throws Error{bad_file} for one that does not, Error{out_of_memory}.
  void add(std::int64_t chunk, std::int64_t document, std::span<const std::int8_t> values, float scale);
  // Forgets the chunks that are not in the list, which ascends.
  void keep_only(std::span<const std::int64_t> chunks) noexcept;
  void clear();
  std::size_t size() const noexcept { return chunks_.size() - dead_; }
  std::size_t dead() const noexcept { return dead_; }  // rows that hold nothing any more
  std::size_t dimension() const noexcept { return dimension_; }
  std::int64_t last() const noexcept { return chunks_.empty() ? 0 : chunks_.back(); }

  struct Found {
    std::int64_t chunk;
    float cosine;
  };
  // The k nearest to a vector of length 1 among the chunks whose document is `wanted` (null: all), nearest first. By all
  // threads of the context, on which `wanted` is called.
  std::vector<Found> nearest(std::span<const float> query, std::size_t k,
                             const std::function<bool(std::int64_t document)>& wanted) const;
  // NaN for a chunk that has none.
  float cosine(std::span<const float> query, std::int64_t chunk) const;
  float cosine(std::int64_t a, std::int64_t b) const;

 private:
  struct Query;
  std::size_t find(std::int64_t chunk) const noexcept;  // its row; chunks_.size() if there is none
  const std::int8_t* row(std::size_t i) const noexcept;
  float exact(const Query& q, std::size_t row) const noexcept;

  std::shared_ptr<const Context> ctx_;
  std::size_t dimension_, stride_;
  std::vector<Storage> blocks_;                   // rows of stride_ bytes, so that growing copies nothing
  std::vector<std::int64_t> chunks_, documents_;  // of each row; document -1: dead
  std::vector<float> scales_;
  std::size_t dead_ = 0;
};

}  // namespace lq
