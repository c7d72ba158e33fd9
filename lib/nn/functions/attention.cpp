#include <cmath>
#include <cstring>

#include "loquor/kernels/table.hpp"
#include "loquor/nn/functions.hpp"
#include "loquor/nn/gemm.hpp"
#include "rows.hpp"

namespace lq::nn {
namespace {

constexpr std::size_t kBlock = 48;  // queries at once: a multiple of the kernels' rows

// One task is a sequence and a KV head with all its query heads, so that nobody else adds to its gradients.
class Attention final : public Op {
 public:
  Attention(Graph& g, std::vector<Value> inputs, Heads q, Heads k, Heads v, const AttentionShape& s)
      : Op(g, std::move(inputs)), q_(q), k_(k), v_(v), s_(s), scale_(1.0f / std::sqrt(static_cast<float>(s.head_dim))) {
    batch_ = q.value->shape[0];
    t_ = q.value->shape[1];
    keys_ = k.value->shape[1];
    output({batch_, t_, s.heads * s.head_dim});
    for (Value x : {q.value, k.value, v.value}) keep(x);
    for (Value x : {s.lengths, s.positions})
      if (x) keep(x);
    const std::size_t threads = g.context().pool().size(), d = s.head_dim;
    panel_ = gemm_packed_size(keys_, d);
    rows_ = gemm_packed_size(d, keys_);
    // Scores; keys; values. Backward: scores and their gradients; keys twice; values; queries and output gradients.
    forward_each_ = align_floats(kBlock * keys_) + panel_ + rows_;
    backward_each_ = 2 * align_floats(kBlock * keys_) + 2 * panel_ + rows_ + 2 * gemm_packed_size(d, kBlock);
    forward_ = forward_scratch(threads * forward_each_);
    backward_ = backward_scratch(threads * backward_each_);
  }

  void forward(const Run& run) override {
    check_lengths();
    check_positions();
    each_task(run, [&](std::size_t b, std::size_t kv, unsigned thread) {
      float* scores = forward_->data + thread * forward_each_;
      float* keys = scores + align_floats(kBlock * keys_);
      float* values = keys + panel_;
      pack(run, at(k_, b, 0, kv), stride(k_), keys, true);
      pack(run, at(v_, b, 0, kv), stride(v_), values, false);
      for (std::size_t h = kv * group(); h < (kv + 1) * group(); ++h)
        for (std::size_t row = 0; row < t_; row += kBlock) {
          const std::size_t rows = std::min(kBlock, t_ - row), first = first_panel(b, row);
          const std::size_t width = seen(b, row + rows - 1) - first;
          probabilities(run, b, h, row, rows, first, width, keys, scores);
          Gemm mix{rows,         s_.head_dim, width, scores, width,
                   false,        nullptr,     0,     false,  out_at(out()->data, b, row, h),
                   out()->cols()};
          mix.packed = values + first * 16;
          mix.packed_k = keys_;
          gemm_serial(run.ctx, mix, nullptr);
        }
    });
  }

  void backward(const Run& run) override {
    for (std::size_t i = 0; Value x = input(i); ++i)
      if (x->grad && !adds(i)) std::memset(x->grad, 0, x->count * sizeof(float));
    each_task(run, [&](std::size_t b, std::size_t kv, unsigned thread) {
      const Buffers w(*this, backward_->data + thread * backward_each_);
      pack(run, at(k_, b, 0, kv), stride(k_), w.keys, true);
      pack(run, at(v_, b, 0, kv), stride(v_), w.values, true);
      pack(run, at(k_, b, 0, kv), stride(k_), w.key_rows, false);
      for (std::size_t h = kv * group(); h < (kv + 1) * group(); ++h)
        for (std::size_t row = 0; row < t_; row += kBlock) block_gradients(run, w, b, h, row);
    });
  }

 private:
  struct Buffers {
    float *p, *dp, *keys, *values, *key_rows, *dout, *queries;
    Buffers(const Attention& a, float* at)
        : p(at),
          dp(p + align_floats(kBlock * a.keys_)),
          keys(dp + align_floats(kBlock * a.keys_)),
          values(keys + a.panel_),
          key_rows(values + a.panel_),
          dout(key_rows + a.rows_),
          queries(dout + gemm_packed_size(a.s_.head_dim, kBlock)) {}
  };

