// The working set of one draw. It starts dense, one logit per token of the vocabulary, and becomes a short list as soon
// as a stage truncates it, so that no stage ever sorts the vocabulary. Not thread-safe; buffers are reused.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "loquor/generate/sampler.hpp"

namespace lq {

struct KernelTable;

class Candidates {
 public:
  Candidates();
  // Copies the logits; NaN becomes -infinity, +infinity the largest float. Throws Error{invalid_argument} if none is
  // finite.
  void assign(std::span<const float> logits);

  bool dense() const noexcept { return dense_; }
  std::size_t size() const noexcept { return dense_ ? logits_.size() : list_.size(); }
  std::span<float> logits() noexcept { return logits_; }     // while dense()
  std::vector<Candidate>& list() noexcept { return list_; }  // once not dense()
  // The logit of one token, nullptr if it has been cut.
  float* find(std::int32_t token) noexcept;

  void set_unsorted() noexcept { sorted_ = false; }  // the list was changed from outside
  // Makes it a list, unsorted, of all that is left.
  void materialise();
  // Best first; equal logits by ascending id. Makes it a list.
  void sort();
  void keep_best(std::size_t k);    // the k best, sorted
  void keep_at_least(float logit);  // those with a logit >= this, order kept
  float max() const noexcept;
  // Sum of exp(logit - max()) over all.
  double sum_exp(float max) const noexcept;
  // The first entries of the sorted list whose probabilities add up to p of the whole.
  void keep_mass(double p);
  void scale(float factor) noexcept;
  std::int32_t best() const noexcept;  // the smaller id on a tie
  // The token at which the cumulated probability passes u in [0, 1).
  std::int32_t draw(double u) const noexcept;

 private:
  void collect(float threshold);

  const KernelTable* kernels_;
  bool dense_ = true, sorted_ = false;
  std::vector<float> logits_, block_max_;
  std::vector<Candidate> list_;
  std::vector<std::int32_t> found_;
};

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
