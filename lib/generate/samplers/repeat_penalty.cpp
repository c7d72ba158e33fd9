// Repetition penalty (Keskar et al. 2019): makes recent tokens less likely, once each however often they occurred.
#include "../candidates.hpp"
#include "loquor/core/status.hpp"

#include <cmath>

namespace lq::samplers {

std::span<const std::int32_t> recent(const StageContext& s) noexcept {
  const double window = s.values.size() > 1 ? s.values[1] : 64;
  if (window < 0 || window >= static_cast<double>(s.history.size())) return s.history;
  return s.history.last(static_cast<std::size_t>(window));
}

void check_window(const char* name, std::span<const double> v) {
  if (v.size() > 1)
    LQ_CHECK(v[1] >= -1 && v[1] == std::floor(v[1]), Code::invalid_argument, "sampler: the window of ", name, " is ",
             v[1], ", expected a whole number of -1 or more");
}

void check_repeat_penalty(std::span<const double> v) {
  LQ_CHECK(v[0] > 0 && v[0] <= 1e6, Code::invalid_argument, "sampler: repeat_penalty is ", v[0], ", expected over 0");
  check_window("repeat_penalty", v);
}

void apply_repeat_penalty(Candidates& c, const StageContext& s) {
  if (s.values[0] == 1.0) return;
  c.change_recent(recent(s), [penalty = static_cast<float>(s.values[0])](float logit, std::size_t) {
    return logit > 0 ? logit / penalty : logit * penalty;
  });
}

}  // namespace lq::samplers
