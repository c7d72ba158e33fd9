// The order of candidates: best first, equal logits by ascending token.
#pragma once

#include <vector>

#include "loquor/generate/sampler.hpp"

namespace lq {

inline bool better(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// Sorts by better(); no logit is NaN. In linear time if the list is long and its tokens ascend. `scratch` holds nothing
// of use before or after.
void sort_candidates(std::vector<Candidate>& list, std::vector<Candidate>& scratch);

}  // namespace lq
