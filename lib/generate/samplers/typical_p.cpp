// Locally typical sampling (Meister et al. 2022): the tokens whose surprise is nearest to the entropy, until their
// probabilities pass p.
#include <algorithm>
#include <cmath>
#include <vector>

#include "../candidates.hpp"
#include "loquor/core/status.hpp"

namespace lq::samplers {

void check_typical_p(std::span<const double> v) {
  LQ_CHECK(v[0] > 0 && v[0] <= 1, Code::invalid_argument, "sampler: typical_p is ", v[0],
           ", expected over 0 and up to 1");
}

void apply_typical_p(Candidates& c, const StageContext& s) {
  if (s.values[0] >= 1.0) return;
  c.materialise();
  std::vector<Candidate>& list = c.list();
  const double top = static_cast<double>(c.max()), log_sum = std::log(c.sum_exp());
  struct Entry {
    double distance, p;
    Candidate candidate;
  };
  std::vector<Entry> entries;
  entries.reserve(list.size());
  double entropy = 0;
  for (const Candidate& x : list) {
    const double log_p = static_cast<double>(x.logit) - top - log_sum, p = std::exp(log_p);
    if (p > 0) entropy -= p * log_p;
    entries.push_back({-log_p, p, x});
  }
  for (Entry& e : entries) e.distance = std::abs(e.distance - entropy);
  const auto nearer = [](const Entry& a, const Entry& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.candidate.token < b.candidate.token);
  };
  double sum = 0;
  std::size_t n = 0;
  // Few are taken as a rule: sort ever more of the nearest until they are enough.
  for (std::size_t sorted = 0, more = 256; n < entries.size() && sum <= s.values[0]; more *= 4) {
    const auto begin = entries.begin() + static_cast<std::ptrdiff_t>(sorted);
    sorted += std::min(more, entries.size() - sorted);
    const auto end = entries.begin() + static_cast<std::ptrdiff_t>(sorted);
    std::nth_element(begin, end, entries.end(), nearer);
    std::sort(begin, end, nearer);
    while (n < sorted && sum <= s.values[0]) sum += entries[n++].p;
  }
  list.clear();
  for (std::size_t i = 0; i < n; ++i) list.push_back(entries[i].candidate);
  c.set_unsorted();
}

}  // namespace lq::samplers
