// Nucleus sampling (Holtzman et al. 2020): the smallest set of most probable tokens whose probabilities reach p.
#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_top_p(std::span<const double> v) {
  LQ_CHECK(v[0] > 0 && v[0] <= 1, Code::invalid_argument, "sampler: top_p is ", v[0], ", expected over 0 and up to 1");
}

void apply_top_p(Candidates& c, const StageContext& s) {
  if (s.values[0] < 1.0) c.keep_mass(s.values[0]);
}

}  // namespace lq::samplers
