// Keeps the most probable token.
#include "../candidates.hpp"

namespace lq::samplers {

void check_greedy(std::span<const double>) {}

void apply_greedy(Candidates& c, const StageContext&) { c.keep_only_best(); }

}  // namespace lq::samplers
