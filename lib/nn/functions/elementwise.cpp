#include <cmath>
#include <cstring>

#include "loquor/core/random.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

class Add final : public Op {
 public:
  Add(Graph& g, Value x, Value y) : Op(g, {x, y}) { output(x->shape); }
  void forward(const Run& run) override {
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().axpby(1.0f, in(0)->data + i, 0.0f, out()->data + i, n);
      run.ctx.kernels().axpby(1.0f, in(1)->data + i, 1.0f, out()->data + i, n);
    });
  }
  void backward(const Run& run) override {
    for (std::size_t k = 0; k < 2; ++k)
      if (in(k)->grad)
        for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
          run.ctx.kernels().axpby(1.0f, out()->grad + i, adds(k) ? 1.0f : 0.0f, in(k)->grad + i, n);
        });
  }
};

class Multiply final : public Op {
 public:
  Multiply(Graph& g, Value x, Value y) : Op(g, {x, y}) {
    output(x->shape);
    keep(x);
    keep(y);
  }
  void forward(const Run& run) override {
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().product(in(0)->data + i, in(1)->data + i, n, out()->data + i, false);
    });
  }
  void backward(const Run& run) override {
    for (std::size_t k = 0; k < 2; ++k)
      if (in(k)->grad)
        for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
          run.ctx.kernels().product(out()->grad + i, in(1 - k)->data + i, n, in(k)->grad + i, adds(k));
        });
  }
};

class Scale final : public Op {
 public:
  Scale(Graph& g, Value x, float factor) : Op(g, {x}), factor_(factor) { output(x->shape); }
  void forward(const Run& run) override {
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().axpby(factor_, in(0)->data + i, 0.0f, out()->data + i, n);
    });
  }
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().axpby(factor_, out()->grad + i, adds(0) ? 1.0f : 0.0f, in(0)->grad + i, n);
    });
  }

 private:
  float factor_;
};

class Activate final : public Op {
 public:
  Activate(Graph& g, Value x, Activation kind) : Op(g, {x}), kind_(kind) {
    Value y = output(x->shape);
    source_ = derivative_from_input(kind) ? x : y;
    keep(source_);
  }
  void forward(const Run& run) override {
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().activation(kind_, in(0)->data + i, n, out()->data + i);
    });
  }
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().activation_grad(kind_, source_->data + i, out()->grad + i, n, in(0)->grad + i, adds(0));
    });
  }

 private:
  Activation kind_;
  Value source_;
};

class Dropout final : public Op {
 public:
  Dropout(Graph& g, Value x, float p)
      : Op(g, {x}), drop_(static_cast<std::uint32_t>(p * 65536.0f + 0.5f)), scale_(1.0f / (1.0f - p)) {
    output(x->shape);
  }
  void forward(const Run& run) override { mask(run, in(0)->data, out()->data, false); }
  void backward(const Run& run) override {
    if (in(0)->grad) mask(run, out()->grad, in(0)->grad, adds(0));
  }

 private:
  void mask(const Run& run, const float* from, float* to, bool add) const {
    const std::uint64_t key = Random(run.seed, run.step).at(index());
    for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().dropout(from + i, n, key, i, drop_, scale_, to + i, add);
    });
  }
  std::uint32_t drop_;
  float scale_;
};

class Last final : public Op {
 public:
  Last(Graph& g, Value x) : Op(g, {x}) { output({x->shape[0], x->cols()}); }
  void forward(const Run&) override {
    const std::size_t t = in(0)->shape[1], c = in(0)->cols();
    for (std::size_t b = 0; b < in(0)->shape[0]; ++b)
      std::memcpy(out()->data + b * c, in(0)->data + (b * t + t - 1) * c, c * sizeof(float));
  }
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    const std::size_t t = in(0)->shape[1], c = in(0)->cols();
    if (!adds(0)) std::memset(in(0)->grad, 0, in(0)->count * sizeof(float));
    for (std::size_t b = 0; b < in(0)->shape[0]; ++b)
      run.ctx.kernels().axpby(1.0f, out()->grad + b * c, 1.0f, in(0)->grad + (b * t + t - 1) * c, c);
  }
};

