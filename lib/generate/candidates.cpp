#include "candidates.hpp"

#include <cmath>
#include <limits>

#include "loquor/core/status.hpp"
#include "order.hpp"

namespace lq {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr float kLowest = std::numeric_limits<float>::lowest();

double weight(float logit, float top) noexcept {
  return std::exp(static_cast<double>(logit) - static_cast<double>(top));
}

}  // namespace

void Candidates::assign(const LogitsRow& row) {
  all_.assign(row);
  LQ_CHECK(all_.max() > kNone, Code::invalid_argument, "sampler: none of the ", row.values.size(), " logits is finite");
  list_.clear();
  recent_of_ = {};
  dense_ = true;
  sorted_ = false;
}

const std::vector<std::int32_t>& Candidates::sorted_recent(std::span<const std::int32_t> recent) {
  if (recent.data() != recent_of_.data() || recent.size() != recent_of_.size()) {
    recent_.assign(recent.begin(), recent.end());
    std::sort(recent_.begin(), recent_.end());
    recent_of_ = recent;
  }
  return recent_;
}

void Candidates::become_list() noexcept { dense_ = sorted_ = false; }

void Candidates::materialise() {
  if (!dense_) return;
  all_.collect(kLowest, list_);
  become_list();
}

void Candidates::sort() {
  materialise();
  if (!sorted_) sort_candidates(*kernels_, list_, scratch_);
  sorted_ = true;
}

void Candidates::keep_only_best() {
  const std::int32_t token = best();
  if (dense_) {
    list_.assign(1, {token, all_.get(token)});
    become_list();
  } else {
    std::erase_if(list_, [token](const Candidate& c) { return c.token != token; });
  }
}

void Candidates::keep_best(std::size_t k) {
  if (dense_) {
    all_.collect(all_.reached_by(k), list_);
    become_list();
  }
  if (!sorted_ && list_.size() > std::max<std::size_t>(4 * k, 1000)) {  // else sorting all is as fast
    std::nth_element(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(k), list_.end(), better);
    list_.resize(k);
  }
  sort();
  if (k < list_.size()) list_.resize(k);
}

void Candidates::keep_at_least(float logit) {
  if (!dense_) {
    std::erase_if(list_, [logit](const Candidate& c) { return c.logit < logit; });
    return;
  }
  all_.collect(logit, list_);
  become_list();
}

float Candidates::max() const noexcept {
  if (dense_) return all_.max();
  if (sorted_) return list_.front().logit;
  float m = kNone;
  for (const Candidate& c : list_) m = std::max(m, c.logit);
  return m;
}

double Candidates::weigh() {
  const float top = max();
  weights_.resize(list_.size());
  double sum = 0;
  for (std::size_t i = 0; i < list_.size(); ++i) sum += weights_[i] = weight(list_[i].logit, top);
  return sum;
}

double Candidates::sum_exp() noexcept {
  if (dense_) return all_.sum_exp();
  const float top = max();
  double sum = 0;
  for (const Candidate& c : list_) sum += weight(c.logit, top);
  return sum;
}

// From the top down, in bands that are sorted each for itself: what is not needed is never sorted, nor its exp taken.
void Candidates::keep_mass_of_all(double p) {
  const float top = max();
  const double wanted = p * sum_exp();
  double sum = 0;
  list_.clear();
  float below = std::numeric_limits<float>::infinity();
  for (float reach = 1; sum < wanted && below > kLowest; reach += reach < 8 ? 1 : reach / 2) {
    const float from = reach < 100 ? std::max(top - reach, kLowest) : kLowest;
    all_.collect(from, band_, below);
    sort_candidates(*kernels_, band_, scratch_);
    for (std::size_t i = 0; i < band_.size() && sum < wanted; ++i) {
      list_.push_back(band_[i]);
      sum += weight(band_[i].logit, top);
    }
    below = from;
  }
  dense_ = false;
  sorted_ = true;
}

void Candidates::keep_mass(double p) {
  if (dense_) return keep_mass_of_all(p);
  const double wanted = p * weigh();
  if (!sorted_) {
    sort();
    weigh();
  }
  double sum = 0;
  std::size_t n = 0;
  while (n < list_.size() && sum < wanted) sum += weights_[n++];
  list_.resize(std::max<std::size_t>(n, 1));
}

void Candidates::scale(float factor) noexcept {
  if (dense_) return all_.scale(factor);
  for (Candidate& c : list_)
    if (c.logit > kNone) c.logit = std::clamp(c.logit * factor, -1e30f, 1e30f);
}

std::int32_t Candidates::best() noexcept {
  if (dense_) return all_.best();
  const Candidate* best = &list_.front();
  for (const Candidate& c : list_)
    if (better(c, *best)) best = &c;
  return best->token;
}

std::int32_t Candidates::draw(double u) {
  std::int32_t last = best();
  double sum = 0;
  if (dense_) {
    const std::span<const float> logits = all_.whole();
    const float top = max();
    const double wanted = u * sum_exp();
    for (std::size_t i = 0; i < logits.size(); ++i) {
      if (!(logits[i] > kNone)) continue;  // nor NaN
      const double w = weight(logits[i], top);
      if (w > 0) last = static_cast<std::int32_t>(i);
      if ((sum += w) > wanted) return static_cast<std::int32_t>(i);
    }
    return last;
  }
  const double wanted = u * weigh();
  for (std::size_t i = 0; i < list_.size(); ++i) {
    if (weights_[i] > 0) last = list_[i].token;
    if ((sum += weights_[i]) > wanted) return list_[i].token;
  }
  return last;
}

}  // namespace lq
