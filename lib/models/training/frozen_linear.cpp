#include <cstring>

#include "frozen.hpp"
#include "loquor/kernels/table.hpp"
#include "loquor/nn/gemm.hpp"
#include "loquor/quant/panel.hpp"
#include "loquor/quant/rows.hpp"

namespace lq {
namespace {

using nn::Graph;
using nn::Op;
using nn::Run;
using nn::Value;

constexpr std::size_t kBlockBytes = 34;  // of Q8_0

// Rows [first, first + n) of the weights on one another, as fp32.
void widen_rows(const Context& ctx, std::span<const PackedMatrix> weights, std::size_t first, std::size_t n, float* to,
                std::size_t in) {
  for (const PackedMatrix& w : weights) {
    for (; n && first < w.rows(); ++first, --n, to += in) w.row(ctx, first, to);
    if (!n) return;
    first -= w.rows();
  }
  std::memset(to, 0, n * in * sizeof(float));
}

class FrozenProduct final : public Op {
 public:
  FrozenProduct(Graph& g, Value x, Value xd, const FrozenLinear& w, float scale, std::shared_ptr<Activations> act)
      : Op(g, x == xd ? std::vector<Value>{x} : std::vector<Value>{x, xd}),
        w_(w),
        scale_(scale),
        act_(std::move(act)),
        rows_(x->rows()),
        two_(x != xd) {
    for (const LoraPart& p : w.parts) {
      uses(p.a);
      uses(p.b);
      rank_ += p.a->rows();
    }
    output({in(0)->shape[0], in(0)->shape[1], w.out});
    if (!w.transposed.rows()) weights_ = backward_scratch(w.in * w.out + gemm_packed_size(w.in, w.out));
    if (!rank_) return;
    keep(seen());
    low_ = kept(rows_ * rank_);
    a_ = kept(rank_ * w.in);
    b_ = kept(w.out * rank_);
    forward_ = forward_scratch(std::max(gemm_packed_size(rank_, w.in), gemm_packed_size(w.out, rank_)));
    dlow_ = backward_scratch(rows_ * rank_);
    da_ = backward_scratch(std::max(rank_ * w.in, w.out * rank_));
    backward_ = backward_scratch(std::max({gemm_packed_size(rank_, w.out), gemm_packed_size(w.in, rank_),
                                           gemm_packed_size(rank_, rows_), gemm_packed_size(w.in, rows_)}));
  }

  void forward(const Run& run) override {
    set_activations(run.ctx, {in(0)->data, rows_, w_.in, w_.in}, *act_);
    std::size_t column = 0;
    for (const PackedMatrix& part : w_.linear->parts) {
      matmul(run.ctx, part, *act_, {out()->data + column, rows_, part.rows(), w_.out}, Store::assign,
             w_.linear->bias ? w_.linear->bias + column : nullptr);
      column += part.rows();
    }
    if (!rank_) return;
    gather();
    gemm(run.ctx, {rows_, rank_, w_.in, seen()->data, w_.in, false, a_->data, w_.in, true, low_->data, rank_},
         forward_->data);
    gemm(run.ctx,
         {rows_, w_.out, rank_, low_->data, rank_, false, b_->data, rank_, true, out()->data, w_.out, nullptr, true},
         forward_->data);
  }

  void backward(const Run& run) override {
    if (in(0)->grad) input_gradient(run);
    if (rank_) lora_gradients(run);
  }

 private:
  Value seen() const noexcept { return two_ ? in(1) : in(0); }

  // The narrow matrices as those of the fused product: A on one another, B with `scale` in its columns.
  void gather() {
    std::memset(b_->data, 0, b_->count * sizeof(float));
    std::size_t first = 0;
    for (const LoraPart& p : w_.parts) {
      const std::size_t r = p.a->rows();
      std::memcpy(a_->data + first * w_.in, p.a->value, p.a->count * sizeof(float));
      for (std::size_t i = 0; i < p.b->rows(); ++i)
        for (std::size_t j = 0; j < r; ++j) b_->data[p.at(i) * rank_ + first + j] = scale_ * p.b->value[i * r + j];
      first += r;
    }
  }

