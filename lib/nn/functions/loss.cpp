#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "loquor/nn/gemm.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

// How many ids count. Throws for one outside the classes.
std::size_t check_ids(Value ids, std::size_t classes) {
  std::size_t counted = 0;
  for (std::size_t r = 0; r < ids->count; ++r) {
    LQ_CHECK(ids->ids()[r] < 0 || static_cast<std::size_t>(ids->ids()[r]) < classes, Code::invalid_argument,
             "cross_entropy: class ", ids->ids()[r], " at ", r, " of ", classes);
    counted += ids->ids()[r] >= 0;
  }
  return counted;
}

// The mean of the rows' losses, summed in order.
float mean(const double* losses, std::size_t rows, std::size_t counted) noexcept {
  double sum = 0;
  for (std::size_t r = 0; r < rows; ++r) sum += losses[r];
  return counted ? static_cast<float>(sum / static_cast<double>(counted)) : 0.0f;
}

class CrossEntropy final : public Op {
 public:
  CrossEntropy(Graph& g, Value logits, Value ids) : Op(g, {logits, ids}) {
    output({1});
    p_ = kept(logits->count);
    losses_ = forward_scratch(2 * logits->rows());
    keep(ids);
  }

  // p_: the gradient of the sum of the rows' losses.
  void forward(const Run& run) override {
    const std::size_t c = in(0)->cols(), rows = in(0)->rows();
    counted_ = check_ids(in(1), c);
    auto* losses = reinterpret_cast<double*>(losses_->data);
    for_rows(run.ctx, rows, 8 * c, [&](std::size_t r) {
      float* p = p_->data + r * c;
      const std::int32_t id = in(1)->ids()[r];
      losses[r] = 0;
      if (id < 0) return std::memset(p, 0, c * sizeof(float)), void();
      std::memcpy(p, in(0)->data + r * c, c * sizeof(float));
      losses[r] = run.ctx.kernels().cross_entropy(p, c, static_cast<std::size_t>(id), run.training ? 1.0f : 0.0f);
    });
    *out()->data = mean(losses, rows, counted_);
  }

  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    const float factor = counted_ ? *out()->grad / static_cast<float>(counted_) : 0.0f;
    for_values(run.ctx, p_->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().axpby(factor, p_->data + i, adds(0) ? 1.0f : 0.0f, in(0)->grad + i, n);
    });
  }

 private:
  Value p_, losses_;
  std::size_t counted_ = 0;
};

// The gradients are computed with the logits at hand, in forward(); the loss is the last operator, so that its own
// gradient is known then: the run's loss_scale.
class LinearCrossEntropy final : public Op {
 public:
  LinearCrossEntropy(Graph& g, Value x, const Parameter& w, const Parameter* b, Value ids)
      : Op(g, {x, ids}), w_(w), b_(b) {
    uses(&w);
    uses(b);
    output({1});
    const std::size_t n = w.rows(), k = w.cols();
    step_ = std::min(x->rows(), std::max<std::size_t>(24, kLogits / n));
    logits_ = forward_scratch(step_ * n);
    losses_ = forward_scratch(2 * x->rows());
    packed_ = forward_scratch(gemm_packed_size(n, k));
    if (!g.training()) return;
    back_ = forward_scratch(gemm_packed_size(k, n));
    work_ = forward_scratch(gemm_packed_size(k, step_));
    dx_ = kept(x->count);
  }

