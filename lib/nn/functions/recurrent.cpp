// A whole sequence is one operator: the inputs' share of all gates is one product, then each thread takes some of the
// sequences through all their steps, with nobody to wait for. The gradients of the weights are again single products
// over all steps.
#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "loquor/nn/gemm.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

class Recurrent final : public Op {
 public:
  Recurrent(Graph& g, Cell cell, Value x, const RecurrentWeights& w, Value h0, Value c0)
      : Op(g, {x, h0, c0}), cell_(cell), w_(w), batch_(x->shape[0]), t_(x->shape[1]), size_(w.w_hh->cols()) {
    for (const Parameter* p : {w.w_ih, w.w_hh, w.b_ih, w.b_hh}) uses(p);
    const std::size_t rows = batch_ * t_, width = gates(cell) * size_;
    output({batch_, t_, size_});
    output({batch_, size_});
    if (cell == Cell::lstm) output({batch_, size_});
    keep(x);
    gates_ = kept(rows * width);
    previous_ = kept(rows * size_);
    if (cell == Cell::gru) hidden_ = kept(rows * width);
    if (cell == Cell::lstm) cells_ = kept(batch_ * (t_ + 1) * size_);
    if (cell == Cell::rnn) keep(out(0));
    bias_ = forward_scratch(width);
    pack_forward_ = forward_scratch(std::max(gemm_packed_size(width, size_), gemm_packed_size(width, x->cols())));
    pack_backward_ = backward_scratch(std::max({gemm_packed_size(size_, width), gemm_packed_size(x->cols(), width),
                                                gemm_packed_size(std::max(size_, x->cols()), rows)}));
    dh_ = backward_scratch(batch_ * size_);
    dc_ = backward_scratch(batch_ * size_);
  }

