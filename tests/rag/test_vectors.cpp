#include "rag/vectors.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/kernels/table.hpp"

using namespace lq;

namespace {

std::vector<float> unit(Random& random, std::size_t n) {
  std::vector<float> x(n);
  double squares = 0;
  for (float& v : x) {
    v = static_cast<float>(random.uniform() + random.uniform() - 1);
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) / std::sqrt(squares));
  return x;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

std::shared_ptr<const Context> context(unsigned threads) {
  ContextOptions options;
  options.threads.threads = threads;
  return std::make_shared<Context>(std::move(options));
}

}  // namespace

TEST_CASE("integer dot products of rows are exact at every size", "[rag][per_isa]") {
  const Context ctx;
  Random random(3);
  for (const std::size_t stride : {std::size_t{64}, std::size_t{128}, std::size_t{384}, kernels::kScanMost})
    for (const std::size_t n : {1u, 15u, 16u, 17u, 33u}) {
      std::vector<std::int8_t> q(stride), rows(n * stride);
      // Extremes, so that a pair of products or a sum that does not fit would show.
      const bool extreme = n == 17;
      for (auto* v : {&q, &rows})
        for (auto& x : *v) x = static_cast<std::int8_t>(extreme ? 127 : static_cast<int>(random.next() % 255) - 127);
      if (extreme) std::fill(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(stride), std::int8_t{-127});
      std::vector<std::int32_t> out(n);
      ctx.kernels().dot_rows_i8(q.data(), rows.data(), n, stride, out.data());
      for (std::size_t r = 0; r < n; ++r) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < stride; ++i) sum += q[i] * rows[r * stride + i];
        REQUIRE(out[r] == sum);
      }
      const std::vector<float> whole(q.begin(), q.end());
      CHECK(ctx.kernels().dot_row_mixed(whole.data(), rows.data(), stride) == Approx(out[0]).epsilon(1e-4).margin(static_cast<double>(stride)));
    }
}

TEST_CASE("the nearest vectors are found, whatever the threads", "[rag][per_isa]") {
  constexpr std::size_t kRows = 5000, kDim = 100;
  Random random(5);
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < kRows; ++i) rows.push_back(unit(random, kDim));
  const std::vector<float> q = unit(random, kDim);
  const auto number = [](std::size_t i) { return static_cast<std::int64_t>(10 + 2 * i); };
  std::vector<std::pair<double, std::int64_t>> truth;
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < kRows; ++i)
    if (i % 7) {
      truth.emplace_back(-dot(q, rows[i]), number(i));
      kept.push_back(number(i));
    }
  kept.push_back(1'000'000);  // one that is not known yet
  std::sort(truth.begin(), truth.end());
  std::vector<std::vector<Vectors::Found>> results;
  for (const unsigned threads : {1u, 3u}) {
    Vectors set(context(threads), kDim);
    CHECK(set.nearest(q, 10, nullptr).empty());
    for (std::size_t i = 0; i < kRows; ++i) {
      const ByteVector b = to_bytes(rows[i]);
      set.add(number(i), static_cast<std::int64_t>(i % 20), b.values, b.scale);
    }
    set.keep_only(kept);
    set.keep_only(kept);
    CHECK(set.size() == truth.size());
    CHECK(set.dead() == kRows - truth.size());
    CHECK(set.last() == number(kRows - 1));
    const auto found = set.nearest(q, 10, nullptr);
    REQUIRE(found.size() == 10);
    std::size_t same = 0;
    for (std::size_t i = 0; i < 10; ++i) {
      CHECK(std::fabs(static_cast<double>(found[i].cosine) + truth[i].first) < 0.01);
      CHECK(found[i].cosine == set.cosine(q, found[i].chunk));
      for (std::size_t j = 0; j < 10; ++j) same += found[i].chunk == truth[j].second;
    }
    CHECK(same >= 9);
    const auto some = set.nearest(q, 50, [](std::int64_t document) { return document == 3 || document == 4; });
    CHECK(some.size() == 50);
    for (const auto& f : some) CHECK((((f.chunk - 10) / 2) % 20 == 3 || ((f.chunk - 10) / 2) % 20 == 4));
    CHECK(set.nearest(q, 10, [](std::int64_t) { return false; }).empty());
    CHECK(set.nearest(q, 100000, nullptr).size() == truth.size());
    CHECK(set.cosine(number(1), number(1)) == Approx(1).margin(1e-3));
    CHECK(std::fabs(static_cast<double>(set.cosine(number(1), number(2))) - dot(rows[1], rows[2])) < 0.02);
    CHECK(std::isnan(set.cosine(q, number(0))));  // forgotten
    CHECK(std::isnan(set.cosine(q, 11)));
    results.push_back(found);
  }
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(results[0][i].chunk == results[1][i].chunk);
    CHECK(results[0][i].cosine == results[1][i].cosine);
  }
}

TEST_CASE("vectors of a damaged file are refused or made harmless", "[rag]") {
  Vectors set(context(1), 4);
  const std::int8_t low[4] = {-128, 1, 0, 0};
  set.add(5, 1, low, 1);
  CHECK_THROWS_AS(set.add(5, 1, low, 1), Error);
  CHECK_THROWS_AS(set.add(6, -1, low, 1), Error);
  CHECK(set.cosine(std::vector<float>{1, 0, 0, 0}, 5) == -127);
  CHECK_THROWS_AS(Vectors(context(1), 70000), Error);
  CHECK_THROWS_AS(Vectors(context(1), 0), Error);
}
