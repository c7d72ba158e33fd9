#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "loquor/nn/gemm.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

class Linear final : public Op {
 public:
  Linear(Graph& g, Value x, const Parameter& w, const Parameter* b) : Op(g, {x}), w_(w), b_(b) {
    uses(&w);
    uses(b);
    Shape shape;
    for (std::size_t i = 0; i + 1 < x->shape.rank(); ++i) shape.push_back(x->shape[i]);
    shape.push_back(w.rows());
    output(shape);
    if (w.grad) keep(x);
    forward_ = forward_scratch(gemm_packed_size(w.rows(), w.cols()));
    backward_ = backward_scratch(
        std::max(gemm_packed_size(w.cols(), w.rows()), w.grad ? gemm_packed_size(w.cols(), x->rows()) : 0));
  }

  void forward(const Run& run) override {
    const std::size_t n = w_.rows(), k = w_.cols();
    lq::gemm(run.ctx,
             {in(0)->rows(), n, k, in(0)->data, k, false, w_.value, k, true, out()->data, n, b_ ? b_->value : nullptr},
             forward_->data);
  }

  void backward(const Run& run) override {
    const std::size_t rows = in(0)->rows(), n = w_.rows(), k = w_.cols();
    const float* dy = out()->grad;
    if (in(0)->grad)
      lq::gemm(run.ctx, {rows, k, n, dy, n, false, w_.value, k, false, in(0)->grad, k, nullptr, adds(0)},
               backward_->data);
    if (w_.grad)
      lq::gemm(run.ctx, {n, k, rows, dy, n, true, in(0)->data, k, false, w_.grad, k, nullptr, true}, backward_->data);
    if (b_ && b_->grad)
      for_columns(run.ctx, rows, n, [&](std::size_t j, std::size_t cols) {
        run.ctx.kernels().column_sum(dy + j, rows, n, cols, b_->grad + j, true);
      });
  }

 private:
  const Parameter& w_;
  const Parameter* b_;
  Value forward_, backward_;
};

class Embedding final : public Op {
 public:
  Embedding(Graph& g, Value ids, const Parameter& table) : Op(g, {ids}), table_(table) {
    uses(&table);
    Shape shape = ids->shape;
    shape.push_back(table.cols());
    output(shape);
    keep(ids);
  }

  void forward(const Run& run) override {
    const std::size_t c = table_.cols();
    const std::int32_t* ids = in(0)->ids();
    for (std::size_t r = 0; r < in(0)->count; ++r)
      LQ_CHECK(ids[r] >= 0 && static_cast<std::size_t>(ids[r]) < table_.rows(), Code::invalid_argument,
               "embedding: id ", ids[r], " at ", r, " is outside the table '", table_.name, "' of ", table_.rows());
    for_rows(run.ctx, in(0)->count, c, [&](std::size_t r) {
      std::memcpy(out()->data + r * c, table_.value + static_cast<std::size_t>(ids[r]) * c, c * sizeof(float));
    });
  }

  // A thread takes a range of columns of all rows, so that equal ids never meet and are added in order.
  void backward(const Run& run) override {
    if (!table_.grad) return;
    const std::size_t c = table_.cols();
    for_columns(run.ctx, in(0)->count, c, [&](std::size_t j, std::size_t cols) {
      for (std::size_t r = 0; r < in(0)->count; ++r)
        run.ctx.kernels().axpby(1.0f, out()->grad + r * c + j, 1.0f,
                                table_.grad + static_cast<std::size_t>(in(0)->ids()[r]) * c + j, cols);
    });
  }

 private:
  const Parameter& table_;
};

class AddPositions final : public Op {
 public:
  AddPositions(Graph& g, Value x, const Parameter& table) : Op(g, {x}), table_(table) {
    uses(&table);
    output(x->shape);
  }

  void forward(const Run& run) override {
    const std::size_t c = in(0)->cols(), t = in(0)->shape[1];
    for_rows(run.ctx, in(0)->rows(), c, [&](std::size_t r) {
      float* y = out()->data + r * c;
      std::memcpy(y, in(0)->data + r * c, c * sizeof(float));
      run.ctx.kernels().axpby(1.0f, table_.value + r % t * c, 1.0f, y, c);
    });
  }

  void backward(const Run& run) override {
    const std::size_t c = in(0)->cols(), t = in(0)->shape[1], n = t * c;
    const KernelTable& k = run.ctx.kernels();
    if (in(0)->grad)
      for_values(run.ctx, out()->count, [&](std::size_t i, std::size_t count) {
        k.axpby(1.0f, out()->grad + i, adds(0) ? 1.0f : 0.0f, in(0)->grad + i, count);
      });
    if (table_.grad)
      for_columns(run.ctx, in(0)->shape[0], n, [&](std::size_t j, std::size_t cols) {
        k.column_sum(out()->grad + j, in(0)->shape[0], n, cols, table_.grad + j, true);
      });
  }

 private:
  const Parameter& table_;
};

}  // namespace

Value linear(Graph& g, Value x, const Parameter& w, const Parameter* b) {
  LQ_CHECK(w.shape.rank() == 2 && x->cols() == w.cols(), Code::invalid_argument, "linear: '", w.name, "' takes ",
           w.cols(), " columns, not ", x->cols());
  LQ_CHECK(!b || b->count == w.rows(), Code::invalid_argument, "linear: bias '", b->name, "' has ", b->count,
           " values for ", w.rows(), " rows");
  return g.add<Linear>(x, w, b).result();
}

Value embedding(Graph& g, Value ids, const Parameter& table) {
  LQ_CHECK(table.shape.rank() == 2, Code::invalid_argument, "embedding: '", table.name, "' is no matrix");
  return g.add<Embedding>(ids, table).result();
}

Value add_positions(Graph& g, Value x, const Parameter& table) {
  LQ_CHECK(x->shape.rank() == 3 && table.shape.rank() == 2 && table.cols() == x->cols(), Code::invalid_argument,
           "positions: '", table.name, "' does not fit ", x->cols(), " columns");
  LQ_CHECK(x->shape[1] <= table.rows(), Code::invalid_argument, "positions: ", x->shape[1], " tokens, '", table.name,
           "' has ", table.rows());
  return g.add<AddPositions>(x, table).result();
}

}  // namespace lq::nn
