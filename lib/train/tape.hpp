// A compiled graph with its loss for one shape of batch.
#pragma once

#include "loquor/train/trainer.hpp"

namespace lq {

struct Trainer::Tape {
  nn::Graph graph;
  nn::Value x, y, loss;
  Tape(const nn::Trainable& net, nn::Graph::Mode mode, const TrainOptions& o, Shape xs, Shape ys)
      : graph(net.parameters().context(), mode, o.seed),
        x(graph.input(xs)),
        y(graph.input(ys)),
        loss(net.loss(graph, x, o.loss, y, o.carry)) {
    graph.compile(loss);
  }
};

}  // namespace lq
