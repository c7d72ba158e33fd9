#include "loquor/train/dataset.hpp"

#include <catch2/catch.hpp>

using namespace lq;

TEST_CASE("a permutation visits every index once, another order for each key", "[train]") {
  for (const std::uint64_t n : {1u, 2u, 3u, 7u, 64u, 65u, 1000u}) {
    std::vector<bool> seen(n);
    std::size_t fixed = 0, same = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      const std::uint64_t p = permuted(i, n, 42);
      REQUIRE(p < n);
      CHECK(!seen[p]);
      seen[p] = true;
      fixed += p == i;
      same += p == permuted(i, n, 43);
    }
    if (n < 64) continue;
    CHECK(fixed < n / 8);
    CHECK(same < n / 8);
  }
}

TEST_CASE("windows of a text have their next ids as targets", "[train]") {
  const std::vector<std::int32_t> ids = {10, 11, 12, 13, 14, 15, 16, 17};
  const auto data = text_dataset(ids, 3, 2);
  REQUIRE(data->size() == 3);  // at 0, 2, 4; the one at 6 has no whole window
  std::int32_t x[3], y[3];
  data->get(2, x, y);
  CHECK(x[0] == 14);
  CHECK(y[0] == 15);
  CHECK(y[2] == 17);
  CHECK_THROWS_AS(text_dataset(ids, 8, 1), Error);
  CHECK_THROWS_AS(text_dataset(ids, 3, 0), Error);
  CHECK(text_dataset(ids, 7, 5)->size() == 1);
}

TEST_CASE("a dataset of arrays is copied and refuses to be empty", "[train]") {
  std::vector<float> x = {1, 2, 3, 4}, y = {5, 6};
  const auto data = array_dataset(2, x.data(), {2}, y.data(), {1});
  x.assign(4, 0);
  float a[2], b[1];
  data->get(1, a, b);
  CHECK(a[1] == 4);
  CHECK(b[0] == 6);
  CHECK_THROWS_AS(array_dataset(0, x.data(), {2}, y.data(), {1}), Error);
  CHECK_THROWS_AS(array_dataset(SIZE_MAX / 2, x.data(), {4}, y.data(), {1}), Error);
}
