// Stages against a plain double-precision reading of their definitions, over the whole vocabulary, sorted.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/sampler.hpp"

using lq::Code;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> random_logits(std::size_t n, std::uint64_t seed, double spread = 3) {
  lq::Random random(seed);
  std::vector<float> out(n);
  for (float& x : out) {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += random.uniform();
    x = static_cast<float>((sum - 6) * spread);
  }
  return out;
}

// Runs one named stage and shows what it left, by token.
std::map<std::int32_t, float> after(const std::string& name, std::vector<double> values,
                                    const std::vector<float>& logits, const std::vector<std::int32_t>& history = {}) {
  std::map<std::int32_t, float> left;
  lq::Sampler s;
  s.add(name, values);
  s.add([&](std::span<lq::Candidate> c, std::span<const std::int32_t>) {
    for (const lq::Candidate& x : c) left[x.token] = x.logit;
    return c.size();
  });
  s.sample(logits, history, 0);
  return left;
}

struct Entry {
  std::int32_t token;
  double p;
};

std::vector<Entry> by_probability(const std::vector<float>& logits) {
  double sum = 0;
  for (const float x : logits) sum += std::exp(static_cast<double>(x));
  std::vector<Entry> out;
  for (std::size_t i = 0; i < logits.size(); ++i)
    out.push_back({static_cast<std::int32_t>(i), std::exp(static_cast<double>(logits[i])) / sum});
  std::stable_sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.p > b.p; });
  return out;
}

std::set<std::int32_t> tokens_of(const std::map<std::int32_t, float>& left) {
  std::set<std::int32_t> out;
  for (const auto& [token, logit] : left) out.insert(token);
  return out;
}

// Entries in order until `sum` of their probabilities satisfies `enough`.
std::set<std::int32_t> until(const std::vector<Entry>& entries, const std::function<bool(double)>& enough) {
  std::set<std::int32_t> out;
  double sum = 0;
  for (const Entry& e : entries) {
    out.insert(e.token);
    if (enough(sum += e.p)) break;
  }
  return out;
}

Code code_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return e.code();
  }
  return Code::ok;
}

}  // namespace

TEST_CASE("top_k keeps the k best, the smaller id on a tie", "[generate]") {
  for (const std::size_t n : {3u, 64u, 1000u, 49152u}) {
    auto logits = random_logits(n, n);
    for (std::size_t i = 0; i + 7 < n; i += 7) logits[i + 7] = logits[i];  // many ties
    const auto order = by_probability(logits);
    for (const std::size_t k : {1u, 2u, 40u, 700u}) {
      const auto left = tokens_of(after("top_k", {static_cast<double>(k)}, logits));
      std::set<std::int32_t> wanted;
      for (std::size_t i = 0; i < std::min(k, n); ++i) wanted.insert(order[i].token);
      INFO("n " << n << ", k " << k);
      CHECK(left == wanted);
    }
    CHECK(after("top_k", {0}, logits).size() == n);
  }
}

TEST_CASE("top_p keeps the fewest that reach p", "[generate]") {
  for (const double spread : {0.01, 1.0, 3.0, 20.0}) {
    const auto logits = random_logits(5000, 3, spread);
    const auto order = by_probability(logits);
    for (const double p : {0.0001, 0.3, 0.9, 0.999}) {
      INFO("spread " << spread << ", p " << p);
      CHECK(tokens_of(after("top_p", {p}, logits)) == until(order, [p](double sum) { return sum >= p; }));
    }
    CHECK(after("top_p", {1}, logits).size() == 5000);
  }
}

TEST_CASE("min_p keeps what is at least p times as probable as the best", "[generate]") {
  const auto logits = random_logits(5000, 4);
  const auto order = by_probability(logits);
  for (const double p : {0.001, 0.05, 0.5, 1.0}) {
    std::set<std::int32_t> wanted;
    for (const Entry& e : order)
      if (e.p >= p * order[0].p) wanted.insert(e.token);
    CHECK(tokens_of(after("min_p", {p}, logits)) == wanted);
  }
  CHECK(after("min_p", {0}, logits).size() == 5000);
}

TEST_CASE("typical_p keeps those nearest to the entropy until p is passed", "[generate]") {
  for (const double spread : {0.3, 2.0, 6.0}) {
    const auto logits = random_logits(800, 5, spread);
    auto order = by_probability(logits);
    double entropy = 0;
    for (const Entry& e : order) entropy -= e.p > 0 ? e.p * std::log(e.p) : 0;
    std::sort(order.begin(), order.end(), [entropy](const Entry& a, const Entry& b) {
      return std::abs(-std::log(a.p) - entropy) < std::abs(-std::log(b.p) - entropy);
    });
    for (const double p : {0.1, 0.5, 0.95}) {
      INFO("spread " << spread << ", p " << p);
      CHECK(tokens_of(after("typical_p", {p}, logits)) == until(order, [p](double sum) { return sum > p; }));
    }
  }
}