// cos and sin of every position are computed once; backward turns the other way.
class Rope final : public Op {
 public:
  Rope(Graph& g, Value x, std::size_t heads, std::size_t head_dim, float base)
      : Op(g, {x}), heads_(heads), head_dim_(head_dim) {
    output(x->shape);
    const std::size_t half = head_dim / 2, t = x->shape[1];
    for (std::size_t i = 0; i < t * half; ++i) {
      const double angle =
          static_cast<double>(i / half) *
          std::pow(static_cast<double>(base), -2.0 * static_cast<double>(i % half) / static_cast<double>(head_dim));
      cos_.push_back(static_cast<float>(std::cos(angle)));
      sin_.push_back(static_cast<float>(std::sin(angle)));
      minus_sin_.push_back(-sin_.back());
    }
  }
  void forward(const Run& run) override {
    const std::size_t c = out()->cols();
    for_rows(run.ctx, out()->rows(), c, [&](std::size_t r) {
      std::memcpy(out()->data + r * c, in(0)->data + r * c, c * sizeof(float));
      turn(run, out()->data + r * c, r, sin_);
    });
  }
  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    const std::size_t c = out()->cols();
    for_rows(run.ctx, out()->rows(), c, [&](std::size_t r) {
      float* dy = out()->grad + r * c;  // nobody reads it after this
      turn(run, dy, r, minus_sin_);
      run.ctx.kernels().axpby(1.0f, dy, adds(0) ? 1.0f : 0.0f, in(0)->grad + r * c, c);
    });
  }

 private:
  void turn(const Run& run, float* row, std::size_t r, const std::vector<float>& sin) const {
    const std::size_t at = r % out()->shape[1] * (head_dim_ / 2);
    run.ctx.kernels().rope(row, heads_, head_dim_, head_dim_, cos_.data() + at, sin.data() + at, true);
  }
  std::size_t heads_, head_dim_;
  std::vector<float> cos_, sin_, minus_sin_;
};

void check_equal(const char* what, Value x, Value y) {
  LQ_CHECK(x->shape == y->shape, Code::invalid_argument, what, ": shapes of ", x->count, " and ", y->count,
           " values differ");
}

}  // namespace

Value add(Graph& g, Value x, Value y) {
  check_equal("add", x, y);
  return g.add<Add>(x, y).result();
}

Value multiply(Graph& g, Value x, Value y) {
  check_equal("multiply", x, y);
  return g.add<Multiply>(x, y).result();
}

Value scale(Graph& g, Value x, float factor) { return g.add<Scale>(x, factor).result(); }

Value activation(Graph& g, Value x, Activation kind) { return g.add<Activate>(x, kind).result(); }

Value dropout(Graph& g, Value x, float p) {
  LQ_CHECK(p >= 0.0f && p < 1.0f, Code::invalid_argument, "dropout: probability ", static_cast<double>(p),
           ", expected 0 to below 1");
  return p == 0.0f || !g.training() ? x : g.add<Dropout>(x, p).result();
}

Value last(Graph& g, Value x) {
  LQ_CHECK(x->shape.rank() == 3 && x->shape[1], Code::invalid_argument, "last: expected (batch, tokens, width)");
  return g.add<Last>(x).result();
}

Value rope(Graph& g, Value x, std::size_t heads, std::size_t head_dim, float base) {
  LQ_CHECK(x->shape.rank() == 3 && head_dim % 2 == 0 && heads * head_dim <= x->cols(), Code::invalid_argument,
           "rope: ", heads, " heads of ", head_dim, " in ", x->cols(), " columns");
  return g.add<Rope>(x, heads, head_dim, base).result();
}

}  // namespace lq::nn
