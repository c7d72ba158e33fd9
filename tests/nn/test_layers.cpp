// Layers against torch: tests/goldens/make_nn_goldens.py. Outputs to 1e-5 of the largest, gradients to 1e-4.
#include "loquor/nn/layers.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <optional>

#include "loquor/formats/safetensors.hpp"
#include "loquor/nn/network.hpp"

using namespace lq;
using namespace lq::nn;

namespace {

Context make_context() {
  ContextOptions o;
  o.threads.threads = 2;
  return Context(o);
}

struct Golden {
  SafetensorsFile file = SafetensorsFile::open(LQ_SOURCE_DIR "/tests/goldens/nn.safetensors");

  const SafetensorsTensor& get(const std::string& name) const {
    const SafetensorsTensor* t = file.find_tensor(name);
    INFO(name);
    REQUIRE(t);
    return *t;
  }
  std::vector<float> floats(const std::string& name) const {
    std::vector<float> v(get(name).shape.count());
    read_floats(get(name), v.data());
    return v;
  }
  Shape shape(const std::string& name) const { return get(name).shape; }
  void fill(Value v, const std::string& name) const {
    REQUIRE(get(name).nbytes == v->count * 4);
    std::memcpy(v->data, get(name).data, get(name).nbytes);
  }
  void load(Parameters& p, const std::string& name) const {
    for (const auto& parameter : p.all()) {
      const auto v = floats(name + "/p/" + parameter->name);
      REQUIRE(v.size() == parameter->count);
      std::copy(v.begin(), v.end(), parameter->value);
    }
  }
  void check(const std::string& name, const float* x, double tolerance) const {
    const auto expected = floats(name);
    double worst = 0, size = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - static_cast<double>(x[i])));
      size = std::max(size, std::abs(static_cast<double>(expected[i])));
    }
    INFO(name << ": " << worst << " of " << size);
    CHECK(worst <= tolerance * std::max(size, 0.1));
  }
  void check_gradients(const Parameters& p, const std::string& name) const {
    for (const auto& parameter : p.all()) check(name + "/g/" + parameter->name, parameter->grad, 1e-4);
  }
};

struct Made {
  Parameters parameters;
  Random random{1};
  LayerArgs args;
  explicit Made(const Context& ctx) : parameters(ctx), args(parameters, random, "", "test") {}
};

}  // namespace

TEST_CASE("networks of one kind of layer give torch's outputs and gradients", "[nn][per_isa]") {
  const Context ctx = make_context();
  const Golden golden;
  std::size_t cases = 0;
  for (const auto& [name, text] : golden.file.metadata()) {
    if (!golden.file.find_tensor(name + "/x")) continue;  // a version
    ++cases;
    INFO(name << ": " << text);
    Network net(ctx, text, 1);
    golden.load(net.parameters(), name);
    const bool ids = net.takes_ids();
    Graph infer(ctx, Graph::Mode::infer), train(ctx, Graph::Mode::train);
    Value x = infer.input(golden.shape(name + "/x")), y = net.apply(infer, x);
    infer.compile(y);
    golden.fill(x, name + "/x");
    infer.forward();
    golden.check(name + "/y", y->data, 1e-5);

    Value tx = train.input(golden.shape(name + "/x"), !ids), target = train.input(golden.shape(name + "/t"));
    Value loss = net.loss(train, tx, ids ? Loss::cross_entropy : Loss::mean_squared_error, target);
    train.compile(loss);
    golden.fill(tx, name + "/x");
    golden.fill(target, name + "/t");
    for (int i = 0; i < 2; ++i) {  // a second run reuses the memory
      net.parameters().zero_grad();
      train.step();
      golden.check(name + "/loss", loss->data, 1e-5);
      if (!ids) golden.check(name + "/dx", tx->grad, 1e-4);
      golden.check_gradients(net.parameters(), name);
    }
  }
  CHECK(cases == 14);
}

TEST_CASE("an encoder layer over padded sequences is torch's", "[nn][per_isa]") {
  const Context ctx = make_context();
  const Golden golden;
  Made m(ctx);
  const EncoderLayer layer(m.args, "", {16, 4, 20});
  golden.load(m.parameters, "padded");
  Graph g(ctx, Graph::Mode::train);
  Value x = g.input({3, 6, 16}, true), t = g.input({3, 6, 16}), lengths = g.input({3});
  Value y = layer.apply(g, x, lengths);
  g.retain(y);
  g.compile(mean_squared_error(g, y, t));
  golden.fill(x, "padded/x");
  golden.fill(t, "padded/t");
  golden.fill(lengths, "padded/lengths");
  g.step();
  golden.check("padded/y", y->data, 1e-5);
  golden.check("padded/dx", x->grad, 1e-4);
  golden.check_gradients(m.parameters, "padded");
  lengths->ids()[1] = 7;
  CHECK_THROWS_AS(g.step(), Error);
}

