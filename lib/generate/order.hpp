// The order of candidates: best first, equal logits by ascending token.
#pragma once

#include <vector>

#include "loquor/generate/sampler.hpp"

namespace lq {

struct KernelTable;

inline bool better(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// Sorts by better(); no logit is NaN. Much faster if the tokens ascend. `scratch` holds nothing of use before or after.
void sort_candidates(const KernelTable& kernels, std::vector<Candidate>& list, std::vector<Candidate>& scratch);

}  // namespace lq
