#include <cstring>

#include "frozen.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/nn/gemm.hpp"

namespace lq {
namespace {

using nn::Graph;
using nn::Op;
using nn::Run;
using nn::Value;

// The rows that count are computed a few at a time, with their gradients: the loss is the last operator, so that its
// own gradient, the run's loss_scale, is known then.
class FrozenCrossEntropy final : public Op {
 public:
  FrozenCrossEntropy(Graph& g, Value x, const PackedMatrix& head, const PackedMatrix& transposed, Value ids,
                     Compute compute)
      : Op(g, {x, ids}),
        head_(head),
        transposed_(transposed),
        v_(head.rows()),
        stride_(whole_blocks(v_)),
        c_(head.cols()),
        step_(std::min(x->rows(), std::max<std::size_t>(24, kLogits / v_))),
        narrow_(g.context(), step_, c_, compute) {
    output({1});
    logits_ = forward_scratch(step_ * stride_);
    rows_ = forward_scratch(2 * step_ * c_);
    if (!g.training()) return;
    dx_ = kept(x->count);
    if (transposed.rows())
      wide_ = Activations(g.context(), step_, stride_, compute);
    else
      weights_ = forward_scratch(kSlice * c_ + gemm_packed_size(c_, kSlice));
  }

  void forward(const Run& run) override {
    find_rows();
    const float factor = run.training && !counted_.empty() ? run.loss_scale / static_cast<float>(counted_.size()) : 0;
    if (run.training) std::memset(dx_->data, 0, dx_->count * sizeof(float));
    losses_.resize(counted_.size());
    for (std::size_t i = 0; i < counted_.size(); i += step_)
      rows_from(run, i, std::min(step_, counted_.size() - i), factor);
    double sum = 0;
    for (const double loss : losses_) sum += loss;
    *out()->data = counted_.empty() ? 0.0f : static_cast<float>(sum / static_cast<double>(counted_.size()));
  }

  void backward(const Run& run) override {
    if (!in(0)->grad) return;
    run.ctx.kernels().axpby(1.0f, dx_->data, adds(0) ? 1.0f : 0.0f, in(0)->grad, dx_->count);
  }

 private:
  static constexpr std::size_t kLogits = std::size_t{1} << 22;  // floats at once
  static constexpr std::size_t kSlice = 4096;                   // rows of the head at once, for exact gradients

  void find_rows() {
    counted_.clear();
    for (std::size_t r = 0; r < in(1)->count; ++r) {
      const std::int32_t id = in(1)->ids()[r];
      LQ_CHECK(id < 0 || static_cast<std::size_t>(id) < v_, Code::invalid_argument, "training: target ", id, " at ", r,
               " is outside the vocabulary of ", v_);
      if (id >= 0) counted_.push_back(r);
    }
  }

  void rows_from(const Run& run, std::size_t first, std::size_t n, float factor) {
    float* const x = rows_->data;
    for (std::size_t i = 0; i < n; ++i)
      std::memcpy(x + i * c_, in(0)->data + counted_[first + i] * c_, c_ * sizeof(float));
    set_activations(run.ctx, {x, n, c_, c_}, narrow_);
    float* const logits = logits_->data;
    matmul(run.ctx, head_, narrow_, {logits, n, v_, stride_});
    run.ctx.pool().parallel_for(n, 1, [&](std::size_t begin, std::size_t end, unsigned) {
      for (std::size_t i = begin; i < end; ++i) {
        const auto id = static_cast<std::size_t>(in(1)->ids()[counted_[first + i]]);
        losses_[first + i] = run.ctx.kernels().cross_entropy(logits + i * stride_, v_, id, factor);
        for (std::size_t j = v_; j < stride_; ++j) logits[i * stride_ + j] = 0;
      }
    });
    if (!run.training) return;
    float* const dx = x + step_ * c_;
    gradients(run, n, dx);
    for (std::size_t i = 0; i < n; ++i)
      std::memcpy(dx_->data + counted_[first + i] * c_, dx + i * c_, c_ * sizeof(float));
  }

  // dx (n, C) := the logits' gradients times the head.
  void gradients(const Run& run, std::size_t n, float* dx) {
    const float* d = logits_->data;
    if (transposed_.rows()) {
      set_activations(run.ctx, {d, n, stride_, stride_}, wide_);
      return matmul(run.ctx, transposed_, wide_, {dx, n, c_, c_});
    }
    float* const w = weights_->data;
    for (std::size_t v = 0; v < v_; v += kSlice) {
      const std::size_t rows = std::min(kSlice, v_ - v);
      run.ctx.pool().parallel_for(rows, 16, [&](std::size_t begin, std::size_t end, unsigned) {
        for (std::size_t r = begin; r < end; ++r) head_.row(run.ctx, v + r, w + r * c_);
      });
      gemm(run.ctx, {n, c_, rows, d + v, stride_, false, w, c_, false, dx, c_, nullptr, v > 0}, w + kSlice * c_);
    }
  }

  const PackedMatrix &head_, &transposed_;
  std::size_t v_, stride_, c_, step_;
  Activations narrow_, wide_;
  Value logits_, rows_, dx_ = nullptr, weights_ = nullptr;
  std::vector<std::size_t> counted_;
  std::vector<double> losses_;
};

}  // namespace

Value frozen_cross_entropy(Graph& g, Value x, const PackedMatrix& head, const PackedMatrix& transposed, Value ids,
                           Compute compute) {
  LQ_CHECK(x->rows() == ids->count && ids->count, Code::invalid_argument, "training: ", ids->count, " targets for ",
           x->rows(), " tokens");
  return g.add<FrozenCrossEntropy>(x, head, transposed, ids, compute).result();
}

}  // namespace lq
