#include <cstring>

#include "loquor/train/trainer.hpp"
#include "shape_key.hpp"

namespace lq {

struct Predictor::Tape {
  nn::Graph graph;
  nn::Value x, y;
  Tape(const nn::Network& net, const Shape& shape, bool carry)
      : graph(net.parameters().context(), nn::Graph::Mode::infer),
        x(graph.input(shape)),
        y(net.apply(graph, x, carry)) {
    graph.compile(y);
  }
};

Predictor::Predictor(const nn::Network& network, bool carry) : network_(network), carry_(carry) {}
Predictor::~Predictor() = default;

Predictor::Output Predictor::run(const void* x, const Shape& shape) {
  LQ_CHECK(shape.count() > 0, Code::invalid_argument, "network: an empty input");
  auto& tape = tapes_[shape_key(shape)];
  if (carry_ && tapes_.size() > 1) {
    tapes_.erase(shape_key(shape));
    fail(Code::invalid_argument, "network: with carried state all inputs have one shape");
  }
  if (!tape) {
    try {
      tape = std::make_unique<Tape>(network_, shape, carry_);
    } catch (...) {
      tapes_.erase(shape_key(shape));
      throw;
    }
  }
  std::memcpy(tape->x->data, x, tape->x->count * 4);
  tape->graph.forward();
  return {tape->y->data, tape->y->shape};
}

void Predictor::reset() {
  for (const auto& [key, tape] : tapes_) tape->graph.reset_state();
}

}  // namespace lq
