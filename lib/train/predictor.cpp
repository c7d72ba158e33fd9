#include <cstring>

#include "loquor/train/trainer.hpp"
#include "shape_key.hpp"

namespace lq {
namespace {

constexpr std::size_t kMostShapes = 16;

}  // namespace

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
  const std::string key = shape_key(shape);
  auto found = tapes_.find(key);
  if (found == tapes_.end()) {
    LQ_CHECK(!carry_ || tapes_.empty(), Code::invalid_argument,
             "network: with carried state all inputs have one shape");
    // A host that feeds ever other shapes is not to fill the memory.
    if (tapes_.size() >= kMostShapes) tapes_.clear();
    found = tapes_.emplace(key, std::make_unique<Tape>(network_, shape, carry_)).first;
  }
  Tape* const tape = found->second.get();
  std::memcpy(tape->x->data, x, tape->x->count * 4);
  tape->graph.forward();
  return {tape->y->data, tape->y->shape};
}

void Predictor::reset() {
  for (const auto& [key, tape] : tapes_) tape->graph.reset_state();
}

}  // namespace lq