  Value input(std::size_t i) const noexcept { return i < distinct() ? in(i) : nullptr; }
  std::size_t distinct() const noexcept {
    return 1 + (k_.value != q_.value) + (v_.value != q_.value && v_.value != k_.value);
  }
  std::size_t group() const noexcept { return s_.heads / s_.kv_heads; }
  static std::size_t stride(const Heads& x) noexcept { return x.value->cols(); }
  std::size_t offset(const Heads& x, std::size_t b, std::size_t t, std::size_t head) const noexcept {
    return (b * x.value->shape[1] + t) * stride(x) + x.column + head * s_.head_dim;
  }
  const float* at(const Heads& x, std::size_t b, std::size_t t, std::size_t head) const noexcept {
    return x.value->data + offset(x, b, t, head);
  }
  float* out_at(float* base, std::size_t b, std::size_t t, std::size_t head) const noexcept {
    return base + (b * t_ + t) * out()->cols() + head * s_.head_dim;
  }
  // How many keys query `row` sees.
  std::size_t seen(std::size_t b, std::size_t row) const noexcept {
    const std::size_t all = s_.lengths ? static_cast<std::size_t>(s_.lengths->ids()[b]) : keys_;
    return s_.causal ? std::min(all, row + 1 + keys_ - t_) : all;
  }

  // Of the keys that the queries from `row` on see, the first, rounded down to a panel of keys.
  std::size_t first_panel(std::size_t b, std::size_t row) const noexcept {
    return s_.positions ? start(b, row) / 16 * 16 : 0;
  }
  std::size_t start(std::size_t b, std::size_t row) const noexcept {
    return s_.positions ? row - static_cast<std::size_t>(s_.positions->ids()[b * t_ + row]) : 0;
  }

  // Positions count up from 0 within each text.
  void check_positions() const {
    for (std::size_t i = 0; s_.positions && i < batch_ * t_; ++i) {
      const std::int32_t *p = s_.positions->ids() + i, before = i % t_ ? p[-1] : -1;
      LQ_CHECK(*p == 0 || *p == before + 1, Code::invalid_argument, "attention: position ", *p, " of token ", i % t_,
               " after ", before);
    }
  }

  void check_lengths() const {
    for (std::size_t b = 0; s_.lengths && b < batch_; ++b) {
      const std::int32_t n = s_.lengths->ids()[b];
      LQ_CHECK(n >= 1 && static_cast<std::size_t>(n) <= keys_, Code::invalid_argument, "attention: length ", n,
               " of sequence ", b, ", expected 1 to ", keys_);
    }
  }

  template <class Fn>
  void each_task(const Run& run, const Fn& fn) const {
    run.ctx.pool().parallel_for(batch_ * s_.kv_heads, 1, [&](std::size_t begin, std::size_t end, unsigned thread) {
      for (std::size_t i = begin; i < end; ++i) fn(i / s_.kv_heads, i % s_.kv_heads, thread);
    });
  }

  // All keys or values of a head: as columns (k = D) or as rows (k = keys).
  void pack(const Run& run, const float* src, std::size_t ld, float* to, bool columns) const noexcept {
    const std::size_t n = columns ? keys_ : s_.head_dim, k = columns ? s_.head_dim : keys_;
    for (std::size_t p = 0; p < n; p += 16)
      run.ctx.kernels().gemm_pack(src + p * (columns ? ld : 1), columns ? 1 : ld, columns ? ld : 1,
                                  std::min<std::size_t>(16, n - p), k, to + p * k);
  }

  // p (rows, width) of the queries from `row` on, for the keys from `first` on.
  void probabilities(const Run& run, std::size_t b, std::size_t h, std::size_t row, std::size_t rows, std::size_t first,
                     std::size_t width, const float* keys, float* p) const noexcept {
    Gemm scores{rows, width, s_.head_dim, at(q_, b, row, h), stride(q_), false, nullptr, 0, true, p, width};
    scores.packed = keys + first * s_.head_dim;
    gemm_serial(run.ctx, scores, nullptr);
    for (std::size_t r = 0; r < rows; ++r) {
      float* const at = p + r * width;
      const std::size_t unseen = s_.positions ? start(b, row + r) - first : 0;
      std::memset(at, 0, unseen * sizeof(float));
      run.ctx.kernels().softmax(at + unseen, seen(b, row + r) - first - unseen, width - unseen, scale_, at + unseen);
    }
  }

