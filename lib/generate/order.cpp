#include "order.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

namespace lq {
namespace {

constexpr std::size_t kFewest = 400;  // below this, comparing is faster
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

}  // namespace

void sort_candidates(std::vector<Candidate>& list, std::vector<Candidate>& scratch) {
  const auto ascends = [](const Candidate& a, const Candidate& b) { return a.token < b.token; };
  if (list.size() >= kFewest && std::is_sorted(list.begin(), list.end(), ascends)) return radix_sort(list, scratch);
  std::sort(list.begin(), list.end(), better);
}

}  // namespace lq
