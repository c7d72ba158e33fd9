#include "lookup.hpp"

#include <algorithm>
#include <bit>

namespace lq {

// ---- Where it stood before --------------------------------------------------------------------------------------

std::uint32_t& NgramIndex::slot(std::size_t size, std::span<const std::int32_t> tokens, std::size_t end) noexcept {
  std::uint64_t h = kSizes[size];
  for (std::size_t i = end - kSizes[size]; i < end; ++i)
    h = (h ^ static_cast<std::uint32_t>(tokens[i])) * 0x9e3779b97f4a7c15u, h ^= h >> 29;
  return slots_[size * (mask_ + 1) + (h >> 20 & mask_)];
}

// Twice as many slots as tokens, up to the limit; the tables are then filled again.
void NgramIndex::grow(std::size_t tokens) {
  const std::size_t wanted = std::clamp(std::bit_ceil(2 * tokens), kFewestSlots, kMostSlots);
  if (!slots_.empty() && wanted <= mask_ + 1) return;
  std::vector<std::uint32_t> slots(kSizes.size() * wanted);
  slots_.swap(slots);
  mask_ = wanted - 1;
  indexed_ = 0;
}

void NgramIndex::clear() noexcept {
  std::fill(slots_.begin(), slots_.end(), 0);
  indexed_ = from_ = 0;
}

NgramIndex::Match NgramIndex::match(std::span<const std::int32_t> tokens) {
  const std::size_t n = tokens.size(), before = indexed_;
  grow(n);
  // The n-grams at the very end stay out: nothing has followed them yet.
  for (std::size_t end = indexed_ + 1; end < n; ++end)
    for (std::size_t size = 0; size < kSizes.size(); ++size)
      if (end >= kSizes[size]) slot(size, tokens, end) = static_cast<std::uint32_t>(end);
  if (n > 0) indexed_ = n - 1;
  Match best;
  const auto consider = [&](std::size_t from) {
    std::size_t length = 0;
    while (length < kMeasured && length < from && tokens[from - 1 - length] == tokens[n - 1 - length]) ++length;
    if (length >= kShortest && length > best.length) best = {from, length};
  };
  // Where the last match has led to meanwhile: it may agree for longer than the latest place that the tables know.
  if (from_ > 0 && before < n && from_ + (n - 1 - before) < n) consider(from_ + (n - 1 - before));
  for (std::size_t size = 0; size < kSizes.size() && best.length < kMeasured; ++size)
    if (n >= kSizes[size])
      if (const std::size_t from = slot(size, tokens, n)) consider(from);
  from_ = best.length ? best.from : 0;
  return best;
}

// ---- Whether to use it --------------------------------------------------------------------------------------------

namespace {

constexpr float kMemory = 0.97f;      // weight of what was seen one observation earlier
constexpr double kWorthwhile = 1.05;  // expected tokens for the time, beside one token for one pass
constexpr float kFading = 1.0f / 128;

// Before anything was measured: a row more costs a fifth of a pass of one row.
constexpr float assumed_cost(std::size_t rows) { return 0.8f + 0.2f * static_cast<float>(rows); }

}  // namespace

std::size_t DraftPolicy::class_of(std::size_t length) noexcept {
  constexpr std::array<std::size_t, 6> kUpTo = {2, 3, 5, 8, 15, 31};
  return static_cast<std::size_t>(std::lower_bound(kUpTo.begin(), kUpTo.end(), length) - kUpTo.begin());
}

DraftPolicy::DraftPolicy() noexcept {
  constexpr std::array<float, 7> kUsual = {0.25f, 0.4f, 0.5f, 0.7f, 0.85f, 0.9f, 0.95f};
  for (std::size_t i = 0; i < chances_.size(); ++i) chances_[i] = {4 * kUsual[i], 4};
  for (std::size_t rows = 0; rows < cost_.size(); ++rows) cost_[rows] = assumed_cost(rows);
}

void DraftPolicy::observe(std::size_t length, bool right) noexcept {
  Chance& c = chances_[class_of(length)];
  c.right = kMemory * c.right + (right ? 1.0f : 0.0f);
  c.seen = kMemory * c.seen + 1.0f;
}

void DraftPolicy::timed(std::size_t rows, double us) noexcept {
  if (rows == 1) {
    single_us_ = single_us_ > 0 ? single_us_ + 0.2 * (std::min(us, 2 * single_us_) - single_us_) : us;
  } else if (rows < cost_.size() && single_us_ > 0) {
    // So many rows cost no more than so many passes; what says otherwise was disturbed. What is learnt about one number
    // of rows goes for the others too, by half.
    const double seen = std::clamp(us / single_us_, 1.0, static_cast<double>(rows));
    const float off = static_cast<float>(seen) / cost_[rows] - 1;
    for (std::size_t r = 2; r < cost_.size(); ++r)
      cost_[r] = std::max(1.0f, cost_[r] * (1 + (r == rows ? 0.4f : 0.2f) * off));
  }
}

std::size_t DraftPolicy::draft(std::size_t length, std::size_t most) noexcept {
  most = std::min(most, kMost);
  std::size_t best = 0;
  double best_gain = kWorthwhile, expected = 1, all_right = 1;
  for (std::size_t k = 1; k <= most; ++k) {
    all_right *= chances_[class_of(length + k - 1)].value();
    expected += all_right;
    const double gain = expected / static_cast<double>(cost_[k + 1]);
    if (gain > best_gain) best_gain = gain, best = k;
  }
  // A cost fades towards what is usual while it keeps drafts from being made: one bad measurement must not end them.
  if (best == 0)
    for (std::size_t rows = 2; rows < cost_.size(); ++rows) cost_[rows] += kFading * (assumed_cost(rows) - cost_[rows]);
  return best;
}

}  // namespace lq
