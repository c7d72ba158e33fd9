#include "loquor/train/trainer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "../temp_folder.hpp"
#include "toy.hpp"

using namespace lq;
using namespace lq_test;

TEST_CASE("training lowers the loss and ends after the steps asked for", "[train]") {
  const Context ctx = context(2);
  nn::Network net(ctx, kMlp, 1);
  const auto data = circles(100);
  TrainOptions o = options();
  o.epochs = 120;
  Trainer trainer(net, o);
  const double before = trainer.evaluate(*data);
  std::vector<double> losses;
  const TrainProgress p = trainer.fit(*data, nullptr, [&](const TrainProgress& now) {
    losses.push_back(now.loss);
    CHECK(now.epoch == (now.step - 1) / 7);  // 100 examples are seven batches of 16
    return true;
  });
  CHECK(p.step == 840);
  CHECK(losses.size() == 840);
  CHECK(trainer.evaluate(*data) < before / 3);
}

TEST_CASE("threads do not change a bit of what is learnt", "[train]") {
  const auto one = learn(1, kText, options()), two = learn(2, kText, options());
  CHECK(one == two);
}

TEST_CASE("batches accumulated equal one large batch", "[train]") {
  TrainOptions whole = options(), parts = options();
  whole.batch = 32;
  parts.batch = 8;
  parts.accumulate = 4;
  const auto a = learn(1, kMlp, whole), b = learn(1, kMlp, parts);
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  CHECK(worst < 1e-4);
  CHECK(a != b);
}

TEST_CASE("schedules rise, fall and end where they should", "[train]") {
  const Context ctx = context(1);
  const auto data = circles(64);
  const auto rates = [&](const char* schedule) {
    nn::Network net(ctx, kMlp, 1);
    TrainOptions o = options();
    o.schedule = schedule;
    o.warmup = 4;
    o.min_rate = 1e-4;
    o.learning_rate = 1e-2;
    o.steps = 12;
    std::vector<double> r;
    Trainer(net, o).fit(*data, nullptr, [&](const TrainProgress& p) {
      r.push_back(p.rate);
      return true;
    });
    return r;
  };
  const auto constant = rates("constant"), linear = rates("linear"), cosine = rates("cosine");
  CHECK(constant[0] == Approx(0.0025));
  CHECK(constant[3] == Approx(0.01));
  CHECK(constant[11] == Approx(0.01));
  CHECK(linear[4] == Approx(0.01));
  CHECK(linear[11] == Approx(1e-4));
  CHECK(linear[5] - linear[6] == Approx(linear[9] - linear[10]));
  CHECK(cosine[4] == Approx(0.01));
  CHECK(cosine[11] == Approx(1e-4));
  CHECK(cosine[4] - cosine[5] < (cosine[7] - cosine[8]) / 2);
}

TEST_CASE("training stops when evaluations no longer improve and keeps the best parameters", "[train]") {
  const Context ctx = context(1);
  nn::Network net(ctx, "linear 2 64 | tanh | linear 64 2", 1);
  const auto train = circles(12), eval = circles(200, 5);
  TrainOptions o = options();
  o.learning_rate = 0.05;
  o.epochs = 400;
  o.patience = 5;
  Trainer trainer(net, o);
  double best = 1e9;
  const TrainProgress p = trainer.fit(*train, eval.get(), [&](const TrainProgress& now) {
    best = std::min(best, now.eval_loss);
    return true;
  });
  CHECK(p.step < p.steps);
  CHECK(p.eval_loss > best);
  CHECK(trainer.evaluate(*eval) == best);
}

TEST_CASE("updates that are not finite are left out and counted, ten in a row end training", "[train]") {
  const Context ctx = context(1);
  nn::Network net(ctx, "linear 2 2", 1);
  std::vector<float> x(64, 0.5f), y(64, 0.25f);
  x[7] = std::numeric_limits<float>::quiet_NaN();
  TrainOptions o = options();
  o.loss = nn::Loss::mean_squared_error;
  o.batch = 4;
  o.shuffle = false;
  const auto one = array_dataset(32, x.data(), {2}, y.data(), {2});
  const TrainProgress p = Trainer(net, o).fit(*one);
  CHECK(p.skipped == o.epochs);
  for (const float v : values(net)) CHECK(std::isfinite(v));

  x.assign(64, std::numeric_limits<float>::infinity());
  const auto all = array_dataset(32, x.data(), {2}, y.data(), {2});
  const auto before = values(net);
  Trainer trainer(net, o);
  CHECK(thrown([&] { trainer.fit(*all); }) == Code::limit);
  CHECK(values(net) == before);
}

