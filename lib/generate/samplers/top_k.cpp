// Keeps the k most probable tokens (Fan et al. 2018). 0 keeps all.
#include <cmath>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_top_k(std::span<const double> v) {
  LQ_CHECK(v[0] >= 0 && v[0] <= 2147483647.0 && v[0] == std::floor(v[0]), Code::invalid_argument, "sampler: top_k is ",
           v[0], ", expected a whole number of 0 or more");
}

void apply_top_k(Candidates& c, const StageContext& s) {
  const auto k = static_cast<std::size_t>(s.values[0]);
  if (k > 0 && k < c.size()) c.keep_best(k);
}

}  // namespace lq::samplers