TEST_CASE("temperature divides the logits, and zero is greedy", "[generate]") {
  const auto logits = random_logits(300, 6);
  for (const auto& [token, x] : after("temperature", {0.7}, logits))
    CHECK(static_cast<double>(x) == Approx(static_cast<double>(logits[static_cast<std::size_t>(token)]) / 0.7));
  const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
  CHECK(tokens_of(after("temperature", {0}, logits)) == std::set<std::int32_t>{static_cast<std::int32_t>(best)});
  CHECK(tokens_of(after("greedy", {}, logits)) == std::set<std::int32_t>{static_cast<std::int32_t>(best)});
}

TEST_CASE("penalties touch recent tokens only, by their definitions", "[generate]") {
  const std::vector<float> logits = {2, -2, 1, 0.5f, -1};
  const std::vector<std::int32_t> history = {4, 0, 1, 1, 2, 1};
  using Map = std::map<std::int32_t, float>;
  CHECK(after("repeat_penalty", {2, -1}, logits, history) == Map{{0, 1}, {1, -4}, {2, 0.5f}, {3, 0.5f}, {4, -2}});
  CHECK(after("repeat_penalty", {2, 2}, logits, history) == Map{{0, 2}, {1, -4}, {2, 0.5f}, {3, 0.5f}, {4, -1}});
  CHECK(after("frequency_penalty", {0.5, -1}, logits, history) ==
        Map{{0, 1.5f}, {1, -3.5f}, {2, 0.5f}, {3, 0.5f}, {4, -1.5f}});
  CHECK(after("presence_penalty", {0.5, 3}, logits, history) == Map{{0, 2}, {1, -2.5f}, {2, 0.5f}, {3, 0.5f}, {4, -1}});
  CHECK(after("presence_penalty", {0.5, 0}, logits, history) == Map{{0, 2}, {1, -2}, {2, 1}, {3, 0.5f}, {4, -1}});
  std::vector<std::int32_t> old(100, 3);
  old[35] = 0;  // just outside the default window of 64
  CHECK(after("presence_penalty", {0.5}, logits, old) == Map{{0, 2}, {1, -2}, {2, 1}, {3, 0}, {4, -1}});
}

TEST_CASE("draws follow the distribution, also after the list was cut", "[generate]") {
  const std::vector<float> logits = {1.0f, 0.0f, -1.0f, 2.0f, -kInf, 0.5f};
  for (const bool list : {false, true}) {
    lq::Sampler s;
    const double one = 1, k = 5;
    s.add("temperature", {&one, 1});
    if (list) s.add("top_k", {&k, 1});
    s.set_seed(99);
    constexpr int kDraws = 20000;
    std::vector<int> seen(logits.size());
    for (int i = 0; i < kDraws; ++i) ++seen[static_cast<std::size_t>(s.sample(logits, {}, static_cast<unsigned>(i)))];
    double sum = 0, chi = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    for (std::size_t i = 0; i < logits.size(); ++i) {
      const double expected = kDraws * std::exp(static_cast<double>(logits[i])) / sum;
      if (expected > 0) chi += (seen[i] - expected) * (seen[i] - expected) / expected;
    }
    CHECK(seen[4] == 0);
    CHECK(chi < 18.47);  // the 99.9 % point of chi-square with 4 degrees of freedom; the seed is fixed
  }
}

TEST_CASE("a draw depends on the seed and the position alone", "[generate]") {
  const auto logits = random_logits(2000, 8, 0.5);
  lq::Sampler s;
  const double one = 1;
  s.add("temperature", {&one, 1});
  s.set_seed(5);
  std::vector<std::int32_t> forward, backward;
  for (std::uint64_t i = 0; i < 50; ++i) forward.push_back(s.sample(logits, {}, i));
  lq::Sampler copy = s;
  for (std::uint64_t i = 50; i-- > 0;) backward.push_back(copy.sample(logits, {}, i));
  std::reverse(backward.begin(), backward.end());
  CHECK(forward == backward);
  CHECK(std::set<std::int32_t>(forward.begin(), forward.end()).size() > 40);
}

TEST_CASE("a bias moves, forbids and is removed", "[generate]") {
  const std::vector<float> logits = {3, 2, 1};
  lq::Sampler s;
  CHECK(s.sample(logits, {}, 0) == 0);
  s.set_bias(2, 5);
  CHECK(s.sample(logits, {}, 0) == 2);
  s.set_bias(2, 0);
  s.set_bias(0, -kInf);
  CHECK(s.sample(logits, {}, 0) == 1);
  s.set_bias(1, kInf);
  s.set_bias(2, -kInf);
  CHECK(s.sample(logits, {}, 0) == 1);
  s.set_bias(1, -kInf);
  CHECK(code_of([&] { s.sample(logits, {}, 0); }) == Code::invalid_argument);
  s.set_bias(3, 1);
  CHECK(code_of([&] { s.sample(logits, {}, 0); }) == Code::invalid_argument);
}

