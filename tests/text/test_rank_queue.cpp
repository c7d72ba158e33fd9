#include <catch2/catch.hpp>
#include <set>
#include <utility>

#include "loquor/core/random.hpp"
#include "loquor/text/rank_queue.hpp"

TEST_CASE("a rank queue gives pairs in order whatever the order they came in", "[text]") {
  lq::RankQueue queue;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    lq::Random random(seed);
    std::multiset<std::pair<std::uint32_t, std::uint32_t>> expected;
    // Few ranks give long lists and late arrivals, many give a large index.
    const std::uint64_t ranks = seed % 2 ? 3 : 5000, steps = 3000;
    std::uint32_t position = 0;
    queue.clear();
    for (std::uint64_t i = 0; i < steps; ++i) {
      if (random.next() % 5 < 3 || expected.empty()) {
        position = random.next() % 4 ? position + 1 : static_cast<std::uint32_t>(random.next() % 1000);
        const std::uint32_t rank = static_cast<std::uint32_t>(random.next() % ranks);
        queue.push(rank, position);
        expected.emplace(rank, position);
      } else {
        const lq::RankQueue::Item item = queue.pop();
        REQUIRE(std::pair(item.rank, item.position) == *expected.begin());
        expected.erase(expected.begin());
      }
      REQUIRE(queue.empty() == expected.empty());
    }
    if (seed % 3) continue;  // else clear() meets a queue that isn't empty
    while (!queue.empty()) {
      const lq::RankQueue::Item item = queue.pop();
      REQUIRE(std::pair(item.rank, item.position) == *expected.begin());
      expected.erase(expected.begin());
    }
    REQUIRE(expected.empty());
  }
}