  void block_gradients(const Run& run, const Buffers& w, std::size_t b, std::size_t h, std::size_t row) const noexcept {
    const std::size_t rows = std::min(kBlock, t_ - row), first = first_panel(b, row), d = s_.head_dim;
    const std::size_t width = seen(b, row + rows - 1) - first;
    const std::size_t kv = h / group();
    const float* dout = out_at(out()->grad, b, row, h);
    probabilities(run, b, h, row, rows, first, width, w.keys, w.p);
    if (v_.value->grad)
      gemm_serial(run.ctx,
                  {width, d, rows, w.p, width, true, dout, out()->cols(), false,
                   v_.value->grad + offset(v_, b, first, kv), stride(v_), nullptr, true},
                  w.dout);
    Gemm dp{rows, width, d, dout, out()->cols(), false, nullptr, 0, true, w.dp, width};
    dp.packed = w.values + first * d;
    gemm_serial(run.ctx, dp, nullptr);
    for (std::size_t r = 0; r < rows; ++r)
      run.ctx.kernels().softmax_grad(w.p + r * width, w.dp + r * width, width, scale_, w.dp + r * width);
    if (q_.value->grad) {
      Gemm dq{rows,       d,       width, w.dp, width, false, nullptr, 0, false, q_.value->grad + offset(q_, b, row, h),
              stride(q_), nullptr, true};
      dq.packed = w.key_rows + first * 16;
      dq.packed_k = keys_;
      gemm_serial(run.ctx, dq, nullptr);
    }
    if (k_.value->grad)
      gemm_serial(run.ctx,
                  {width, d, rows, w.dp, width, true, at(q_, b, row, h), stride(q_), false,
                   k_.value->grad + offset(k_, b, first, kv), stride(k_), nullptr, true},
                  w.queries);
  }

  Heads q_, k_, v_;
  AttentionShape s_;
  float scale_;
  std::size_t batch_, t_, keys_, panel_, rows_, forward_each_, backward_each_;
  Value forward_, backward_;
};

void check_heads(const char* what, const Heads& x, std::size_t heads, std::size_t head_dim) {
  LQ_CHECK(x.value->shape.rank() == 3 && x.column + heads * head_dim <= x.value->cols(), Code::invalid_argument,
           "attention: ", heads, " heads of ", head_dim, " from column ", x.column, " of ", what, ", which has ",
           x.value->cols());
}

}  // namespace

Value attention(Graph& g, Heads q, Heads k, Heads v, const AttentionShape& s) {
  LQ_CHECK(s.heads && s.kv_heads && s.head_dim && s.heads % s.kv_heads == 0, Code::invalid_argument,
           "attention: ", s.heads, " heads over ", s.kv_heads);
  check_heads("q", q, s.heads, s.head_dim);
  check_heads("k", k, s.kv_heads, s.head_dim);
  check_heads("v", v, s.kv_heads, s.head_dim);
  LQ_CHECK(k.value->shape[1] == v.value->shape[1] && q.value->shape[0] == k.value->shape[0] &&
               k.value->shape[0] == v.value->shape[0] && q.value->shape[1] && k.value->shape[1] &&
               (!s.causal || k.value->shape[1] >= q.value->shape[1]) &&
               (!s.lengths || s.lengths->count == q.value->shape[0]) &&
               (!s.positions || (s.causal && s.positions->count == q.value->shape[0] * q.value->shape[1] &&
                                 k.value->shape[1] == q.value->shape[1])),
           Code::invalid_argument, "attention: queries (", q.value->shape[0], ", ", q.value->shape[1], "), keys (",
           k.value->shape[0], ", ", k.value->shape[1], "), values (", v.value->shape[0], ", ", v.value->shape[1], ")");
  std::vector<Value> inputs{q.value};
  for (Value x : {k.value, v.value})
    if (std::find(inputs.begin(), inputs.end(), x) == inputs.end()) inputs.push_back(x);
  for (Value x : {s.lengths, s.positions})
    if (x) inputs.push_back(x);
  return g.add<Attention>(std::move(inputs), q, k, v, s).result();
}

}  // namespace lq::nn
