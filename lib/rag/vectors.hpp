// The vectors of a store in memory: one byte a number, searched exactly or, where a graph of them was made, nearly so.
// Thread contract: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph.hpp"
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
  // The k nearest to a vector of length 1 among the chunks whose document is `wanted` (null: all), nearest first. By
  // all threads of the context, on which `wanted` is called.
  std::vector<Found> nearest(std::span<const float> query, std::size_t k,
                             const std::function<bool(std::int64_t document)>& wanted) const;
  // The same with a graph, for the rows that it has; those added after it was made are searched one by one. `exactly`:
  // without it.
  std::vector<Found> nearest_of_all(std::span<const float> query, std::size_t k, bool exactly) const;

  // Makes a graph of all rows; its written form. Throws as Graph::build.
  std::string make_graph(const std::function<bool(std::size_t done, std::size_t all)>& go_on);
  // Takes one that was written. Throws Error{bad_file}; what was there is then gone. False: a fifth of its rows are
  // gone, which is too much.
  bool take_graph(std::string_view bytes);
  void drop_graph() noexcept { graph_.reset(); }
  std::size_t in_graph() const noexcept { return graph_ ? graph_->size() : 0; }
  // NaN for a chunk that has none.
  float cosine(std::span<const float> query, std::int64_t chunk) const;
  float cosine(std::int64_t a, std::int64_t b) const;

 private:
  struct Query;
  Query query_of(std::span<const float> query) const;
  void scan(const Query& q, std::size_t from, std::size_t more, const std::function<bool(std::int64_t)>& wanted,
            std::vector<Found>& all) const;
  std::vector<Found> best_of(const Query& q, std::vector<Found> all, std::size_t k) const;
  Graph::Metric metric() const;
  std::size_t find(std::int64_t chunk) const noexcept;  // its row; chunks_.size() if there is none
  const std::int8_t* row(std::size_t i) const noexcept;
  float exact(const Query& q, std::size_t row) const noexcept;

  std::shared_ptr<const Context> ctx_;
  std::size_t dimension_, stride_;
  std::vector<Storage> blocks_;                   // rows of stride_ bytes, so that growing copies nothing
  std::vector<std::int64_t> chunks_, documents_;  // of each row; document -1: dead
  std::vector<float> scales_;
  std::size_t dead_ = 0;
  std::unique_ptr<Graph> graph_;  // of rows [0, graph_end_)
  std::size_t graph_end_ = 0;
  mutable const Query* asked_ = nullptr;  // of the search that is on
};

}  // namespace lq
