// Subtracts the penalty once from the logit of each token that occurred recently (OpenAI API, "presence_penalty").
#include <cmath>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_presence_penalty(std::span<const double> v) {
  LQ_CHECK(std::abs(v[0]) <= 1e6, Code::invalid_argument, "sampler: presence_penalty is ", v[0],
           ", expected a moderate number");
  check_window("presence_penalty", v);
}

void apply_presence_penalty(Candidates& c, const StageContext& s) {
  if (s.values[0] == 0.0) return;
  c.change_recent(recent(s),
                  [penalty = static_cast<float>(s.values[0])](float logit, std::size_t) { return logit - penalty; });
}

}  // namespace lq::samplers
