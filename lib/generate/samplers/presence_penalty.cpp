// Subtracts the penalty once from the logit of each token that occurred recently (OpenAI API, "presence_penalty").
#include <algorithm>
#include <cmath>
#include <vector>

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
  const auto window = recent(s);
  std::vector<std::int32_t> tokens(window.begin(), window.end());
  std::sort(tokens.begin(), tokens.end());
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  for (std::int32_t token : tokens)
    if (float* x = c.find(token)) *x -= static_cast<float>(s.values[0]);
}

}  // namespace lq::samplers
