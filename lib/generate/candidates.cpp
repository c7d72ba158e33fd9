#include "candidates.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "loquor/core/status.hpp"
#include "loquor/kernels/dispatch.hpp"
#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr float kNone = -std::numeric_limits<float>::infinity();
constexpr std::size_t kBlockSize = 64;

bool better(const Candidate& a, const Candidate& b) noexcept {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

}  // namespace

Candidates::Candidates() : kernels_(&select_kernels()) {}

void Candidates::assign(std::span<const float> logits) {
  logits_.resize(logits.size());
  bool any = false;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const float x = logits[i];
    const float y = x == x ? std::min(x, std::numeric_limits<float>::max()) : kNone;
    any |= y > kNone;
    logits_[i] = y;
  }
  LQ_CHECK(any, Code::invalid_argument, "sampler: none of the ", logits.size(), " logits is finite");
  list_.clear();
  dense_ = true;
  sorted_ = false;
}

float* Candidates::find(std::int32_t token) noexcept {
  if (dense_)
    return token >= 0 && static_cast<std::size_t>(token) < logits_.size() ? &logits_[static_cast<std::size_t>(token)]
                                                                          : nullptr;
  sorted_ = false;  // the caller is going to change it
  for (Candidate& c : list_)
    if (c.token == token) return &c.logit;
  return nullptr;
}

void Candidates::materialise() {
  if (!dense_) return;
  list_.clear();
  list_.reserve(logits_.size());
  for (std::size_t i = 0; i < logits_.size(); ++i)
    if (logits_[i] > kNone) list_.push_back({static_cast<std::int32_t>(i), logits_[i]});
  dense_ = false;
  sorted_ = false;
}

void Candidates::sort() {
  materialise();
  if (!sorted_) std::sort(list_.begin(), list_.end(), better);
  sorted_ = true;
}

void Candidates::collect(float threshold) {
  found_.resize(logits_.size());
  const std::size_t n =
      kernels_->collect_at_least(logits_.data(), logits_.size(), threshold, found_.data(), found_.size());
  list_.clear();
  list_.reserve(n);
  for (std::size_t i = 0; i < n; ++i) list_.push_back({found_[i], logits_[static_cast<std::size_t>(found_[i])]});
  dense_ = false;
  sorted_ = false;
}

void Candidates::keep_best(std::size_t k) {
  if (dense_ && k < logits_.size() / kBlockSize) {
    // The k-th largest of the blocks' maxima is a lower bound of the k-th largest value: at least k values reach it.
    block_max_.clear();
    for (std::size_t i = 0; i < logits_.size(); i += kBlockSize) {
      float m = kNone;
      for (std::size_t j = i; j < std::min(i + kBlockSize, logits_.size()); ++j) m = std::max(m, logits_[j]);
      block_max_.push_back(m);
    }
    std::nth_element(block_max_.begin(), block_max_.begin() + static_cast<std::ptrdiff_t>(k - 1), block_max_.end(),
                     std::greater<float>());
    const float threshold = block_max_[k - 1];
    collect(threshold > kNone ? threshold : std::numeric_limits<float>::lowest());
  }
  materialise();
  if (!sorted_ && k < list_.size()) {
    std::nth_element(list_.begin(), list_.begin() + static_cast<std::ptrdiff_t>(k), list_.end(), better);
    list_.resize(k);
  }
  sort();
  if (k < list_.size()) list_.resize(k);
}

void Candidates::keep_at_least(float logit) {
  if (dense_) return collect(std::max(logit, std::numeric_limits<float>::lowest()));
  std::erase_if(list_, [logit](const Candidate& c) { return c.logit < logit; });
}

float Candidates::max() const noexcept {
  if (dense_) return logits_[kernels_->argmax(logits_.data(), logits_.size())];
  if (sorted_) return list_.front().logit;
  float m = kNone;
  for (const Candidate& c : list_) m = std::max(m, c.logit);
  return m;
}

double Candidates::sum_exp(float max) const noexcept {
  double sum = 0;
  if (dense_) {
    float top;
    kernels_->max_sumexp(logits_.data(), logits_.size(), &top, &sum);
    return sum * std::exp(static_cast<double>(top) - static_cast<double>(max));
  }
  for (const Candidate& c : list_) sum += std::exp(static_cast<double>(c.logit) - static_cast<double>(max));
  return sum;
}

void Candidates::keep_mass(double p) {
  const float top = max();
  const double wanted = p * sum_exp(top);
  // Most of the probability lies near the best logit: look at ever more of the rest until enough is found.
  for (float reach = 8.0f; dense_; reach *= 2) {
    const std::size_t all = logits_.size();
    if (reach > 256.0f) {
      materialise();
      break;
    }
    collect(top - reach);
    if (sum_exp(top) >= wanted || list_.size() == all) break;
    dense_ = true;
  }
  sort();
  double sum = 0;
  std::size_t n = 0;
  while (n < list_.size() && sum < wanted)
    sum += std::exp(static_cast<double>(list_[n++].logit) - static_cast<double>(top));
  list_.resize(std::max<std::size_t>(n, 1));
}

void Candidates::scale(float factor) noexcept {
  const auto bounded = [factor](float x) { return x == kNone ? x : std::clamp(x * factor, -1e30f, 1e30f); };
  if (dense_)
    for (float& x : logits_) x = bounded(x);
  else
    for (Candidate& c : list_) c.logit = bounded(c.logit);
}

std::int32_t Candidates::best() const noexcept {
  if (dense_) return static_cast<std::int32_t>(kernels_->argmax(logits_.data(), logits_.size()));
  const Candidate* best = &list_.front();
  for (const Candidate& c : list_)
    if (better(c, *best)) best = &c;
  return best->token;
}

std::int32_t Candidates::draw(double u) const noexcept {
  const float top = max();
  const double wanted = u * sum_exp(top);
  double sum = 0;
  std::int32_t last = best();
  const auto passed = [&](std::int32_t token, float logit) {
    const double w = std::exp(static_cast<double>(logit) - static_cast<double>(top));
    if (w > 0) last = token;
    return (sum += w) > wanted;
  };
  if (dense_) {
    for (std::size_t i = 0; i < logits_.size(); ++i)
      if (passed(static_cast<std::int32_t>(i), logits_[i])) return static_cast<std::int32_t>(i);
    return last;
  }
  for (const Candidate& c : list_)
    if (passed(c.token, c.logit)) return c.token;
  return last;
}

}  // namespace lq
