#include <cmath>
#include <cstring>

#include "frozen.hpp"
#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

using nn::Graph;
using nn::Op;
using nn::Run;
using nn::Value;

// fn(row) for every row.
template <class Fn>
void each_row(const Run& run, std::size_t rows, const Fn& fn) {
  run.ctx.pool().parallel_for(rows, 8, [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r) fn(r);
  });
}

class Embedding final : public Op {
 public:
  Embedding(Graph& g, Value ids, const PackedMatrix& table, float scale) : Op(g, {ids}), table_(table), scale_(scale) {
    output({ids->shape[0], ids->shape[1], table.cols()});
  }
  void forward(const Run& run) override {
    const std::int32_t* ids = in(0)->ids();
    for (std::size_t r = 0; r < in(0)->count; ++r)
      LQ_CHECK(ids[r] >= 0 && static_cast<std::size_t>(ids[r]) < table_.rows(), Code::invalid_argument, "training: id ",
               ids[r], " at ", r, " is outside the vocabulary of ", table_.rows());
    const std::size_t c = table_.cols();
    each_row(run, in(0)->count, [&](std::size_t r) {
      float* y = out()->data + r * c;
      table_.row(run.ctx, static_cast<std::size_t>(ids[r]), y);
      if (scale_ != 1)
        for (std::size_t i = 0; i < c; ++i) y[i] *= scale_;
    });
  }
  void backward(const Run&) override {}

 private:
  const PackedMatrix& table_;
  float scale_;
};

class Split final : public Op {
 public:
  Split(Graph& g, Value x) : Op(g, {x}) {
    for (int i = 0; i < 2; ++i) output({x->shape[0], x->shape[2]});
  }
  void forward(const Run&) override {
    const std::size_t t = in(0)->shape[2];
    for (std::size_t b = 0; b < in(0)->shape[0]; ++b)
      for (std::size_t i = 0; i < 2; ++i)
        std::memcpy(out(i)->data + b * t, in(0)->data + (2 * b + i) * t, t * sizeof(float));
  }
  void backward(const Run&) override {}
};

class Rope final : public Op {
 public:
  Rope(Graph& g, Value qkv, Value positions, const RopeTable& table, const RopeShape& s)
      : Op(g, {qkv, positions}), s_(s) {
    output(qkv->shape);
    keep(positions);
    const std::size_t half = s.rope_dim / 2, t = qkv->shape[1];
    for (std::size_t i = 0; i < t * half; ++i) {
      const double angle = static_cast<double>(i / half) * table.inverse[i % half];
      cos_.push_back(static_cast<float>(std::cos(angle)) * table.scale);
      sin_.push_back(static_cast<float>(std::sin(angle)) * table.scale);
      minus_sin_.push_back(-sin_.back());
    }
  }
  void forward(const Run& run) override {
    const std::size_t c = out()->cols();
    each_row(run, out()->rows(), [&](std::size_t r) {
      float* y = out()->data + r * c;
      std::memcpy(y, in(0)->data + r * c, c * sizeof(float));
      turn(run, y, r, sin_);
    });
  }
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    const std::size_t c = out()->cols();
    each_row(run, out()->rows(), [&](std::size_t r) {
      float* dy = out()->grad + r * c;  // nobody reads it after this
      turn(run, dy, r, minus_sin_);
      run.ctx.kernels().axpby(1.0f, dy, adds(0) ? 1.0f : 0.0f, in(0)->grad + r * c, c);
    });
  }

 private:
  void turn(const Run& run, float* row, std::size_t r, const std::vector<float>& sin) const {
    const auto position = static_cast<std::size_t>(in(1)->ids()[r]) * (s_.rope_dim / 2);
    run.ctx.kernels().rope(row, s_.heads, s_.head_dim, s_.rope_dim, cos_.data() + position, sin.data() + position,
                           s_.style == RopeStyle::halves);
  }
  RopeShape s_;
  std::vector<float> cos_, sin_, minus_sin_;
};

class SwiGlu final : public Op {
 public:
  SwiGlu(Graph& g, Value x, bool interleaved)
      : Op(g, {x}), f_(x->cols() / 2), step_(interleaved ? 32 : 16), up_(interleaved ? 16 : f_) {
    output({x->shape[0], x->shape[1], f_});
    keep(x);
  }
  void forward(const Run& run) override {
    each_row(run, out()->rows(), [&](std::size_t r) {
      const float* x = in(0)->data + r * 2 * f_;
      run.ctx.kernels().swiglu(x, x + up_, step_, f_, out()->data + r * f_);
    });
  }
  // Its input has no other reader.
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    each_row(run, out()->rows(), [&](std::size_t r) {
      const float* x = in(0)->data + r * 2 * f_;
      float* dx = in(0)->grad + r * 2 * f_;
      run.ctx.kernels().swiglu_grad(x, x + up_, step_, f_, out()->grad + r * f_, dx, dx + up_);
    });
  }

 private:
  std::size_t f_, step_, up_;
};

}  // namespace

Value frozen_embedding(Graph& g, Value ids, const PackedMatrix& table, float scale) {
  return g.add<Embedding>(ids, table, scale).result();
}

IdsAndPositions split_input(Graph& g, Value x) {
  LQ_CHECK(x->shape.rank() == 3 && x->shape[1] == 2 && x->shape[2], Code::invalid_argument,
           "training: a language model's batch is (texts, 2, tokens): ids and positions");
  Split& s = g.add<Split>(x);
  return {s.result(0), s.result(1)};
}

Value rope_at(Graph& g, Value qkv, Value positions, const RopeTable& table, const RopeShape& shape) {
  return g.add<Rope>(qkv, positions, table, shape).result();
}

Value swiglu(Graph& g, Value gate_up, bool interleaved) { return g.add<SwiGlu>(gate_up, interleaved).result(); }

}  // namespace lq
