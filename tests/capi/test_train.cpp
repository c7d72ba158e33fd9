// Networks and their training through the C interface and the C++ layer.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"
#include "temp_folder.hpp"

using namespace lq_test;

namespace {

lq_status network(Handles& h, const char* description) {
  lq_network* n = nullptr;
  const lq_status s = lq_network_create(&n, h.context, description, 1);
  lq_network_free(n);
  return s;
}

lq_status trainer(Handles& h, void (*change)(lq_train_options&)) {
  const auto o = with<lq_train_options>(LQ_TRAIN_OPTIONS_INIT, change);
  lq_trainer* t = nullptr;
  const lq_status s = lq_trainer_create(&t, h.network, &o);
  lq_trainer_free(t);
  return s;
}

lq_status forward(Handles& h, void (*change)(lq_array&)) {
  lq_array out = LQ_ARRAY_INIT;
  const auto x = with<lq_array>(xor_inputs(), change);
  return lq_network_run(&out, h.network, &x, 0);
}

lq_status dataset(void (*change)(lq_array&)) {
  const lq_array x = xor_inputs();
  const auto y = with<lq_array>(xor_classes(), change);
  lq_dataset* d = nullptr;
  const lq_status s = lq_dataset_create(&d, &x, &y);
  lq_dataset_free(d);
  return s;
}

const BadRow kWrong[] = {
    {"description NULL", kInvalid, [](Handles& h) { return network(h, nullptr); }},
    {"description empty", kInvalid, [](Handles& h) { return network(h, ""); }},
    {"no such layer", kInvalid, [](Handles& h) { return network(h, "liner 2 2"); }},
    {"no width", kInvalid, [](Handles& h) { return network(h, "linear 2"); }},
    {"a word too many", kInvalid, [](Handles& h) { return network(h, "linear 2 2 3"); }},
    {"network NULL", kInvalid, [](Handles& h) { return lq_network_create(nullptr, h.context, "linear 2 2", 1); }},
    {"load nothing", LQ_ERR_NOT_FOUND,
     [](Handles& h) { return lq_network_load_parameters(h.network, (h.path + ".none").c_str()); }},
    {"load a model", LQ_ERR_BAD_FILE, [](Handles& h) { return lq_network_load_parameters(h.network, h.path.c_str()); }},
    {"save nowhere", LQ_ERR_IO, [](Handles& h) { return lq_network_save(h.network, (h.path + "/x").c_str()); }},
    {"no such parameter", kInvalid,
     [](Handles& h) {
       lq_parameter p = LQ_PARAMETER_INIT;
       return lq_network_parameter(&p, h.network, 4);
     }},
    {"rank 0", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.rank = 0; }); }},
    {"rank 5", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.rank = 5; }); }},
    {"nothing", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.shape[0] = 0; }); }},
    {"too much", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.shape[0] = UINT64_MAX; }); }},
    {"data NULL", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.data = nullptr; }); }},
    {"another width", kInvalid,
     [](Handles& h) {
       return forward(h, [](auto& x) {
         x.shape[0] = 2;
         x.shape[1] = 4;
       });
     }},
    {"array's struct_size", kInvalid, [](Handles& h) { return forward(h, [](auto& x) { x.struct_size = 8; }); }},
    {"fewer targets", kInvalid, [](Handles&) { return dataset([](auto& y) { y.shape[0] = 3; }); }},
    {"text without a window", kInvalid,
     [](Handles& h) {
       lq_dataset* d = nullptr;
       return lq_dataset_create_text(&d, h.tokens.data(), h.tokens.size(), 4, 1);
     }},
    {"optimizer", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.optimizer = "lion"; }); }},
    {"schedule", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.schedule = "steps"; }); }},
    {"loss", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.loss = 2; }); }},
    {"rate below 0", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.learning_rate = -1; }); }},
    {"rate NaN", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.learning_rate = kNan; }); }},
    {"clip NaN", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.clip = kNan; }); }},
    {"decay NaN", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.weight_decay = kNan; }); }},
    {"carry of what is shuffled", kInvalid, [](Handles& h) { return trainer(h, [](auto& o) { o.carry = 1; }); }},
    {"train NULL", kInvalid,
     [](Handles& h) { return lq_trainer_fit(nullptr, h.trainer, nullptr, nullptr, nullptr, nullptr, nullptr); }},
    {"cancelled", LQ_ERR_CANCELLED,
     [](Handles& h) {
       lq_cancel_trigger(h.cancel);
       const lq_status s = lq_trainer_fit(nullptr, h.trainer, h.dataset, nullptr, nullptr, nullptr, h.cancel);
       lq_cancel_reset(h.cancel);
       return s;
     }},
    {"a state of something else", LQ_ERR_BAD_FILE,
     [](Handles& h) {
       lq_network_save(h.network, (h.path + ".network").c_str());
       return lq_trainer_load(h.trainer, (h.path + ".network").c_str());
     }},
};

