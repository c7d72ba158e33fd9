// The store's vectors, one by one and by the approximate index, over given vectors: loquor's part of
// examples/bench/index.
//
//   bench_index BASE QUERIES DIMENSION THREADS      files of float32, vectors of length 1
//
// Prints a line of JSON: seconds of building, and for each width queries a second (one thread asks) and recall@10.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>

#include "loquor/core/context.hpp"
#include "rag/vectors.hpp"

namespace {

using Clock = std::chrono::steady_clock;
double seconds(Clock::time_point from) { return std::chrono::duration<double>(Clock::now() - from).count(); }

// Calls fn(i, vector) for each vector of the file.
template <class Fn>
std::size_t each(const char* path, std::size_t d, const Fn& fn) {
  std::ifstream in(path, std::ios::binary);
  std::vector<float> v(d);
  std::size_t n = 0;
  while (in.read(reinterpret_cast<char*>(v.data()), static_cast<std::streamsize>(d * sizeof(float)))) fn(n++, v);
  return n;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fprintf(stderr, "usage: bench_index BASE QUERIES DIMENSION THREADS\n"), 2;
  try {
    const auto d = static_cast<std::size_t>(std::atol(argv[3]));
    lq::ContextOptions options;
    options.threads.threads = static_cast<unsigned>(std::atoi(argv[4]));
    const auto ctx = std::make_shared<lq::Context>(options);
    lq::Vectors vectors(ctx, d);
    const std::size_t n = each(argv[1], d, [&](std::size_t i, const std::vector<float>& v) {
      const lq::ByteVector b = lq::to_bytes(v);
      vectors.add(static_cast<std::int64_t>(i + 1), 1, b.values, b.scale);
    });
    std::vector<std::vector<float>> queries;
    each(argv[2], d, [&](std::size_t, const std::vector<float>& v) { queries.push_back(v); });

    constexpr std::size_t kTop = 10;
    auto begin = Clock::now();
    std::vector<std::set<std::int64_t>> truth;
    for (const auto& q : queries) {
      truth.emplace_back();
      for (const auto& f : vectors.nearest(q, kTop, {})) truth.back().insert(f.chunk);
    }
    const double exact = static_cast<double>(queries.size()) / seconds(begin);
    begin = Clock::now();
    const std::size_t bytes = vectors.make_graph({}).size();
    const double built = seconds(begin);
    begin = Clock::now();
    std::size_t same = 0;
    for (std::size_t i = 0; i < queries.size(); ++i)
      for (const auto& f : vectors.nearest_of_all(queries[i], kTop, false)) same += truth[i].count(f.chunk);
    const double qps = static_cast<double>(queries.size()) / seconds(begin);
    // The exact search is over the same bytes; `ids` let the caller compare with what whole vectors give.
    std::printf(
        "{\"n\": %zu, \"exact_qps\": %.1f, \"build_s\": %.2f, \"graph_mb\": %.1f, \"qps\": %.1f, \"recall_of_exact\": "
        "%.4f, \"ids\": [",
        n, exact, built, static_cast<double>(bytes) / 1e6, qps,
        static_cast<double>(same) / static_cast<double>(kTop * queries.size()));
    for (std::size_t i = 0; i < queries.size(); ++i) {
      std::printf(i ? ", [" : "[");
      const auto found = vectors.nearest_of_all(queries[i], kTop, false);
      for (std::size_t j = 0; j < found.size(); ++j)
        std::printf(j ? ", %lld" : "%lld", static_cast<long long>(found[j].chunk - 1));
      std::printf("]");
    }
    std::printf("]}\n");
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
