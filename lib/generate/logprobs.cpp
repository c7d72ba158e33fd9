#include "loquor/generate/logprobs.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "candidates.hpp"

namespace lq {

struct Logprobs::Impl {
  Candidates best;
};

Logprobs::Logprobs(const KernelTable& kernels) : impl_(new Impl{Candidates(kernels)}) {}
Logprobs::Logprobs(Logprobs&&) noexcept = default;
Logprobs::~Logprobs() = default;

float Logprobs::compute(const LogitsRow& logits, std::int32_t token, std::size_t n, std::vector<TokenLogprob>& top) {
  Candidates& best = impl_->best;
  best.assign(logits);
  const double log_sum = static_cast<double>(best.max()) + std::log(best.sum_exp());
  best.keep_best(std::min(n, logits.values.size()));
  top.clear();
  for (const Candidate& c : best.list())
    top.push_back({c.token, static_cast<float>(static_cast<double>(c.logit) - log_sum)});
  const float logit = std::min(logits.values[static_cast<std::size_t>(token)], std::numeric_limits<float>::max());
  return static_cast<float>(static_cast<double>(logit) - log_sum);
}

}  // namespace lq