loquor::TrainOptions xor_options() {
  loquor::TrainOptions o;
  o.learning_rate = 0.05;
  o.epochs = 200;
  return o;
}

}  // namespace

TEST_CASE("wrong arguments to networks and trainers are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("a network learns XOR, is saved and loaded", "[capi]") {
  const float x[] = {0, 0, 0, 1, 1, 0, 1, 1};
  const std::int32_t y[] = {0, 1, 1, 0};
  const loquor::Dataset data({x, {4, 2}}, {y, {4}});
  CHECK(data.size() == 4);
  loquor::Network net("linear 2 16 | tanh | linear 16 2", 3);
  loquor::Trainer trainer(net, xor_options());
  std::uint64_t calls = 0;
  const lq_train_progress p =
      trainer.fit(data, nullptr, [&](const lq_train_progress& now) { return ++calls == now.step; });
  CHECK(p.step == 200);
  CHECK(calls == 200);
  CHECK(trainer.evaluate(data) < 0.05);
  const auto out = net.run({x, {4, 2}});
  REQUIRE(out.shape == std::vector<std::uint64_t>{4, 2});
  for (int i = 0; i < 4; ++i) CHECK((out.data[2 * i + 1] > out.data[2 * i]) == (y[i] == 1));

  const lq_test::TempFolder folder;
  net.save(folder / "xor.safetensors");
  loquor::Network again = loquor::Network::load(folder / "xor.safetensors");
  CHECK(again.description() == net.description());
  const auto same = again.run({x, {4, 2}});
  CHECK(std::memcmp(same.data, net.run({x, {4, 2}}).data, 8 * sizeof(float)) == 0);
  const auto parameters = again.parameters();
  REQUIRE(parameters.size() == 4);
  CHECK(std::string(parameters[0].name) == "0.weight");
  CHECK(parameters[0].count == 32);
  std::memset(parameters[2].data, 0, parameters[2].count * sizeof(float));
  std::memset(parameters[3].data, 0, parameters[3].count * sizeof(float));
  CHECK(again.run({x, {4, 2}}).data[0] == 0);
}

TEST_CASE("a progress callback ends training or throws through it", "[capi]") {
  const float x[] = {0, 0, 0, 1, 1, 0, 1, 1};
  const std::int32_t y[] = {0, 1, 1, 0};
  const loquor::Dataset data({x, {4, 2}}, {y, {4}});
  const loquor::Network net("linear 2 16 | tanh | linear 16 2", 3);
  loquor::Trainer trainer(net, xor_options());
  CHECK(trainer.fit(data, nullptr, [](const lq_train_progress& p) { return p.step < 5; }).step == 5);
  CHECK_THROWS_AS(trainer.fit(data, nullptr, [](const lq_train_progress&) -> bool { throw 3; }), int);
  CHECK(trainer.fit(data).step == 200);
}

TEST_CASE("recurrent state is carried from run to run until it is reset", "[capi]") {
  loquor::Network net("embedding 5 6 | lstm 6 7 | linear 7 5", 1);
  const std::int32_t ids[] = {1, 4};
  const auto both = net.run({ids, {1, 2}});
  const std::vector<float> whole(both.data, both.data + 10);
  net.run({ids, {1, 1}}, true);
  const float second = net.run({ids + 1, {1, 1}}, true).data[0];
  CHECK(second == Approx(whole[5]));
  net.reset();
  CHECK(net.run({ids, {1, 1}}, true).data[0] == Approx(whole[0]));
  const std::int32_t bad[] = {5};
  CHECK_THROWS_AS(net.run({bad, {1, 1}}), loquor::Error);
}
