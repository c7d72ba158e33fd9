// Keeps tokens at least p times as probable as the best one (Nguyen et al. 2024).
#include <cmath>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_min_p(std::span<const double> v) {
  LQ_CHECK(v[0] >= 0 && v[0] <= 1, Code::invalid_argument, "sampler: min_p is ", v[0], ", expected 0 to 1");
}

void apply_min_p(Candidates& c, const StageContext& s) {
  if (s.values[0] > 0) c.keep_at_least(c.max() + static_cast<float>(std::log(s.values[0])));
}

}  // namespace lq::samplers
