// Optimizers against torch: tests/goldens/make_train_goldens.py. Parameters after six updates to 1e-5.
#include "loquor/train/optimizer.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "loquor/formats/safetensors.hpp"
#include "loquor/train/trainer.hpp"

using namespace lq;

namespace {

struct Case {
  const char* name;
  double rate;
  OptimizerOptions options;
};

OptimizerOptions sgd(double momentum, bool nesterov, double decay, double clip) {
  OptimizerOptions o;
  o.name = "sgd";
  o.momentum = momentum;
  o.nesterov = nesterov;
  o.weight_decay = decay;
  o.clip = clip;
  return o;
}

OptimizerOptions adam(const char* name, double beta1, double beta2) {
  OptimizerOptions o;
  o.name = name;
  o.beta1 = beta1;
  o.beta2 = beta2;
  o.weight_decay = 0.1;
  return o;
}

}  // namespace

TEST_CASE("optimizers move parameters as torch's do", "[train]") {
  const auto file = SafetensorsFile::open(LQ_SOURCE_DIR "/tests/goldens/train.safetensors");
  const Context ctx{ContextOptions{}};
  const Case cases[] = {{"sgd", 0.1, sgd(0, false, 0, 0)},         {"momentum", 0.1, sgd(0.9, false, 0.01, 0)},
                        {"nesterov", 0.1, sgd(0.9, true, 0, 0)},   {"adam", 0.01, adam("adam", 0.9, 0.999)},
                        {"adamw", 0.01, adam("adamw", 0.8, 0.99)}, {"clipped", 0.5, sgd(0, false, 0, 0.1)}};
  for (const Case& c : cases) {
    nn::Network net(ctx, "linear 5 16 | tanh | linear 16 3", 1);
    for (const auto& p : net.parameters().all()) read_floats(*file.find_tensor("p/" + p->name), p->value);
    TrainOptions o;
    o.optimizer = c.options;
    o.learning_rate = c.rate;
    Trainer trainer(net, o);
    for (std::size_t i = 0; i < 6; ++i)
      trainer.step(8, file.find_tensor("x")->data + i * 8 * 5 * 4, {5}, file.find_tensor("t")->data + i * 8 * 4, {});
    for (const auto& p : net.parameters().all()) {
      std::vector<float> expected(p->count);
      read_floats(*file.find_tensor(str(c.name, "/", p->name)), expected.data());
      double worst = 0;
      for (std::size_t i = 0; i < p->count; ++i)
        worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - static_cast<double>(p->value[i])));
      INFO(c.name << " " << p->name);
      CHECK(worst < 1e-5);
    }
  }
}

TEST_CASE("an optimizer refuses options out of their range and names the value", "[train]") {
  const Context ctx{ContextOptions{}};
  nn::Network net(ctx, "linear 2 2", 1);
  const auto refused = [&](void (*change)(OptimizerOptions&), const std::string& text) {
    OptimizerOptions o;
    change(o);
    try {
      Optimizer optimizer(net.parameters(), o);
      FAIL("accepted: " << text);
    } catch (const Error& e) {
      CHECK(e.code() == Code::invalid_argument);
      CHECK_THAT(e.what(), Catch::Contains(text));
    }
  };
  refused([](OptimizerOptions& o) { o.name = "lion"; }, "no 'lion'");
  refused([](OptimizerOptions& o) { o.beta1 = 1; }, "beta1 1.0");
  refused([](OptimizerOptions& o) { o.eps = 0; }, "eps 0.0");
  refused([](OptimizerOptions& o) { o.momentum = -1; }, "momentum -1");
  refused([](OptimizerOptions& o) { o.weight_decay = std::numeric_limits<double>::infinity(); }, "weight_decay inf");
}
