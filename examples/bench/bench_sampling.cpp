// What a draw costs: bench_sampling [--json] [--calls N] [--vocab N]...
// Microseconds of one Sampler::sample() by chain and vocabulary, one thread: the median and the 99th percentile of N
// calls, each with other logits than the last (a pool of eight rows: like a row that two threads have just written,
// they lie in the second- and third-level caches). The rows are shaped like a language model's: normal with a standard
// deviation of 3, and 30 tokens far above the rest. "head" are the same figures where the maxima of the blocks come
// with the logits, as they do in a session: its passes note them while the head is computed.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <exception>
#include <functional>
#include <string>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/logprobs.hpp"
#include "loquor/generate/sampler.hpp"
#include "loquor/kernels/dispatch.hpp"
#include "loquor/kernels/table.hpp"

namespace {

using Clock = std::chrono::steady_clock;

struct Row {
  std::vector<float> logits, block_max;
};
using Rows = std::vector<Row>;

struct Stage {
  const char* name;
  double value;
};

struct Chain {
  const char* name;
  std::vector<Stage> stages;
  std::size_t logprobs = 0;
};

const Chain kChains[] = {
    {"greedy", {}},
    {"top_k=40,top_p=0.95,temperature=0.8", {{"top_k", 40}, {"top_p", 0.95}, {"temperature", 0.8}}},
    {"min_p=0.05,temperature=0.8", {{"min_p", 0.05}, {"temperature", 0.8}}},
    {"top_p=0.95", {{"top_p", 0.95}}},
    {"temperature=0.8,top_p=0.95", {{"temperature", 0.8}, {"top_p", 0.95}}},
    {"temperature=0.8,top_k=40", {{"temperature", 0.8}, {"top_k", 40}}},
    {"temperature=0.8", {{"temperature", 0.8}}},
    {"typical_p=0.95", {{"typical_p", 0.95}}},
    {"repeat_penalty=1.1,presence_penalty=0.2,top_k=40,top_p=0.95,temperature=0.8",
     {{"repeat_penalty", 1.1}, {"presence_penalty", 0.2}, {"top_k", 40}, {"top_p", 0.95}, {"temperature", 0.8}}},
    {"top_k=40,top_p=0.95,temperature=0.8,logprobs=5", {{"top_k", 40}, {"top_p", 0.95}, {"temperature", 0.8}}, 5},
};

double normal(lq::Random& random) {
  return std::sqrt(-2 * std::log(1 - random.uniform())) * std::cos(6.283185307179586 * random.uniform());
}

Rows make_rows(std::size_t vocab) {
  Rows rows;
  for (std::uint64_t r = 0; r < 8; ++r) {
    lq::Random random(r + 1);
    std::vector<float> row(vocab), maxima((vocab + lq::kernels::kLogitBlock - 1) / lq::kernels::kLogitBlock);
    for (float& x : row) x = static_cast<float>(3 * normal(random));
    for (int i = 0; i < 30; ++i) row[random.next() % vocab] = static_cast<float>(9 + 10 * random.uniform());
    lq::select_kernels().block_max(row.data(), vocab, maxima.data());
    rows.push_back({std::move(row), std::move(maxima)});
  }
  return rows;
}

struct Times {
  double median, p99;
};

Times measure(std::size_t calls, const std::function<void(std::size_t)>& call) {
  std::vector<double> us;
  us.reserve(calls);
  for (std::size_t i = 0; i < calls + 32; ++i) {
    const auto start = Clock::now();
    call(i);
    const double took = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    if (i >= 32) us.push_back(took);  // the first calls allocate
  }
  std::sort(us.begin(), us.end());
  return {us[us.size() / 2], us[us.size() * 99 / 100]};
}

Times run(const Chain& chain, const Rows& rows, std::size_t calls, bool head) {
  lq::Sampler sampler;
  for (const Stage& s : chain.stages) sampler.add(s.name, {&s.value, 1});
  lq::Logprobs logprobs(lq::select_kernels());
  std::vector<lq::TokenLogprob> top;
  std::vector<std::int32_t> history;
  lq::Random random(7);
  for (int i = 0; i < 100; ++i) history.push_back(static_cast<std::int32_t>(random.next() % rows[0].logits.size()));
  return measure(calls, [&](std::size_t i) {
    const Row& r = rows[i % rows.size()];
    const lq::LogitsRow row{r.logits, head ? std::span<const float>(r.block_max) : std::span<const float>{}};
    const std::int32_t token = sampler.sample(row, history, i);
    if (chain.logprobs) logprobs.compute(row, token, chain.logprobs, top);
  });
}

}  // namespace

int main(int argc, char** argv) try {
  bool json = false;
  std::size_t calls = 2000;
  std::vector<std::size_t> vocabs;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    std::size_t n = 0;
    if (i + 1 < argc) std::from_chars(argv[i + 1], argv[i + 1] + std::strlen(argv[i + 1]), n);
    if (arg == "--json") {
      json = true;
    } else if ((arg == "--calls" || arg == "--vocab") && n > 0) {
      arg == "--calls" ? void(calls = n) : vocabs.push_back(n);
      ++i;
    } else {
      std::fprintf(stderr, "usage: bench_sampling [--json] [--calls N] [--vocab N]...\n");
      return 2;
    }
  }
  if (vocabs.empty()) vocabs = {49152, 152064};
  const char* separator = "[";
  if (!json) std::printf("%8s  %9s  %9s  %9s  %9s  chain\n", "vocab", "us median", "us p99", "head", "head p99");
  for (const std::size_t vocab : vocabs) {
    const Rows rows = make_rows(vocab);
    for (const Chain& chain : kChains) {
      const Times t = run(chain, rows, calls, false), h = run(chain, rows, calls, true);
      if (json)
        std::printf(
            "%s{\"vocab\":%zu,\"chain\":\"%s\",\"us_median\":%.2f,\"us_p99\":%.2f,\"us_median_head\":%.2f,"
            "\"us_p99_head\":%.2f}",
            separator, vocab, chain.name, t.median, t.p99, h.median, h.p99);
      else
        std::printf("%8zu  %9.2f  %9.2f  %9.2f  %9.2f  %s\n", vocab, t.median, t.p99, h.median, h.p99, chain.name);
      separator = ",\n ";
    }
  }
  if (json) std::printf("]\n");
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "bench_sampling: %s\n", e.what());
  return 3;
}
