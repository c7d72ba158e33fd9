// Checkpoints: a run resumed equals one that was never interrupted, also when it was killed.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "../temp_folder.hpp"
#include "loquor/train/state_dict.hpp"
#include "toy.hpp"

using namespace lq;
using namespace lq_test;

namespace {

constexpr const char* kRecurrent = "embedding 16 24 | gru 24 32 layers=2 dropout=0.2 | linear 32 16";

TrainOptions run(bool carry) {
  TrainOptions o = options();
  o.optimizer.clip = 0.5;
  o.optimizer.weight_decay = 0.01;
  o.schedule = "cosine";
  o.batch = 4;
  o.accumulate = 2;
  o.epochs = 12;
  o.patience = 20;
  o.eval_every = 3;
  o.shuffle = !carry;
  o.carry = carry;
  return o;
}

// Trains in a child process, which is killed after `ms`; whether it came to its end before that.
bool killed_run(const TrainOptions& o, int ms) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      const Context ctx = context(2);
      nn::Network net(ctx, kRecurrent, 1);
      const auto data = text();
      Trainer(net, o).fit(*data, data.get(), [](const TrainProgress&) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        return true;
      });
    } catch (...) {
      _exit(1);
    }
    _exit(0);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
  kill(child, SIGKILL);
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(!(WIFEXITED(status) && WEXITSTATUS(status)));
  return WIFEXITED(status);
}

}  // namespace

TEST_CASE("a run killed again and again equals one that was never interrupted", "[train]") {
  for (const bool carry : {false, true}) {
    const TempFolder folder;
    TrainOptions o = run(carry);
    const auto expected = [&] {
      const Context ctx = context(1);
      nn::Network net(ctx, kRecurrent, 1);
      const auto data = text();
      Trainer(net, o).fit(*data, data.get());
      return values(net);
    }();
    o.checkpoint = folder / "run.safetensors";
    o.checkpoint_every = 1;
    int kills = 0;
    for (int ms = 8; ms < 400 && !killed_run(o, ms); ms += 3) ++kills;
    CHECK(kills > 1);
    // The rest, in this process: the network is made from the checkpoint's parameters.
    const Context ctx = context(2);
    nn::Network net(ctx, kRecurrent, 77);
    const auto data = text();
    Trainer(net, o).fit(*data, data.get());
    CHECK(values(net) == expected);
  }
}

TEST_CASE("stopping and going on changes nothing", "[train]") {
  const TempFolder folder;
  TrainOptions o = run(false);
  const Context ctx = context(1);
  nn::Network straight(ctx, kRecurrent, 1), halves(ctx, kRecurrent, 1);
  const auto data = text();
  Trainer(straight, o).fit(*data, data.get());
  o.checkpoint = folder / "run.safetensors";
  Trainer(halves, o).fit(*data, data.get(), [](const TrainProgress& p) { return p.step < 7; });
  CHECK(values(halves) != values(straight));
  const TrainProgress p = Trainer(halves, o).fit(*data, data.get());
  CHECK(p.step == p.steps);
  CHECK(values(halves) == values(straight));
}

TEST_CASE("a checkpoint of something else is refused and changes nothing", "[train]") {
  const TempFolder folder;
  const Context ctx = context(1);
  nn::Network net(ctx, kMlp, 1), other(ctx, "linear 2 25 | tanh | linear 25 2", 1);
  TrainOptions o = options();
  o.checkpoint = folder / "run.safetensors";
  Trainer(net, o).fit(*circles(40));
  const auto before = values(other);
  CHECK(thrown([&] { Trainer(other, o).fit(*circles(40)); }) == Code::mismatch);
  CHECK(values(other) == before);
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(41)); }) == Code::mismatch);
  o.learning_rate *= 2;
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(40)); }) == Code::mismatch);
  write_bytes(o.checkpoint, read_bytes(o.checkpoint).substr(0, 700));
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(40)); }) == Code::bad_file);
  save_network(o.checkpoint, net);
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(40)); }) == Code::bad_file);
}

TEST_CASE("a checkpoint that cannot be written leaves the one before", "[train]") {
  const Context ctx = context(1);
  nn::Network net(ctx, kMlp, 1);
  TrainOptions o = options();
  o.checkpoint = "/dev/full/none/run.safetensors";
  CHECK(thrown([&] { Trainer(net, o).fit(*circles(40)); }) == Code::io);
}

TEST_CASE("a run can be made longer", "[train]") {
  const TempFolder folder;
  const Context ctx = context(1);
  TrainOptions o = options();
  nn::Network straight(ctx, kMlp, 1), extended(ctx, kMlp, 1);
  const auto data = circles(40);
  o.epochs = 8;
  Trainer(straight, o).fit(*data);
  o.checkpoint = folder / "run.safetensors";
  o.epochs = 3;
  Trainer(extended, o).fit(*data);
  o.epochs = 8;
  Trainer(extended, o).fit(*data);
  CHECK(values(extended) == values(straight));
}

TEST_CASE("networks are saved with their description and load again, checkpoints too", "[train]") {
  const TempFolder folder;
  const Context ctx = context(1);
  nn::Network net(ctx, kMlp, 1);
  TrainOptions o = options();
  o.checkpoint = folder / "run.safetensors";
  Trainer(net, o).fit(*circles(40));
  save_network(folder / "net.safetensors", net);
  for (const char* file : {"net.safetensors", "run.safetensors"}) {
    const auto again = load_network(ctx, folder / file);
    CHECK(again->description() == net.description());
    CHECK(values(*again) == values(net));
  }
  nn::Network wider(ctx, "linear 2 25 | tanh | linear 25 2", 1),
      deeper(ctx, "linear 2 24 | tanh | linear 24 2 | linear 2 2", 1);
  nn::Network shallow(ctx, "linear 2 24", 1);
  for (nn::Network* n : {&wider, &deeper, &shallow}) {
    const auto before = values(*n);
    CHECK(thrown([&] { load_parameters(folder / "net.safetensors", n->parameters()); }) == Code::mismatch);
    CHECK(values(*n) == before);
  }
  CHECK(thrown([&] { load_network(ctx, folder / "none"); }) == Code::not_found);
}
