// The model's own log probabilities, before any sampling stage. Buffers are reused; one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "loquor/models/logits_row.hpp"

namespace lq {

struct KernelTable;

struct TokenLogprob {
  std::int32_t token;
  float logprob;
};

class Logprobs {
 public:
  explicit Logprobs(const KernelTable& kernels);
  Logprobs(Logprobs&&) noexcept;
  ~Logprobs();

  // ln softmax(logits)[token]; `top` becomes the n most probable tokens with theirs, best first. Throws
  // Error{invalid_argument} if no logit is finite.
  float compute(const LogitsRow& logits, std::int32_t token, std::size_t n, std::vector<TokenLogprob>& top);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