  void input_gradient(const Run& run) {
    const float* dy = out()->grad;
    float* dx = in(0)->grad;
    if (w_.transposed.rows()) {
      set_activations(run.ctx, {dy, rows_, w_.out, w_.out}, *act_);
      matmul(run.ctx, w_.transposed, *act_, {dx, rows_, w_.in, w_.in}, adds(0) ? Store::add : Store::assign);
      return;
    }
    float* const w = weights_->data;
    run.ctx.pool().parallel_for(w_.out / 16 + 1, 1, [&](std::size_t b, std::size_t e, unsigned) {
      for (std::size_t r = b * 16; r < std::min(e * 16, w_.out); ++r)
        widen_rows(run.ctx, w_.linear->parts, r, 1, w + r * w_.in, w_.in);
    });
    gemm(run.ctx, {rows_, w_.in, w_.out, dy, w_.out, false, w, w_.in, false, dx, w_.in, nullptr, adds(0)},
         w + w_.in * w_.out);
  }

  void lora_gradients(const Run& run) {
    const float* dy = out()->grad;
    float* const work = backward_->data;
    gemm(run.ctx, {rows_, rank_, w_.out, dy, w_.out, false, b_->data, rank_, false, dlow_->data, rank_}, work);
    gemm(run.ctx, {w_.out, rank_, rows_, dy, w_.out, true, low_->data, rank_, false, da_->data, rank_}, work);
    std::size_t first = 0;
    for (const LoraPart& p : w_.parts) {
      const std::size_t r = p.a->rows();
      for (std::size_t i = 0; i < p.b->rows(); ++i)
        for (std::size_t j = 0; j < r; ++j) p.b->grad[i * r + j] += scale_ * da_->data[p.at(i) * rank_ + first + j];
      first += r;
    }
    gemm(run.ctx, {rank_, w_.in, rows_, dlow_->data, rank_, true, seen()->data, w_.in, false, da_->data, w_.in}, work);
    first = 0;
    for (const LoraPart& p : w_.parts) {
      run.ctx.kernels().axpby(1.0f, da_->data + first * w_.in, 1.0f, p.a->grad, p.a->count);
      first += p.a->rows();
    }
    if (float* dxd = seen()->grad)
      gemm(run.ctx,
           {rows_, w_.in, rank_, dlow_->data, rank_, false, a_->data, w_.in, false, dxd, w_.in, nullptr,
            two_ ? adds(1) : true},
           work);
  }

  const FrozenLinear& w_;
  float scale_;
  std::shared_ptr<Activations> act_;
  std::size_t rows_, rank_ = 0;
  bool two_;
  Value weights_ = nullptr, low_ = nullptr, a_ = nullptr, b_ = nullptr, forward_ = nullptr, dlow_ = nullptr,
        da_ = nullptr, backward_ = nullptr;
};

}  // namespace

PackedMatrix transpose(const Context& ctx, std::span<const PackedMatrix> weights, std::size_t in) {
  std::size_t out = 0;
  for (const PackedMatrix& w : weights) out += w.rows();
  const std::size_t blocks = whole_blocks(out) / kBlock, row = blocks * kBlockBytes;
  Storage bytes = ctx.allocate(in * row, true);
  ctx.pool().parallel_for(blocks, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    std::vector<float> rows(kBlock * in);
    float column[kBlock];
    for (std::size_t b = begin; b < end; ++b) {
      widen_rows(ctx, weights, b * kBlock, kBlock, rows.data(), in);
      for (std::size_t k = 0; k < in; ++k) {
        for (std::size_t i = 0; i < kBlock; ++i) column[i] = rows[i * in + k];
        encode_row(DType::Q8_0, column, kBlock, bytes.data() + k * row + b * kBlockBytes);
      }
    }
  });
  const PackedMatrix::Source source{DType::Q8_0, bytes.data(), in};
  return PackedMatrix::pack(ctx, {&source, 1}, blocks * kBlock);
}

Value frozen_linear(Graph& g, Value x, Value xd, const FrozenLinear& w, float scale, std::shared_ptr<Activations> act) {
  return g.add<FrozenProduct>(x, xd, w, scale, std::move(act)).result();
}

}  // namespace lq
