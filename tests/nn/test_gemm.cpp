#include "loquor/nn/gemm.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <vector>

#include "loquor/core/random.hpp"

using namespace lq;

namespace {

Context make_context(unsigned threads) {
  ContextOptions o;
  o.threads.threads = threads;
  return Context(o);
}

std::vector<float> random_floats(std::size_t n, std::uint64_t seed) {
  Random rng(seed);
  std::vector<float> v(n);
  for (float& x : v) x = static_cast<float>(rng.uniform() * 2 - 1);
  return v;
}

// One product with its operands; leading dimensions are larger than needed.
struct Case {
  Gemm g{};
  std::vector<float> a, b, c, bias, workspace;
  Case(std::size_t m, std::size_t n, std::size_t k, bool ta, bool tb) {
    const std::size_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 5, ldc = n + 2;
    a = random_floats((ta ? k : m) * lda, 1);
    b = random_floats((tb ? n : k) * ldb, 2);
    c = random_floats(m * ldc, 3);
    bias = random_floats(n, 4);
    workspace.assign(gemm_packed_size(n, k) + 16, NAN);
    g = {m, n, k, a.data(), lda, ta, b.data(), ldb, tb, c.data(), ldc};
  }
  double exact(std::size_t i, std::size_t j) const {
    double sum = 0;
    for (std::size_t k = 0; k < g.k; ++k)
      sum += static_cast<double>(g.a_transposed ? a[k * g.lda + i] : a[i * g.lda + k]) *
             static_cast<double>(g.b_transposed ? b[j * g.ldb + k] : b[k * g.ldb + j]);
    return sum;
  }
};

}  // namespace

TEST_CASE("gemm agrees with fp64 for all transpositions at ragged sizes", "[nn][per_isa]") {
  const Context ctx = make_context(2);
  for (const std::size_t m : {1, 2, 5, 13, 40})
    for (const std::size_t n : {1, 15, 16, 17, 40, 70})
      for (const std::size_t k : {1, 15, 33, 300})
        for (const int form : {0, 1, 2, 3, 4, 5, 6, 7}) {
          INFO(m << " x " << n << " x " << k << ", form " << form);
          Case s(m, n, k, form & 1, form & 2);
          const std::vector<float> before = s.c;
          s.g.add = form & 4;
          if (!s.g.add) s.g.bias = s.bias.data();
          gemm(ctx, s.g, s.workspace.data());
          double worst = 0;
          for (std::size_t i = 0; i < m; ++i)
            for (std::size_t j = 0; j < n; ++j) {
              const double start = s.g.add ? before[i * s.g.ldc + j] : s.bias[j];
              worst = std::max(worst, std::abs(s.exact(i, j) + start - s.c[i * s.g.ldc + j]));
            }
          CHECK(worst < 1e-6 * (4 + static_cast<double>(k) / 4));  // k roundings of sums below sqrt(k)
          for (std::size_t i = 0; i < m; ++i)                      // nothing past the last column
            for (std::size_t j = n; j < s.g.ldc; ++j) REQUIRE(s.c[i * s.g.ldc + j] == before[i * s.g.ldc + j]);
        }
}

TEST_CASE("gemm gives the same bits on any number of threads and for one row alone", "[nn][per_isa]") {
  const Context one = make_context(1), three = make_context(3);
  for (const bool tb : {false, true})
    for (const bool ta : {false, true}) {
      const std::size_t m = 210, n = 530, k = 270;
      Case x(m, n, k, ta, tb), y(m, n, k, ta, tb), z(m, n, k, ta, tb);
      gemm(one, x.g, x.workspace.data());
      gemm(three, y.g, y.workspace.data());
      gemm_serial(one, z.g, z.workspace.data());
      for (std::size_t i = 0; i < m; ++i) {
        REQUIRE(std::memcmp(&x.c[i * x.g.ldc], &y.c[i * x.g.ldc], n * sizeof(float)) == 0);
        REQUIRE(std::memcmp(&x.c[i * x.g.ldc], &z.c[i * x.g.ldc], n * sizeof(float)) == 0);
      }
      for (const std::size_t i : {std::size_t{0}, std::size_t{100}, m - 1}) {
        Gemm g = z.g;
        g.m = 1;
        g.a += ta ? i : i * g.lda;
        g.c += i * g.ldc;
        std::fill_n(g.c, n, 0.0f);
        gemm(one, g, z.workspace.data());
        REQUIRE(std::memcmp(&x.c[i * x.g.ldc], g.c, n * sizeof(float)) == 0);
      }
    }
}
