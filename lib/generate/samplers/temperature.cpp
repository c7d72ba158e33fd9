// Divides the logits by t: above 1 flattens the distribution, below 1 sharpens it; 0 is greedy.
#include <cmath>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_temperature(std::span<const double> v) {
  LQ_CHECK(v[0] >= 0 && std::isfinite(v[0]), Code::invalid_argument, "sampler: temperature is ", v[0],
           ", expected 0 or more");
}

void apply_temperature(Candidates& c, const StageContext& s) {
  // Below this the best token's probability is 1 in any case, and 1 / t would overflow.
  if (s.values[0] < 1e-6) return apply_greedy(c, s);
  if (s.values[0] != 1.0) c.scale(static_cast<float>(1.0 / s.values[0]));
}

}  // namespace lq::samplers