TEST_CASE("a decoder layer with a memory is torch's", "[nn][per_isa]") {
  const Context ctx = make_context();
  const Golden golden;
  Made m(ctx);
  const DecoderLayer layer(m.args, "", {16, 2, 20});
  golden.load(m.parameters, "decoder");
  Graph g(ctx, Graph::Mode::train);
  Value x = g.input({2, 5, 16}, true), memory = g.input({2, 8, 16}, true), t = g.input({2, 5, 16});
  Value y = layer.apply(g, x, memory);
  g.retain(y);
  g.compile(mean_squared_error(g, y, t));
  golden.fill(x, "decoder/x");
  golden.fill(memory, "decoder/memory");
  golden.fill(t, "decoder/t");
  g.step();
  golden.check("decoder/y", y->data, 1e-5);
  golden.check("decoder/dx", x->grad, 1e-4);
  golden.check("decoder/dmemory", memory->grad, 1e-4);
  golden.check_gradients(m.parameters, "decoder");
}

TEST_CASE("recurrent layers take a state and give one", "[nn][per_isa]") {
  const Context ctx = make_context();
  const Golden golden;
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    const std::string name = cell == Cell::lstm ? "lstm_state" : "gru_state";
    Parameters p(ctx);
    const std::size_t width = gates(cell) * 7;
    RecurrentWeights w{};
    w.w_ih = &p.add("weight_ih_l0", {width, 5});
    w.w_hh = &p.add("weight_hh_l0", {width, 7});
    w.b_ih = &p.add("bias_ih_l0", {width});
    w.b_hh = &p.add("bias_hh_l0", {width});
    golden.load(p, name);
    Graph g(ctx, Graph::Mode::train);
    Value x = g.input({2, 4, 5}, true), h0 = g.input({2, 7}, true), t = g.input({2, 7});
    Value c0 = cell == Cell::lstm ? g.input({2, 7}, true) : nullptr;
    const RecurrentOutput out = recurrent(g, cell, x, w, h0, c0);
    Value last_state = c0 ? out.c : out.h;
    for (Value v : {out.y, out.h, last_state}) g.retain(v);
    g.compile(mean_squared_error(g, last_state, t));
    golden.fill(x, name + "/x");
    golden.fill(h0, name + "/h0");
    golden.fill(t, name + "/t");
    if (c0) golden.fill(c0, name + "/c0");
    g.step();
    golden.check(name + "/y", out.y->data, 1e-5);
    golden.check(name + "/h", out.h->data, 1e-5);
    golden.check(name + "/c", last_state->data, 1e-5);
    golden.check(name + "/dx", x->grad, 1e-4);
    golden.check(name + "/dh0", h0->grad, 1e-4);
    if (c0) golden.check(name + "/dc0", c0->grad, 1e-4);
    golden.check_gradients(p, name);
  }
}

TEST_CASE("descriptions that make no sense are refused by name", "[nn]") {
  const Context ctx = make_context();
  const auto message = [&](const char* text) -> std::string {
    try {
      Network net(ctx, text, 1);
    } catch (const Error& e) {
      CHECK(e.code() == Code::invalid_argument);
      return e.what();
    }
    return "made";
  };
  CHECK(message("linear 2 3 | tanh | linear 3 1 no_bias") == "made");
  CHECK(message("liner 2 3").find("no layer 'liner'; there are linear, ") != std::string::npos);
  CHECK(message("linear 2").find("the output's width") != std::string::npos);
  CHECK(message("linear 2 -3").find("not '-3'") != std::string::npos);
  CHECK(message("linear 2 3 foo=1").find("'foo=1' is not known") != std::string::npos);
  CHECK(message("linear 2 3 | ").find("'1.' is empty") != std::string::npos);
  CHECK(message("").find("empty") != std::string::npos);
  CHECK(message("transformer 16 heads=3").find("3 heads in a width of 16") != std::string::npos);
  CHECK(message("transformer 16 heads=x").find("'heads=x' is no number") != std::string::npos);
  CHECK(message("dropout p=1").find("below 1") != std::string::npos);
  CHECK(message("linear 4 4 tied=0").find("no weight") != std::string::npos);
}
