// Small networks and data for the tests of training.
#pragma once

#include <cmath>
#include <vector>

#include "loquor/core/random.hpp"
#include "loquor/train/trainer.hpp"

namespace lq_test {

constexpr const char* kMlp = "linear 2 24 | tanh | linear 24 2";
constexpr const char* kText =
    "embedding 16 24 | dropout p=0.1 | lstm 24 32 layers=2 dropout=0.2 | transformer 32 heads=4 ff=48 causal "
    "dropout=0.1 "
    "| linear 32 16";

inline lq::Context context(unsigned threads) {
  lq::ContextOptions o;
  o.threads.threads = threads;
  return lq::Context(o);
}

// Points inside a circle or outside.
inline std::unique_ptr<lq::Dataset> circles(std::size_t n, std::uint64_t seed = 1) {
  std::vector<float> x;
  std::vector<std::int32_t> y;
  lq::Random random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    const double a = random.uniform() * 2 - 1, b = random.uniform() * 2 - 1;
    x.push_back(static_cast<float>(a));
    x.push_back(static_cast<float>(b));
    y.push_back(a * a + b * b < 0.5);
  }
  return lq::array_dataset(n, x.data(), {2}, y.data(), {});
}

inline std::unique_ptr<lq::Dataset> text() {
  std::vector<std::int32_t> ids;
  lq::Random random(3);
  for (int i = 0; i < 400; ++i)
    ids.push_back(
        i < 2 ? i
              : static_cast<std::int32_t>((static_cast<unsigned>(ids[ids.size() - 2]) * 3 + random.next() % 2) % 16));
  return lq::text_dataset(ids, 12, 12);
}

inline lq::TrainOptions options() {
  lq::TrainOptions o;
  o.learning_rate = 0.01;
  o.batch = 16;
  o.epochs = 6;
  o.seed = 9;
  return o;
}

inline std::vector<float> values(const lq::nn::Network& net) {
  std::vector<float> out;
  for (const auto& p : net.parameters().all()) out.insert(out.end(), p->value, p->value + p->count);
  return out;
}

// The parameters after training on the data that the network takes.
inline std::vector<float> learn(unsigned threads, const char* network, const lq::TrainOptions& o) {
  const lq::Context ctx = context(threads);
  lq::nn::Network net(ctx, network, 1);
  const auto data = net.takes_ids() ? text() : circles(100);
  lq::Trainer(net, o).fit(*data);
  return values(net);
}

template <class Fn>
lq::Code thrown(const Fn& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

}  // namespace lq_test
