#include "loquor/generate/logprobs.hpp"

#include <algorithm>
#include <cmath>

#include "candidates.hpp"
#include "loquor/kernels/table.hpp"

namespace lq {

struct Logprobs::Impl {
  const KernelTable& kernels;
  Candidates best;
};

Logprobs::Logprobs(const KernelTable& kernels) : impl_(new Impl{kernels, {}}) {}
Logprobs::Logprobs(Logprobs&&) noexcept = default;
Logprobs::~Logprobs() = default;

float Logprobs::compute(std::span<const float> logits, std::int32_t token, std::size_t n,
                        std::vector<TokenLogprob>& top) {
  float max;
  double sum;
  impl_->kernels.max_sumexp(logits.data(), logits.size(), &max, &sum);
  const double log_sum = static_cast<double>(max) + std::log(sum);
  Candidates& best = impl_->best;
  best.assign(logits);
  best.keep_best(std::min(n, logits.size()));
  top.clear();
  for (const Candidate& c : best.list())
    top.push_back({c.token, static_cast<float>(static_cast<double>(c.logit) - log_sum)});
  return static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(token)]) - log_sum);
}

}  // namespace lq