TEST_CASE("stages apply in the order they were added", "[generate]") {
  // Sharpened first, one token holds nearly all the mass; cut first, three stay.
  const std::vector<float> logits = {3, 2.9f, 2.8f, -5};
  const auto left = [&](bool sharpen_first) {
    lq::Sampler s;
    const double t = 0.01, p = 0.9;
    std::size_t n = 0;
    if (sharpen_first) s.add("temperature", {&t, 1});
    s.add("top_p", {&p, 1});
    s.add([&n](std::span<lq::Candidate> c, std::span<const std::int32_t>) { return n = c.size(); });
    s.sample(logits, {}, 0);
    return n;
  };
  CHECK(left(true) == 1);
  CHECK(left(false) == 3);
}

TEST_CASE("values out of range and unknown stages are refused and leave the chain as it was", "[generate]") {
  const double nan = std::nan(""), inf = HUGE_VAL;
  const std::map<std::string, std::vector<std::vector<double>>> wrong = {
      {"temperature", {{}, {-0.1}, {nan}, {inf}, {1, 2}}},
      {"top_k", {{}, {-1}, {1.5}, {nan}, {1e12}}},
      {"top_p", {{}, {0}, {-1}, {1.01}, {nan}}},
      {"min_p", {{}, {-0.1}, {1.1}, {nan}}},
      {"typical_p", {{}, {0}, {2}, {nan}}},
      {"repeat_penalty", {{}, {0}, {-1}, {nan}, {inf}, {1, -2}, {1, 0.5}, {1, nan}, {1, 2, 3}}},
      {"frequency_penalty", {{}, {nan}, {inf}, {1, -2}}},
      {"presence_penalty", {{}, {nan}, {-inf}, {1, -2}}},
  };
  lq::Sampler s;
  for (const auto& [name, lists] : wrong)
    for (const auto& values : lists) {
      INFO(name << " with " << values.size() << " values");
      CHECK(code_of([&, &n = name] { s.add(n, values); }) == Code::invalid_argument);
    }
  CHECK(code_of([&] { s.add("top_q", {}); }) == Code::not_found);
  CHECK(code_of([&] { s.add(lq::SamplerStage{}); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.set_bias(-1, 1); }) == Code::invalid_argument);
  CHECK(code_of([&] { s.set_bias(0, std::nanf("")); }) == Code::invalid_argument);
  CHECK(s.sample(std::vector<float>{1, 5, 2}, {}, 0) == 1);  // still greedy: nothing was added
}

TEST_CASE("logits that are NaN or infinite never win by accident", "[generate]") {
  const float nan = std::nanf("");
  for (const std::string name : {"top_k", "top_p", "min_p", "typical_p", "temperature"}) {
    lq::Sampler s;
    const double v = name == "top_k" ? 3 : 0.9;
    s.add(name, {&v, 1});
    INFO(name);
    for (std::uint64_t i = 0; i < 20; ++i) {
      CHECK(s.sample(std::vector<float>{nan, 1, -kInf, nan}, {}, i) == 1);
      CHECK(s.sample(std::vector<float>{nan, 1, kInf, 3}, {}, i) == 2);
    }
    CHECK(code_of([&] { s.sample(std::vector<float>{nan, -kInf}, {}, 0); }) == Code::invalid_argument);
  }
}

TEST_CASE("a stage of the host that keeps none, too many or NaN is refused", "[generate]") {
  const std::vector<float> logits = {1, 2, 3};
  const auto code = [&](lq::SamplerStage stage) {
    lq::Sampler s;
    s.add(std::move(stage));
    return code_of([&] { s.sample(logits, {}, 0); });
  };
  CHECK(code([](auto, auto) { return std::size_t{0}; }) == Code::invalid_argument);
  CHECK(code([](auto, auto) { return std::size_t{4}; }) == Code::invalid_argument);
  CHECK(code([](std::span<lq::Candidate> c, auto) {
          c[0].logit = std::nanf("");
          return c.size();
        }) == Code::invalid_argument);
  // All forbidden is as empty as keeping none.
  CHECK(code([](std::span<lq::Candidate> c, auto) {
          for (lq::Candidate& x : c) x.logit = -kInf;
          return c.size();
        }) == Code::invalid_argument);
  CHECK(code([](auto, auto) { return std::size_t{1}; }) == Code::ok);
}
