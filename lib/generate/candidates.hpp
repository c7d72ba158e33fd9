// The working set of one draw. It starts dense, one logit per token of the vocabulary, and becomes a short list as soon
// as a stage truncates it, so that no stage ever sorts the vocabulary. Not thread-safe; buffers are reused.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dense_logits.hpp"
#include "loquor/generate/sampler.hpp"

namespace lq {

class Candidates {
 public:
  explicit Candidates(const KernelTable& kernels) : kernels_(&kernels), all_(kernels) {}
  // Borrows the logits until the end of the draw; NaN counts as -infinity, +infinity as the largest float. Throws
  // Error{invalid_argument} if none is finite.
  void assign(const LogitsRow& row);

  std::size_t size() const noexcept { return dense_ ? all_.size() : list_.size(); }
  std::vector<Candidate>& list() noexcept { return list_; }  // once it is a list

  // Gives the token, if it is left, the logit fn(its logit).
  template <class Fn>
  void change(std::int32_t token, Fn fn);
  // Gives each token that occurs among `recent` and is left the logit fn(its logit, how often it occurs).
  template <class Fn>
  void change_recent(std::span<const std::int32_t> recent, Fn fn);

  void set_unsorted() noexcept { sorted_ = false; }  // the list was changed from outside
  // Makes it a list, unsorted, of all that is left.
  void materialise();
  // Best first; equal logits by ascending id. Makes it a list.
  void sort();
  void keep_only_best();
  void keep_best(std::size_t k);    // the k best, sorted
  void keep_at_least(float logit);  // those with a logit >= this, order kept
  float max() const noexcept;
  // Sum of exp(logit - max()) over all.
  double sum_exp() noexcept;
  // The first entries of the sorted list whose probabilities add up to p of the whole.
  void keep_mass(double p);
  void scale(float factor) noexcept;
  std::int32_t best() noexcept;  // the smaller id on a tie
  // The token at which the cumulated probability passes u in [0, 1).
  std::int32_t draw(double u);

 private:
  const std::vector<std::int32_t>& sorted_recent(std::span<const std::int32_t> recent);
  void become_list() noexcept;
  void keep_mass_of_all(double p);
  double weigh();  // weights_[i] := exp(list_[i] - max()); returns their sum

  const KernelTable* kernels_;
  DenseLogits all_;
  bool dense_ = true, sorted_ = false;
  std::vector<Candidate> list_, band_, scratch_;
  std::vector<double> weights_;
  std::vector<std::int32_t> recent_;
  std::span<const std::int32_t> recent_of_;  // what recent_ was made from in this draw
};

template <class Fn>
void Candidates::change(std::int32_t token, Fn fn) {
  if (dense_) {
    if (all_.holds(token)) all_.set(token, fn(all_.get(token)));
    return;
  }
  sorted_ = false;
  for (Candidate& c : list_)
    if (c.token == token) c.logit = fn(c.logit);
}

template <class Fn>
void Candidates::change_recent(std::span<const std::int32_t> recent, Fn fn) {
  const std::vector<std::int32_t>& tokens = sorted_recent(recent);
  if (dense_) {
    for (std::size_t i = 0, end; i < tokens.size(); i = end) {
      for (end = i + 1; end < tokens.size() && tokens[end] == tokens[i];) ++end;
      change(tokens[i], [&](float logit) { return fn(logit, end - i); });
    }
    return;
  }
  sorted_ = false;
  for (Candidate& c : list_) {
    const auto [first, last] = std::equal_range(tokens.begin(), tokens.end(), c.token);
    if (first != last) c.logit = fn(c.logit, static_cast<std::size_t>(last - first));
  }
}

// What a stage may look at.
struct StageContext {
  std::span<const double> values;
  std::span<const std::int32_t> history;
};

namespace samplers {
#define LQ_SAMPLER(name, fewest, most)               \
  void check_##name(std::span<const double> values); \
  void apply_##name(Candidates& candidates, const StageContext& context);
#include "loquor/generate/samplers.def"
#undef LQ_SAMPLER

// The last `values[1]` (64 if absent, all if negative) tokens of the history.
std::span<const std::int32_t> recent(const StageContext& context) noexcept;
// values[1], if there, is a whole number >= -1.
void check_window(const char* name, std::span<const double> values);
}  // namespace samplers

}  // namespace lq
