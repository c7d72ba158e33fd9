#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

class Norm final : public Op {
 public:
  Norm(Graph& g, Value x, const Parameter& w, const Parameter* b, float eps, bool center)
      : Op(g, {x}), w_(w), b_(b), eps_(eps), center_(center) {
    uses(&w);
    uses(b);
    output(x->shape);
    keep(x);
    stats_ = kept(x->rows() * (sizeof(NormStats) / sizeof(float)));
  }

  void forward(const Run& run) override {
    const std::size_t c = in(0)->cols();
    for_rows(run.ctx, in(0)->rows(), 4 * c, [&](std::size_t r) {
      run.ctx.kernels().norm_train(in(0)->data + r * c, w_.value, b_ ? b_->value : nullptr, c, eps_, center_,
                                   out()->data + r * c, stats() + r);
    });
  }

  void backward(const Run& run) override {
    const std::size_t c = in(0)->cols(), rows = in(0)->rows();
    const KernelTable& k = run.ctx.kernels();
    if (in(0)->grad)
      for_rows(run.ctx, rows, 4 * c, [&](std::size_t r) {
        k.norm_grad(in(0)->data + r * c, w_.value, out()->grad + r * c, stats()[r], c, center_, in(0)->grad + r * c,
                    adds(0));
      });
    if (w_.grad)
      for_columns(run.ctx, rows, c, [&](std::size_t j, std::size_t cols) {
        k.norm_weight_grad(in(0)->data + j, out()->grad + j, stats(), rows, c, cols, w_.grad + j,
                           b_ && b_->grad ? b_->grad + j : nullptr);
      });
  }

 private:
  NormStats* stats() const noexcept { return reinterpret_cast<NormStats*>(stats_->data); }
  const Parameter& w_;
  const Parameter* b_;
  float eps_;
  bool center_;
  Value stats_;
};

}  // namespace

Value layer_norm(Graph& g, Value x, const Parameter& w, const Parameter* b, float eps) {
  LQ_CHECK(w.count == x->cols() && (!b || b->count == x->cols()), Code::invalid_argument, "layer_norm: '", w.name,
           "' does not fit ", x->cols(), " columns");
  return g.add<Norm>(x, w, b, eps, true).result();
}

Value rms_norm(Graph& g, Value x, const Parameter& w, float eps) {
  LQ_CHECK(w.count == x->cols(), Code::invalid_argument, "rms_norm: '", w.name, "' does not fit ", x->cols(),
           " columns");
  return g.add<Norm>(x, w, nullptr, eps, false).result();
}

}  // namespace lq::nn
