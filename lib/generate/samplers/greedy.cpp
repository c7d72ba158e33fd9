// Keeps the most probable token.
#include "../candidates.hpp"

namespace lq::samplers {

void check_greedy(std::span<const double>) {}

void apply_greedy(Candidates& c, const StageContext&) {
  const std::int32_t token = c.best();
  const float logit = *c.find(token);
  c.materialise();
  c.list().assign(1, {token, logit});
}

}  // namespace lq::samplers
