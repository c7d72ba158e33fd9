#include "order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

constexpr std::size_t kShort = 384;  // above this, passes over digits are faster than comparing all pairs
constexpr unsigned kDigits = 3, kDigitBits = 11;
constexpr std::uint32_t kDigitMask = (1u << kDigitBits) - 1;

// Unsigned, ascending for falling logits; -0 is +0.
std::uint32_t key(float logit) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(logit + 0.0f);
  return bits >> 31 ? bits : bits ^ 0x7fffffffu;
}

// By digits, least significant first. It is stable, so equal logits stay in the order of their tokens.
void radix_sort(std::vector<Candidate>& list, std::vector<Candidate>& scratch) {
  std::array<std::array<std::uint32_t, kDigitMask + 1>, kDigits> at{};
  for (const Candidate& c : list)
    for (unsigned d = 0; d < kDigits; ++d) ++at[d][(key(c.logit) >> (d * kDigitBits)) & kDigitMask];
  scratch.resize(list.size());
  for (unsigned d = 0; d < kDigits; ++d) {
    std::uint32_t next = 0;
    for (std::uint32_t& a : at[d]) next += std::exchange(a, next);
    for (const Candidate& c : list) scratch[at[d][(key(c.logit) >> (d * kDigitBits)) & kDigitMask]++] = c;
    list.swap(scratch);
  }
}

void rank_sort(const KernelTable& kernels, std::vector<Candidate>& list, std::vector<Candidate>& scratch) {
  std::array<float, kShort> logits;
  std::array<std::int32_t, kShort> ranks;
  for (std::size_t i = 0; i < list.size(); ++i) logits[i] = list[i].logit;
  kernels.rank(logits.data(), list.size(), ranks.data());
  scratch.resize(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) scratch[static_cast<std::size_t>(ranks[i])] = list[i];
  list.swap(scratch);
}

}  // namespace

void sort_candidates(const KernelTable& kernels, std::vector<Candidate>& list, std::vector<Candidate>& scratch) {
  const auto ascends = [](const Candidate& a, const Candidate& b) { return a.token < b.token; };
  if (!std::is_sorted(list.begin(), list.end(), ascends)) return std::sort(list.begin(), list.end(), better);
  list.size() <= kShort ? rank_sort(kernels, list, scratch) : radix_sort(list, scratch);
}

}  // namespace lq
