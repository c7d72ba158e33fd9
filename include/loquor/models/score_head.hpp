// Log probabilities of given tokens, without a row of logits in memory: the vocabulary is computed a slice at a time,
// and of each slice only its maximum, its sum of exponentials and the token's own logit are kept (the online softmax of
// Milakov & Gimelshein 2018). Slices are the same columns whatever the number of rows and threads, and are merged in
// order, so a row's result has the same bits in any company.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {

// log sum exp of a row, slice by slice.
class LogSumExp {
 public:
  static constexpr std::size_t kSlice = 1024;  // columns; part of the result's definition
  // The next n <= kSlice logits.
  void add(const KernelTable& kernels, const float* logits, std::size_t n) noexcept;
  double value() const noexcept;

 private:
  double max_ = -1e300, sum_ = 0;
};

// ln softmax(logits)[token]: the bits that ScoreHead has for this row.
double log_softmax_at(const KernelTable& kernels, std::span<const float> logits, std::int32_t token) noexcept;

class ScoreHead {
 public:
  // For up to max_rows rows. `head` must outlive it. `cap`: logits become cap * tanh(logit / cap), if it is not 0.
  // Allocates all it needs. Throws Error{out_of_memory}.
  ScoreHead(const Context& ctx, const PackedMatrix& head, std::size_t max_rows, float cap = 0);
  // Begins with a target token for each of the rows, at most max_rows.
  void begin(std::span<const std::int32_t> targets) noexcept;
  // Computes about `panels` more panels of the head for all rows; true once it has the last one.
  bool advance(const Activations& a, std::size_t panels);
  // ln p(target) of each row; complete once advance() was true.
  std::span<const double> logprobs() const noexcept { return {logprobs_.data(), targets_.size()}; }
  std::size_t max_rows() const noexcept { return rows_.capacity(); }
  std::size_t nbytes() const noexcept { return buffer_.size() + max_rows() * (sizeof(Row) + 12); }

 private:
  struct Row {
    LogSumExp sum;
    float target = 0;
  };
  void piece(const Activations& a);

  const Context& ctx_;
  const PackedMatrix& head_;
  float cap_;
  std::size_t slices_;  // in the buffer at once: as many as keep all threads at work
  Storage buffer_;      // (rows, slices_ * kSlice) logits
  std::vector<Row> rows_;
  std::vector<std::int32_t> targets_;
  std::vector<double> logprobs_;
  std::size_t panel_ = 0;
};

}  // namespace lq