  void forward(const Run& run) override {
    const std::size_t width = gates(cell_) * size_, cols = in(0)->cols();
    const KernelTable& k = run.ctx.kernels();
    std::memcpy(bias_->data, w_.b_ih->value, width * sizeof(float));
    if (cell_ != Cell::gru) k.axpby(1.0f, w_.b_hh->value, 1.0f, bias_->data, width);
    lq::gemm(run.ctx,
             {batch_ * t_, width, cols, in(0)->data, cols, false, w_.w_ih->value, cols, true, gates_->data, width,
              bias_->data},
             pack_forward_->data);
    gemm_pack(run.ctx, {0, width, size_, nullptr, 0, false, w_.w_hh->value, size_, true, nullptr, 0},
              pack_forward_->data);
    start(in(1), previous_->data, t_);
    if (cells_) start(in(2), cells_->data, t_ + 1);
    each_sequences(run, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = 0; t < t_; ++t) {
        state_product(run, t, begin, end);
        for (std::size_t b = begin; b < end; ++b) cell_forward(k, b, t);
      }
    });
  }

  void backward(const Run& run) override {
    const std::size_t width = gates(cell_) * size_;
    gemm_pack(run.ctx, {0, size_, width, nullptr, 0, false, w_.w_hh->value, size_, false, nullptr, 0},
              pack_backward_->data);
    begin_gradient(out(1), dh_->data);
    if (cells_) begin_gradient(out(2), dc_->data);
    each_sequences(run, [&](std::size_t begin, std::size_t end) {
      for (std::size_t t = t_; t-- > 0;) {
        for (std::size_t b = begin; b < end; ++b) cell_backward(run.ctx.kernels(), b, t);
        back_product(run, t, begin, end);
      }
    });
    end_gradient(run, 1, dh_->data);
    if (cells_) end_gradient(run, 2, dc_->data);
    weight_gradients(run);
  }

 private:
  // Element 0 of sequence b, step t, in a buffer of `steps` steps of `width` values.
  static float* at(Value v, std::size_t b, std::size_t t, std::size_t steps, std::size_t width) noexcept {
    return v->data + (b * steps + t) * width;
  }
  void start(Value from, float* to, std::size_t steps) const noexcept {
    for (std::size_t b = 0; b < batch_; ++b)
      if (from)
        std::memcpy(to + b * steps * size_, from->data + b * size_, size_ * sizeof(float));
      else
        std::memset(to + b * steps * size_, 0, size_ * sizeof(float));
  }
  void begin_gradient(Value final, float* d) const noexcept {
    if (final->grad)
      std::memcpy(d, final->grad, batch_ * size_ * sizeof(float));
    else
      std::memset(d, 0, batch_ * size_ * sizeof(float));
  }
  void end_gradient(const Run& run, std::size_t input, const float* d) const noexcept {
    if (in(input) && in(input)->grad)
      run.ctx.kernels().axpby(1.0f, d, adds(input) ? 1.0f : 0.0f, in(input)->grad, batch_ * size_);
  }

  template <class Fn>
  void each_sequences(const Run& run, const Fn& fn) const {
    const std::size_t work = t_ * gates(cell_) * size_ * size_;
    if (batch_ * work < 256 * 1024) return fn(std::size_t{0}, batch_);
    run.ctx.pool().parallel_for(batch_, [&](std::size_t begin, std::size_t end, unsigned) { fn(begin, end); });
  }

  // gates (or, of a GRU, hidden) of step t += h W^T.
  void state_product(const Run& run, std::size_t t, std::size_t begin, std::size_t end) const noexcept {
    const std::size_t width = gates(cell_) * size_;
    const bool gru = cell_ == Cell::gru;
    const GemmArgs g{batch_,
                     width,
                     size_,
                     previous_->data + t * size_,
                     t_ * size_,
                     1,
                     pack_forward_->data,
                     16 * size_,
                     16,
                     true,
                     (gru ? hidden_ : gates_)->data + t * width,
                     t_ * width,
                     gru ? w_.b_hh->value : nullptr,
                     !gru};
    run.ctx.kernels().gemm(g, begin, end, 0, (width + 15) / 16);
  }

  // dh of step t - 1 := or += dgates W.
  void back_product(const Run& run, std::size_t t, std::size_t begin, std::size_t end) const noexcept {
    const std::size_t width = gates(cell_) * size_;
    const bool gru = cell_ == Cell::gru;
    const GemmArgs g{batch_,
                     size_,
                     width,
                     (gru ? hidden_ : gates_)->data + t * width,
                     t_ * width,
                     1,
                     pack_backward_->data,
                     16 * width,
                     16,
                     true,
                     dh_->data,
                     size_,
                     nullptr,
                     gru};
    run.ctx.kernels().gemm(g, begin, end, 0, (size_ + 15) / 16);
  }

  void cell_forward(const KernelTable& k, std::size_t b, std::size_t t) const noexcept {
    const std::size_t width = gates(cell_) * size_;
    float *gate = at(gates_, b, t, t_, width), *h = at(out(0), b, t, t_, size_);
    if (cell_ == Cell::rnn) k.activation(Activation::tanh, gate, size_, h);
    if (cell_ == Cell::lstm)
      k.lstm_cell(gate, at(cells_, b, t, t_ + 1, size_), size_, at(cells_, b, t + 1, t_ + 1, size_), h);
    if (cell_ == Cell::gru) k.gru_cell(gate, at(hidden_, b, t, t_, width), at(previous_, b, t, t_, size_), size_, h);
    if (t + 1 < t_) {
      std::memcpy(at(previous_, b, t + 1, t_, size_), h, size_ * sizeof(float));
      return;
    }
    std::memcpy(out(1)->data + b * size_, h, size_ * sizeof(float));
    if (cells_) std::memcpy(out(2)->data + b * size_, at(cells_, b, t_, t_ + 1, size_), size_ * sizeof(float));
  }

  void cell_backward(const KernelTable& k, std::size_t b, std::size_t t) const noexcept {
    const std::size_t width = gates(cell_) * size_;
    float *gate = at(gates_, b, t, t_, width), *dh = dh_->data + b * size_;
    if (out(0)->grad) k.axpby(1.0f, out(0)->grad + (b * t_ + t) * size_, 1.0f, dh, size_);
    if (cell_ == Cell::rnn) k.activation_grad(Activation::tanh, at(out(0), b, t, t_, size_), dh, size_, gate, false);
    if (cell_ == Cell::lstm)
      k.lstm_cell_grad(gate, at(cells_, b, t, t_ + 1, size_), at(cells_, b, t + 1, t_ + 1, size_), dh, size_,
                       dc_->data + b * size_);
    if (cell_ == Cell::gru)
      k.gru_cell_grad(gate, at(hidden_, b, t, t_, width), at(previous_, b, t, t_, size_), dh, size_, dh);
  }

  void weight_gradients(const Run& run) const {
    const std::size_t rows = batch_ * t_, width = gates(cell_) * size_, cols = in(0)->cols();
    const float* d = gates_->data;
    const float* d_state = cell_ == Cell::gru ? hidden_->data : d;
    if (w_.w_ih->grad)
      lq::gemm(run.ctx,
               {width, cols, rows, d, width, true, in(0)->data, cols, false, w_.w_ih->grad, cols, nullptr, true},
               pack_backward_->data);
    if (w_.w_hh->grad)
      lq::gemm(run.ctx,
               {width, size_, rows, d_state, width, true, previous_->data, size_, false, w_.w_hh->grad, size_, nullptr,
                true},
               pack_backward_->data);
    for (const auto& [bias, from] : {std::pair{w_.b_ih, d}, std::pair{w_.b_hh, d_state}})
      if (bias->grad)
        for_columns(run.ctx, rows, width, [&, b = bias, f = from](std::size_t j, std::size_t n) {
          run.ctx.kernels().column_sum(f + j, rows, width, n, b->grad + j, true);
        });
    if (in(0)->grad)
      lq::gemm(run.ctx,
               {rows, cols, width, d, width, false, w_.w_ih->value, cols, false, in(0)->grad, cols, nullptr, adds(0)},
               pack_backward_->data);
  }

  Cell cell_;
  RecurrentWeights w_;
  std::size_t batch_, t_, size_;
  Value gates_, previous_, hidden_ = nullptr, cells_ = nullptr;
  Value bias_, pack_forward_, pack_backward_, dh_, dc_;
};

}  // namespace

RecurrentOutput recurrent(Graph& g, Cell cell, Value x, const RecurrentWeights& w, Value h0, Value c0) {
  const std::size_t size = w.w_hh->cols(), width = gates(cell) * size;
  LQ_CHECK(x->shape.rank() == 3 && x->count, Code::invalid_argument, "recurrent: expected (batch, tokens, width)");
  LQ_CHECK(w.w_ih->rows() == width && w.w_hh->rows() == width && w.w_ih->cols() == x->cols() &&
               w.b_ih->count == width && w.b_hh->count == width,
           Code::invalid_argument, "recurrent: '", w.w_ih->name, "' (", w.w_ih->rows(), ", ", w.w_ih->cols(),
           ") does not fit a state of ", size, " and ", x->cols(), " columns");
  for (Value s : {h0, c0})
    LQ_CHECK(!s || s->count == x->shape[0] * size, Code::invalid_argument, "recurrent: a state of ", s->count,
             " values for ", x->shape[0], " x ", size);
  const Recurrent& op = g.add<Recurrent>(cell, x, w, h0, c0);
  return {op.result(0), op.result(1), cell == Cell::lstm ? op.result(2) : nullptr};
}

}  // namespace lq::nn
