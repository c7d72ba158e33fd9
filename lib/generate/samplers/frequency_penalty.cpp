// Subtracts the penalty from a token's logit once for each time it occurred recently (OpenAI API, "frequency_penalty").
#include <cmath>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_frequency_penalty(std::span<const double> v) {
  LQ_CHECK(std::abs(v[0]) <= 1e6, Code::invalid_argument, "sampler: frequency_penalty is ", v[0],
           ", expected a moderate number");
  check_window("frequency_penalty", v);
}

void apply_frequency_penalty(Candidates& c, const StageContext& s) {
  if (s.values[0] == 0.0) return;
  c.change_recent(recent(s), [penalty = static_cast<float>(s.values[0])](float logit, std::size_t times) {
    for (; times > 0; --times) logit -= penalty;
    return logit;
  });
}

}  // namespace lq::samplers
