#include "generate/lookup.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <map>

#include "tiny_session.hpp"

using namespace lq_test;
using lq::DraftPolicy;
using lq::NgramIndex;

namespace {

std::size_t agreement(const Tokens& t, std::size_t from) {
  std::size_t n = 0;
  while (n < NgramIndex::kMeasured && n < from && t[from - 1 - n] == t[t.size() - 1 - n]) ++n;
  return n;
}

// Draws from `kinds` tokens: with few of them everything has occurred before.
Tokens drawn(std::size_t n, std::uint64_t kinds, std::uint64_t seed) {
  lq::Random random(seed);
  Tokens t;
  for (std::size_t i = 0; i < n; ++i) t.push_back(static_cast<std::int32_t>(random.next() % kinds));
  return t;
}

}  // namespace

TEST_CASE("a match is an earlier place that agrees for as long as it says", "[lookup]") {
  for (const std::uint64_t kinds : {1u, 2u, 5u, 40u}) {
    const Tokens all = drawn(600, kinds, kinds);
    NgramIndex index;
    std::size_t found = 0;
    for (std::size_t n = 1; n <= all.size(); n += 1 + n % 3) {  // also several tokens at once
      const Tokens t(all.begin(), all.begin() + static_cast<long>(n));
      const NgramIndex::Match m = index.match(t);
      if (m.length == 0) continue;
      ++found;
      REQUIRE(m.from < n);
      REQUIRE(m.length >= NgramIndex::kShortest);
      REQUIRE(m.length == agreement(t, m.from));
    }
    INFO(kinds << " kinds");
    CHECK(found > (kinds == 40 ? 50u : 250u));
  }
}

TEST_CASE("every two tokens that stood together before are found", "[lookup]") {
  const Tokens t = drawn(400, 12, 3);
  NgramIndex index;
  std::map<std::pair<int, int>, std::size_t> seen;
  std::size_t missed = 0;
  for (std::size_t n = 2; n <= t.size(); ++n) {
    const auto last = std::pair(t[n - 2], t[n - 1]);
    const auto m = index.match(std::span(t).first(n));
    if (seen.count(last)) missed += m.length == 0;
    if (!seen.count(last)) CHECK(m.length == 0);
    seen[last] = n;
  }
  CHECK(missed <= 8);  // two pairs may want the same slot
}

TEST_CASE("a copy is followed where it began, past a later place that agrees for less", "[lookup]") {
  const Tokens passage = some_tokens(60, 5);
  Tokens t = passage;
  t.push_back(1);
  t.insert(t.end(), passage.begin() + 20, passage.begin() + 30);  // a quotation of its middle
  t.push_back(2);
  NgramIndex index;
  for (std::size_t i = 0; i < 50; ++i) {
    t.push_back(passage[i]);
    const auto m = index.match(t);
    if (i < 2) continue;
    INFO("token " << i);
    CHECK(m.from == i + 1);
    CHECK(m.length == std::min(i + 1, NgramIndex::kMeasured));
  }
}

TEST_CASE("after clear() the index knows only the new list", "[lookup]") {
  NgramIndex index;
  const Tokens a = some_tokens(50, 1), b = some_tokens(30, 2);
  index.match(a);
  index.clear();
  CHECK(index.match(b).length == 0);
  Tokens again = b;
  again.insert(again.end(), b.begin(), b.begin() + 9);
  CHECK(index.match(again).from == 9);
}

TEST_CASE("a long list of any kind is indexed in linear time and bounded memory", "[lookup]") {
  const auto ms = [](const Tokens& t, std::size_t step) {
    NgramIndex index;
    const auto start = std::chrono::steady_clock::now();
    for (std::size_t n = step; n <= t.size(); n += step) index.match(std::span(t).first(n));
    CHECK(index.nbytes() <= std::size_t{16} << 20);
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  };
  Tokens period;
  for (std::size_t i = 0; i < 2'000'000; ++i) period.push_back(static_cast<std::int32_t>(i % 31));
  // Twice as long may take twice as long; quadratic work would take minutes. Generous, for sanitizers and busy
  // machines.
  CHECK(ms(Tokens(200'000, 7), 1) < 3000);
  CHECK(ms(drawn(200'000, 2, 1), 1) < 3000);
  CHECK(ms(period, 1000) < 6000);
}

TEST_CASE("the policy drafts more while guesses come true, and nothing after they have failed", "[lookup]") {
  DraftPolicy policy;
  const std::size_t first = policy.draft(8, 31);
  CHECK(first > 0);
  for (int i = 0; i < 100; ++i)
    for (const std::size_t length : {8u, 12u, 20u, 32u}) policy.observe(length, true);
  const std::size_t more = policy.draft(8, 31);
  CHECK(more > first);
  CHECK(policy.draft(8, 3) <= 3);
  CHECK(policy.draft(8, 0) == 0);
  for (int i = 0; i < 200; ++i) policy.observe(8, false);
  CHECK(policy.draft(8, 31) == 0);
  for (int i = 0; i < 200; ++i) policy.observe(8, true);  // seen without having been computed
  CHECK(policy.draft(8, 31) > 0);
}

TEST_CASE("the policy drafts only what a pass of so many rows is worth", "[lookup]") {
  DraftPolicy cheap, dear;
  for (int i = 0; i < 50; ++i) {
    cheap.timed(1, 100);
    cheap.timed(8, 110);
    dear.timed(1, 100);
    for (std::size_t rows = 2; rows <= 32; ++rows)
      dear.timed(rows, 100.0 * static_cast<double>(rows));  // nothing saved
  }
  CHECK(cheap.draft(8, 31) > 1);
  CHECK(dear.draft(2, 31) == 0);
  CHECK(dear.draft(8, 31) == 0);
  SECTION("but tries again in the end, in case the machine was busy") {
    int declined = 0;
    while (dear.draft(32, 31) == 0 && declined < 10'000) ++declined;
    CHECK(declined > 20);
    CHECK(declined < 1000);
  }
}
