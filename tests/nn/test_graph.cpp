// Gradients against finite differences of the loss, for every operator, and the promises of nn/graph.hpp.
#include "loquor/nn/graph.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <functional>

#include "loquor/core/random.hpp"
#include "loquor/nn/functions.hpp"

using namespace lq;
using namespace lq::nn;

namespace {

Context make_context(unsigned threads = 2) {
  ContextOptions o;
  o.threads.threads = threads;
  return Context(o);
}

void fill(float* x, std::size_t n, std::uint64_t seed, float scale = 1.0f) {
  Random rng(seed);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(rng.uniform() * 2 - 1) * scale;
}

struct Setup {
  const Context ctx = make_context();
  Parameters p{ctx};
  Parameter& parameter(Shape shape) {
    Parameter& q = p.add(str("p", p.all().size()), shape);
    fill(q.value, q.count, 100 + p.all().size());
    return q;
  }
};

// `record` makes an output from x; the loss is its distance to a fixed target, times 1 / its size.
using Record = std::function<Value(Graph&, Value x)>;

// Compares the gradients of x and of every parameter with central differences.
void check_gradients(Setup& s, Shape shape, const Record& record) {
  Graph g(s.ctx, Graph::Mode::train, 9);
  Value x = g.input(shape, true), y = record(g, x), t = g.input(y->shape), loss = mean_squared_error(g, y, t);
  g.compile(loss);
  fill(x->data, x->count, 1);
  fill(t->data, t->count, 2);
  s.p.zero_grad();
  g.step(3);
  const auto at = [&](float* where, float value) {
    const float before = *where;
    *where = value;
    g.step(3);
    *where = before;
    return static_cast<double>(*loss->data);
  };
  const auto compare = [&](float* value, const std::vector<float>& grad, const std::string& what) {
    double largest = 0;
    for (const float d : grad) largest = std::max(largest, std::abs(static_cast<double>(d)));
    const std::size_t step = std::max<std::size_t>(1, grad.size() / 12);
    for (std::size_t i = 0; i < grad.size(); i += step) {
      const float h = 2e-2f, v = value[i];
      // Fourth order, so that the step may be large against fp32's rounding of the loss.
      const double d =
          (8 * (at(value + i, v + h) - at(value + i, v - h)) - at(value + i, v + 2 * h) + at(value + i, v - 2 * h)) /
          (12 * static_cast<double>(h));
      INFO(what << "[" << i << "]");
      CHECK(std::abs(d - static_cast<double>(grad[i])) < 2e-5 + 3e-3 * largest);
    }
  };
  std::vector<std::vector<float>> grads{{x->grad, x->grad + x->count}};
  for (const auto& q : s.p.all()) grads.emplace_back(q->grad, q->grad + q->count);
  compare(x->data, grads[0], "x");
  for (std::size_t i = 0; i < s.p.all().size(); ++i) compare(s.p.all()[i]->value, grads[i + 1], s.p.all()[i]->name);
}

}  // namespace

TEST_CASE("gradients of simple operators agree with differences", "[nn][per_isa]") {
  Setup s;
  Parameter &w = s.parameter({19, 6}), &b = s.parameter({19});
  check_gradients(s, {5, 6}, [&](Graph& g, Value x) { return linear(g, x, w, &b); });
  for (const Activation a :
       {Activation::tanh, Activation::sigmoid, Activation::gelu, Activation::gelu_tanh, Activation::silu})
    check_gradients(s, {5, 6}, [&](Graph& g, Value x) { return activation(g, linear(g, x, w, &b), a); });
  check_gradients(s, {5, 6}, [&](Graph& g, Value x) {  // a value used several times
    Value h = linear(g, x, w, &b);
    return add(g, multiply(g, h, h), scale(g, add(g, h, h), 0.5f));
  });
  check_gradients(s, {4, 5, 6}, [&](Graph& g, Value x) { return last(g, linear(g, x, w, &b)); });
  check_gradients(s, {5, 6}, [&](Graph& g, Value x) { return dropout(g, linear(g, x, w, &b), 0.4f); });
}

TEST_CASE("gradients of norms and positions agree with differences", "[nn][per_isa]") {
  Setup s;
  Parameter &w = s.parameter({19}), &b = s.parameter({19}), &t = s.parameter({8, 19});
  check_gradients(s, {2, 5, 19}, [&](Graph& g, Value x) { return layer_norm(g, x, w, &b); });
  check_gradients(s, {2, 5, 19}, [&](Graph& g, Value x) { return rms_norm(g, x, w); });
  check_gradients(s, {2, 5, 19}, [&](Graph& g, Value x) { return add_positions(g, x, t); });
  check_gradients(s, {2, 5, 16}, [&](Graph& g, Value x) { return rope(g, x, 2, 8, 100.0f); });
}

TEST_CASE("gradients of attention agree with differences", "[nn][per_isa]") {
  Setup s;
  for (const bool causal : {false, true}) {
    // 4 query heads over 2, all in one value, and more rows than one block.
    check_gradients(s, {2, 60, 64}, [&](Graph& g, Value x) {
      return attention(g, {x, 0}, {x, 32}, {x, 48}, {4, 2, 8, causal});
    });
  }
}

TEST_CASE("gradients of recurrent layers agree with differences", "[nn][per_isa]") {
  for (const Cell cell : {Cell::rnn, Cell::lstm, Cell::gru}) {
    Setup s;
    const std::size_t n = gates(cell) * 5;
    const RecurrentWeights w{&s.parameter({n, 6}), &s.parameter({n, 5}), &s.parameter({n}), &s.parameter({n})};
    check_gradients(s, {3, 4, 6}, [&](Graph& g, Value x) { return recurrent(g, cell, x, w).y; });
    check_gradients(s, {3, 4, 6}, [&](Graph& g, Value x) {
      const RecurrentOutput first = recurrent(g, cell, x, w);
      return recurrent(g, cell, x, w, first.h, first.c).y;
    });
  }
}

