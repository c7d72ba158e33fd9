// The choice of the next token: a chain of stages (rows of samplers.def, or functions of the host) over candidates,
// then a draw. Draws are a function of (seed, position) alone. Copyable value; one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/models/logits_row.hpp"

namespace lq {

struct Candidate {
  std::int32_t token;
  float logit;
};

// A stage of the host: may change logits, reorder, and returns how many to keep (1 to candidates.size()) after moving
// those to the front. What it throws ends the generation.
using SamplerStage = std::function<std::size_t(std::span<Candidate> candidates, std::span<const std::int32_t> history)>;

class Sampler {
 public:
  Sampler();  // greedy until a stage is added
  Sampler(const Sampler& other);
  Sampler(Sampler&& other) noexcept;
  Sampler& operator=(Sampler other) noexcept;
  ~Sampler();

  // Throws Error{not_found} for an unknown name (listing those known), Error{invalid_argument} for NaN, a value out of
  // range or too many values. On error the chain is unchanged.
  void add(std::string_view name, std::span<const double> values);
  void add(SamplerStage stage);
  // Added to the logits before the first stage; -inf forbids, 0 removes. Throws Error{invalid_argument} for NaN or a
  // negative id.
  void set_bias(std::int32_t token, float bias);
  void set_seed(std::uint64_t seed) noexcept;

  // Throws Error{invalid_argument} if a bias names a token >= n_vocab.
  void check_vocab(std::size_t n_vocab) const;
  // Does it take the best of the logits as they are?
  bool greedy() const noexcept;
  // Draws the token for `position`. Throws Error{invalid_argument} if no logit is finite.
  std::int32_t sample(const LogitsRow& logits, std::span<const std::int32_t> history, std::uint64_t position);
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history, std::uint64_t position) {
    return sample(LogitsRow{logits, {}}, history, position);
  }

  // "greedy,temperature,top_k,...": the rows of samplers.def.
  static std::string names();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