  void forward(const Run& run) override {
    const std::size_t rows = in(0)->rows(), n = w_.rows(), k = w_.cols();
    counted_ = check_ids(in(1), n);
    gemm_pack(run.ctx, {0, n, k, nullptr, 0, false, w_.value, k, true, nullptr, 0}, packed_->data);
    if (run.training) gemm_pack(run.ctx, {0, k, n, nullptr, 0, false, w_.value, k, false, nullptr, 0}, back_->data);
    for (std::size_t r = 0; r < rows; r += step_) rows_from(run, r, std::min(step_, rows - r));
    *out()->data = mean(reinterpret_cast<double*>(losses_->data), rows, counted_);
  }

  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    for_values(run.ctx, dx_->count, [&](std::size_t i, std::size_t n) {
      run.ctx.kernels().axpby(1.0f, dx_->data + i, adds(0) ? 1.0f : 0.0f, in(0)->grad + i, n);
    });
  }

 private:
  static constexpr std::size_t kLogits = std::size_t{1} << 21;  // floats at once

  void rows_from(const Run& run, std::size_t first, std::size_t rows) {
    const std::size_t n = w_.rows(), k = w_.cols();
    const float* x = in(0)->data + first * k;
    float* logits = logits_->data;
    Gemm product{rows, n, k, x, k, false, nullptr, 0, true, logits, n, b_ ? b_->value : nullptr};
    product.packed = packed_->data;
    lq::gemm(run.ctx, product, nullptr);
    auto* losses = reinterpret_cast<double*>(losses_->data);
    const float factor = run.training && counted_ ? run.loss_scale / static_cast<float>(counted_) : 0.0f;
    for_rows(run.ctx, rows, 8 * n, [&](std::size_t r) {
      const std::int32_t id = in(1)->ids()[first + r];
      losses[first + r] = 0;
      if (id < 0) return std::memset(logits + r * n, 0, n * sizeof(float)), void();
      losses[first + r] = run.ctx.kernels().cross_entropy(logits + r * n, n, static_cast<std::size_t>(id), factor);
    });
    if (run.training) gradients(run, x, first, rows);
  }

  void gradients(const Run& run, const float* x, std::size_t first, std::size_t rows) {
    const std::size_t n = w_.rows(), k = w_.cols();
    const float* d = logits_->data;
    Gemm dx{rows, k, n, d, n, false, nullptr, 0, false, dx_->data + first * k, k};
    dx.packed = back_->data;
    lq::gemm(run.ctx, dx, nullptr);
    if (w_.grad) lq::gemm(run.ctx, {n, k, rows, d, n, true, x, k, false, w_.grad, k, nullptr, true}, work_->data);
    if (b_ && b_->grad)
      for_columns(run.ctx, rows, n, [&](std::size_t j, std::size_t cols) {
        run.ctx.kernels().column_sum(d + j, rows, n, cols, b_->grad + j, true);
      });
  }

  const Parameter& w_;
  const Parameter* b_;
  Value logits_, losses_, packed_, back_ = nullptr, work_ = nullptr, dx_ = nullptr;
  std::size_t step_, counted_ = 0;
};

class SquaredError final : public Op {
 public:
  SquaredError(Graph& g, Value x, Value target) : Op(g, {x, target}) {
    output({1});
    keep(x);
    keep(target);
  }
  void forward(const Run&) override {
    double sum = 0;
    for (std::size_t i = 0; i < in(0)->count; ++i) {
      const double d = static_cast<double>(in(0)->data[i]) - static_cast<double>(in(1)->data[i]);
      sum += d * d;
    }
    *out()->data = static_cast<float>(sum / static_cast<double>(in(0)->count));
  }
  void backward(const Run& run) override {
    const float factor = 2.0f * *out()->grad / static_cast<float>(in(0)->count);
    const auto axpby = run.ctx.kernels().axpby;
    for (std::size_t k = 0; k < 2; ++k) {
      if (!in(k)->grad) continue;
      const float sign = k == 0 ? factor : -factor;
      axpby(sign, in(0)->data, adds(k) ? 1.0f : 0.0f, in(k)->grad, in(k)->count);
      axpby(-sign, in(1)->data, 1.0f, in(k)->grad, in(k)->count);
    }
  }
};

void check_rows(const char* what, std::size_t rows, Value ids) {
  LQ_CHECK(rows == ids->count && rows > 0, Code::invalid_argument, what, ": ", ids->count, " classes for ", rows,
           " rows");
}

}  // namespace

Value cross_entropy(Graph& g, Value logits, Value ids) {
  check_rows("cross_entropy", logits->rows(), ids);
  return g.add<CrossEntropy>(logits, ids).result();
}

Value linear_cross_entropy(Graph& g, Value x, const Parameter& w, const Parameter* b, Value ids) {
  check_rows("linear_cross_entropy", x->rows(), ids);
  LQ_CHECK(x->cols() == w.cols(), Code::invalid_argument, "linear_cross_entropy: '", w.name, "' takes ", w.cols(),
           " columns, not ", x->cols());
  return g.add<LinearCrossEntropy>(x, w, b, ids).result();
}

Value mean_squared_error(Graph& g, Value x, Value target) {
  LQ_CHECK(x->count == target->count && x->count > 0, Code::invalid_argument, "mean_squared_error: ", target->count,
           " targets for ", x->count, " values");
  return g.add<SquaredError>(x, target).result();
}

}  // namespace lq::nn