TEST_CASE("a loss computed with its linear layer is the loss of the layer", "[nn][per_isa]") {
  Setup s;
  Parameter &w = s.parameter({70000, 16}), &b = s.parameter({70000});
  const auto run = [&](bool fused, std::vector<float>& grads) {
    Graph g(s.ctx, Graph::Mode::train);
    Value x = g.input({40, 16}, true), ids = g.input({40});
    Value loss = fused ? linear_cross_entropy(g, x, w, &b, ids) : cross_entropy(g, linear(g, x, w, &b), ids);
    g.compile(loss);
    fill(x->data, x->count, 5);
    for (int i = 0; i < 40; ++i) ids->ids()[i] = i % 7 == 3 ? -100 : i * 1733;
    s.p.zero_grad();
    g.step(0, 3.0f);
    grads.assign(x->grad, x->grad + x->count);
    grads.insert(grads.end(), w.grad, w.grad + w.count);
    grads.insert(grads.end(), b.grad, b.grad + b.count);
    return *loss->data;
  };
  std::vector<float> a, c;
  CHECK(run(true, a) == Approx(run(false, c)).epsilon(1e-6));
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(static_cast<double>(a[i] - c[i])));
  CHECK(worst < 1e-6);
}

TEST_CASE("a step gives the same bits on any number of threads", "[nn][per_isa]") {
  std::vector<std::vector<float>> results;
  for (const unsigned threads : {1u, 2u, 3u}) {
    const Context ctx = make_context(threads);
    Parameters p(ctx);
    Parameter &table = p.add("e", {50, 96}), &w = p.add("w", {288, 96}), &norm = p.add("n", {96}),
              &b = p.add("b", {96});
    Parameter &wi = p.add("wi", {384, 96}), &wh = p.add("wh", {384, 96}), &bi = p.add("bi", {384}),
              &bh = p.add("bh", {384});
    for (const auto& q : p.all()) fill(q->value, q->count, q->count, 0.2f);
    Graph g(ctx, Graph::Mode::train);
    Value ids = g.input({8, 70});
    Value x = layer_norm(g, embedding(g, ids, table), norm, &b), qkv = linear(g, x, w);
    x = add(g, x, dropout(g, attention(g, {qkv, 0}, {qkv, 96}, {qkv, 192}, {4, 4, 24, true}), 0.1f));
    x = recurrent(g, Cell::lstm, x, {&wi, &wh, &bi, &bh}).y;
    Value loss = linear_cross_entropy(g, x, table, nullptr, ids);
    g.compile(loss);
    for (std::size_t i = 0; i < ids->count; ++i) ids->ids()[i] = static_cast<std::int32_t>(i * i % 50);
    g.step(4);
    std::vector<float> r{*loss->data};
    for (const auto& q : p.all()) r.insert(r.end(), q->grad, q->grad + q->count);
    results.push_back(r);
  }
  for (std::size_t i = 1; i < results.size(); ++i)
    REQUIRE(std::memcmp(results[0].data(), results[i].data(), results[0].size() * sizeof(float)) == 0);
  CHECK(std::isfinite(results[0][0]));
}

TEST_CASE("values that are not needed at the same time share memory", "[nn]") {
  Setup s;
  Parameter& w = s.parameter({64, 64});
  const auto bytes = [&](Graph::Mode mode, int layers) {
    Graph g(s.ctx, mode);
    Value x = g.input({256, 64});
    for (int i = 0; i < layers; ++i) x = activation(g, linear(g, x, w), Activation::relu);
    g.compile(mode == Graph::Mode::train ? mean_squared_error(g, x, g.input({256, 64})) : x);
    return g.bytes();
  };
  CHECK(bytes(Graph::Mode::infer, 40) == bytes(Graph::Mode::infer, 4));
  CHECK(bytes(Graph::Mode::train, 40) < 45 * 256 * 64 * sizeof(float));  // one activation for each layer
}

TEST_CASE("carried state makes windows of a sequence equal to the whole", "[nn]") {
  Setup s;
  const RecurrentWeights w{&s.parameter({12, 5}), &s.parameter({12, 4}), &s.parameter({12}), &s.parameter({12})};
  std::vector<float> x(2 * 6 * 5), whole(2 * 6 * 4);
  fill(x.data(), x.size(), 3);
  Graph g(s.ctx, Graph::Mode::infer);
  Value in = g.input({2, 6, 5}), y = recurrent(g, Cell::gru, in, w).y;
  g.compile(y);
  std::memcpy(in->data, x.data(), x.size() * sizeof(float));
  g.forward();
  std::memcpy(whole.data(), y->data, whole.size() * sizeof(float));
  Graph part(s.ctx, Graph::Mode::infer);
  Value step = part.input({2, 2, 5}), h = part.input({2, 4});
  const RecurrentOutput out = recurrent(part, Cell::gru, step, w, h);
  part.carry(out.h, h);
  part.compile(out.y);
  for (int round = 0; round < 2; ++round, part.reset_state())
    for (std::size_t t = 0; t < 6; t += 2) {
      for (std::size_t b = 0; b < 2; ++b)
        std::memcpy(step->data + b * 10, x.data() + b * 30 + t * 5, 10 * sizeof(float));
      part.forward();
      for (std::size_t b = 0; b < 2; ++b)
        REQUIRE(std::memcmp(out.y->data + b * 8, whole.data() + b * 24 + t * 4, 8 * sizeof(float)) == 0);
    }
}