TEST_CASE("a run that was cancelled can go on and equals one that was not", "[train]") {
  const Context ctx = context(2);
  TrainOptions o = options();
  o.epochs = 30;
  const auto data = text();
  nn::Network straight(ctx, kText, 1), broken(ctx, kText, 1);
  Trainer(straight, o).fit(*data);
  Trainer trainer(broken, o);
  std::size_t cancelled = 0;
  for (int tries = 0; tries < 200; ++tries) {
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(700 * tries));
      trainer.cancel();
    });
    const Code code = thrown([&] { trainer.fit(*data); });
    other.join();
    cancelled += code == Code::cancelled;
    if (code == Code::ok) break;
  }
  thrown([&] { trainer.fit(*data); });  // the last cancel() may have come after the end
  CHECK(cancelled > 0);
  CHECK(values(broken) == values(straight));
}

TEST_CASE("data that does not fit the network is refused by name", "[train]") {
  const Context ctx = context(1);
  nn::Network net(ctx, kMlp, 1);
  Trainer trainer(net, options());
  const auto before = values(net);
  const float x[6] = {};
  const std::int32_t good[2] = {0, 1}, bad[2] = {0, 7};
  CHECK(thrown([&] { trainer.step(2, x, {3}, good, {}); }) == Code::invalid_argument);
  CHECK(thrown([&] { trainer.step(2, x, {2}, good, {2}); }) == Code::invalid_argument);
  CHECK(thrown([&] { trainer.step(2, x, {2}, bad, {}); }) == Code::invalid_argument);
  CHECK(thrown([&] { trainer.step(0, x, {2}, good, {}); }) == Code::invalid_argument);
  CHECK(values(net) == before);
  TrainOptions o = options();
  o.schedule = "steps";
  CHECK(thrown([&] { Trainer(net, o); }) == Code::invalid_argument);
  o = options();
  o.carry = true;
  CHECK(thrown([&] { Trainer(net, o); }) == Code::invalid_argument);
  o = options();
  o.patience = 1;
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(8)); }) == Code::invalid_argument);
}

TEST_CASE("targets below zero do not count", "[train]") {
  const Context ctx = context(1);
  nn::Network net(ctx, kMlp, 1);
  Trainer trainer(net, options());
  const float x[6] = {1, 2, 3, 4, 5, 6};
  const std::int32_t y[3] = {1, -100, 0}, none[3] = {-1, -1, -1};
  const float two[4] = {1, 2, 5, 6};
  const std::int32_t kept[2] = {1, 0};
  const auto whole = array_dataset(3, x, {2}, y, {}), part = array_dataset(2, two, {2}, kept, {});
  CHECK(trainer.evaluate(*whole) == Approx(trainer.evaluate(*part)));
  CHECK(trainer.evaluate(*array_dataset(3, x, {2}, none, {})) == 0);
}

TEST_CASE("a predictor's carried state equals one long input", "[train]") {
  const Context ctx = context(1);
  const nn::Network net(ctx, "embedding 8 8 | gru 8 12 layers=2 | linear 12 8", 1);
  const std::int32_t ids[6] = {1, 5, 2, 7, 0, 3};
  Predictor whole(net), stream(net, true);
  const auto all = whole.run(ids, {1, 6});
  for (int round = 0; round < 2; ++round, stream.reset())
    for (std::size_t t = 0; t < 6; ++t) {
      const auto one = stream.run(ids + t, {1, 1});
      for (std::size_t i = 0; i < 8; ++i) CHECK(one.data[i] == Approx(all.data[t * 8 + i]).margin(1e-6));
    }
  CHECK(thrown([&] { stream.run(ids, {1, 2}); }) == Code::invalid_argument);
  CHECK(thrown([&] { whole.run(ids, {0, 2}); }) == Code::invalid_argument);
}
