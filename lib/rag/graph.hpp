// An approximate index over a store's vectors: the layered graph of Malkov & Yashunin (2018), by hnswlib. It has the
// numbers of rows only; the vectors stay where they are, one byte a number. Its written form is checked when it is
// read: a damaged or made-up file is refused, never walked. Thread contract: one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/threads.hpp"

namespace lq {

class Graph {
 public:
  // What the graph knows of vectors: the cosine of two rows, and of the query at hand and a row.
  struct Metric {
    std::function<float(std::uint32_t, std::uint32_t)> rows;
    std::function<float(std::uint32_t)> query;
  };
  static constexpr std::size_t kLinks = 16;  // of a row on each layer; twice as many on the lowest

  // Of rows [0, n). By all threads; which of them adds what is not defined, and so is the graph in its details. False
  // from `go_on` (rows done) ends it with Error{cancelled}.
  static std::unique_ptr<Graph> build(Metric metric, std::size_t n, ThreadPool& pool,
                                      const std::function<bool(std::size_t)>& go_on);
  // As write() made it: `row_of` tells the row of each of its entries now, or kGone. Throws Error{bad_file}.
  static constexpr std::uint32_t kGone = UINT32_MAX;
  static std::unique_ptr<Graph> read(Metric metric, std::string_view bytes,
                                     const std::function<std::uint32_t(std::int64_t)>& row_of);
  // With a name for each row, by which read() asks for it.
  std::string write(std::span<const std::int64_t> name_of_row) const;
  ~Graph();

  // About the k nearest rows to the metric's query, in no order. `width`: how many are kept in view (ef), at least k.
  std::vector<std::uint32_t> nearest(std::size_t k, std::size_t width) const;
  std::size_t size() const noexcept;

 private:
  struct Impl;
  explicit Graph(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
