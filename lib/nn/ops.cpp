#include "loquor/nn/ops.hpp"

#include <utility>

#include "loquor/kernels/table.hpp"

namespace lq {
namespace {

// Rows a thread claims at once in the row-wise operators: whole tiles, so that two threads do not write to one cache
// line; few where there are few to share.
constexpr std::size_t row_grain(std::size_t rows) noexcept { return rows < 48 ? 2 : 12; }

// Runs fn(row) for every row: here for a single row, on the pool for more.
template <class Fn>
void for_rows(const Context& ctx, std::size_t rows, const Fn& fn) {
  ctx.pool().parallel_for(rows, row_grain(rows), [&](std::size_t begin, std::size_t end, unsigned) {
    for (std::size_t r = begin; r < end; ++r) fn(r);
  });
}

ActRow act_row(Activations& a, std::size_t r) noexcept {
  const bool quantized = a.compute_ == Compute::quantized && a.cols_ % kBlock == 0;
  return {a.f32_ + r * a.cols_,
          quantized ? a.blocks_ : nullptr,
          a.rows_,
          r,
          a.outliers_ + r * (a.cols_ / 4),
          a.first_ + r * (segments(a.cols_) + 1),
          a.big_ + r};
}

void shape(Activations& a, std::size_t rows, std::size_t cols) {
  LQ_CHECK(rows <= a.max_rows_ && cols <= a.max_cols_, Code::internal, "activations: ", rows, " x ", cols,
           " in a buffer for ", a.max_rows_, " x ", a.max_cols_);
  a.rows_ = rows;
  a.cols_ = cols;
}

MatmulArgs matmul_args(const PackedMatrix& w, const Activations& a, TensorView<float> y, Store store,
                       const float* bias) {
  LQ_CHECK(w.cols() == a.cols() && y.rows >= a.rows() && y.cols >= w.rows(), Code::internal, "matmul: W ", w.rows(),
           " x ", w.cols(), ", input ", a.rows(), " x ", a.cols(), ", output ", y.rows, " x ", y.cols);
  MatmulArgs m{};
  m.panels = w.data();
  m.panel_bytes = w.panel_bytes();
  m.cols = w.cols();
  m.rows = w.rows();
  m.x = a.f32_;
  m.blocks = a.blocks_;
  m.outliers = a.outliers_;
  m.first = a.first_;
  m.big = a.big_;
  m.tokens = a.rows();
  m.y = y.data;
  m.ldy = y.stride;
  m.bias = bias;
  m.add = store == Store::add;
  return m;
}

// The parts of an Activations buffer: rows x cols fp32, then what ActRow holds of each row.
struct ActParts {
  std::size_t f32, blocks, outliers, first, big;
  ActParts(std::size_t rows, std::size_t cols) noexcept
      : f32(align_up(4 * rows * cols)),
        blocks(align_up(rows * (cols / kBlock) * kRowBlockBytes)),
        outliers(align_up(rows * cols / 4 * sizeof(Outlier))),
        first(align_up(rows * (segments(cols) + 1) * sizeof(std::uint32_t))),
        big(align_up(4 * rows)) {}
  std::size_t total() const noexcept { return f32 + blocks + outliers + first + big; }
};

}  // namespace

std::size_t Activations::bytes_needed(std::size_t rows, std::size_t cols) noexcept {
  return ActParts(rows, cols).total();
}

Activations::Activations(const Context& ctx, std::size_t max_rows, std::size_t max_cols, Compute compute)
    : storage_(ctx.allocate(bytes_needed(max_rows, max_cols))),
      max_rows_(max_rows),
      max_cols_(max_cols),
      compute_(compute) {
  const ActParts parts(max_rows, max_cols);
  std::byte* p = storage_.data();
  const auto part = [&p](std::size_t bytes) { return std::exchange(p, p + bytes); };
  f32_ = reinterpret_cast<float*>(part(parts.f32));
  blocks_ = part(parts.blocks);
  outliers_ = reinterpret_cast<Outlier*>(part(parts.outliers));
  first_ = reinterpret_cast<std::uint32_t*>(part(parts.first));
  big_ = reinterpret_cast<float*>(part(parts.big));
}

void set_activations(const Context& ctx, TensorView<const float> x, Activations& a) {
  shape(a, x.rows, x.cols);
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) { k.set_row(x.row(r), x.cols, act_row(a, r)); });
}

void rms_norm(const Context& ctx, TensorView<const float> x, const float* w, float eps, Activations& a) {
  shape(a, x.rows, x.cols);
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) {
    const ActRow row = act_row(a, r);
    k.rms_norm(x.row(r), w, x.cols, eps, row.x);
    if (row.blocks) k.set_row(row.x, x.cols, row);
  });
}

void rms_norm(const Context& ctx, TensorView<const float> x, const float* w, float eps, TensorView<float> y) {
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) { k.rms_norm(x.row(r), w, x.cols, eps, y.row(r)); });
}

void layer_norm(const Context& ctx, TensorView<const float> x, const float* w, const float* b, float eps,
                TensorView<float> y) {
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) { k.layer_norm(x.row(r), w, b, x.cols, eps, y.row(r)); });
}

namespace {

void swiglu_rows(const Context& ctx, TensorView<const float> gate, TensorView<const float> up, std::size_t step,
                 Activations& a) {
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, gate.rows, [&](std::size_t r) {
    const ActRow row = act_row(a, r);
    k.swiglu(gate.row(r), up.row(r), step, a.cols(), row.x);
    if (row.blocks) k.set_row(row.x, a.cols(), row);
  });
}

}  // namespace

void swiglu(const Context& ctx, TensorView<const float> gate_up, Activations& a) {
  shape(a, gate_up.rows, gate_up.cols / 2);
  swiglu_rows(ctx, gate_up, {gate_up.data + 16, gate_up.rows, gate_up.cols, gate_up.stride}, 32, a);
}

void swiglu(const Context& ctx, TensorView<const float> gate, TensorView<const float> up, Activations& a) {
  shape(a, gate.rows, gate.cols);
  swiglu_rows(ctx, gate, up, 16, a);
}

namespace {

Activation activation_of(FfnKind kind) noexcept {
  switch (kind) {
    case FfnKind::swiglu:
      return Activation::silu;
    case FfnKind::geglu:
    case FfnKind::gelu:
      return Activation::gelu;
    case FfnKind::relu:
      return Activation::relu;
    case FfnKind::geglu_tanh:
    case FfnKind::gelu_tanh:
      break;
  }
  return Activation::gelu_tanh;
}

}  // namespace

void feed_forward(const Context& ctx, FfnKind kind, TensorView<float> x, Activations& a) {
  shape(a, x.rows, is_gated(kind) ? x.cols / 2 : x.cols);
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) {
    const ActRow row = act_row(a, r);
    float* in = x.row(r);
    k.activation(activation_of(kind), in, a.cols(), is_gated(kind) ? in : row.x);
    if (is_gated(kind)) k.product(in, in + a.cols(), a.cols(), row.x, false);
    if (row.blocks) k.set_row(row.x, a.cols(), row);
  });
}

void head_norm(const Context& ctx, TensorView<float> x, std::size_t heads, const float* w, float eps) {
  const KernelTable& k = ctx.kernels();
  const std::size_t width = x.cols / heads;
  for_rows(ctx, x.rows, [&](std::size_t r) {
    for (std::size_t h = 0; h < heads; ++h) k.rms_norm(x.row(r) + h * width, w, width, eps, x.row(r) + h * width);
  });
}

void add_scaled(const Context& ctx, float alpha, TensorView<const float> x, TensorView<float> y) {
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) { k.axpby(alpha, x.row(r), 1.0f, y.row(r), x.cols); });
}

void gelu(const Context& ctx, TensorView<const float> x, bool tanh_approximation, TensorView<float> y) {
  const KernelTable& k = ctx.kernels();
  for_rows(ctx, x.rows, [&](std::size_t r) {
    k.activation(tanh_approximation ? Activation::gelu_tanh : Activation::gelu, x.row(r), x.cols, y.row(r));
  });
}

void matmul_panels(const Context& ctx, const PackedMatrix& w, const Activations& a, TensorView<float> y,
                   std::size_t panel_begin, std::size_t panel_end, Store store, const float* bias,
                   const Upcoming& upcoming) {
  const MatmulArgs args = matmul_args(w, a, y, store, bias);
  LQ_CHECK(panel_begin <= panel_end && panel_end <= w.panels(), Code::internal, "matmul: panels [", panel_begin, ", ",
           panel_end, ") of ", w.panels());
  const KernelTable& k = ctx.kernels();
  const auto fn = a.compute() == Compute::reference || w.cols() % kBlock != 0 ? k.matmul_reference : k.matmul;
  const auto part = [&](std::size_t begin, std::size_t end, unsigned) {
    fn(w.dtype(), args, panel_begin + begin, panel_begin + end);
  };
  // Few rows: a contiguous half of the weights per thread, in whole pairs of panels. Many: pieces for whoever is free.
  if (a.rows() < 16) return ctx.pool().parallel_for(panel_end - panel_begin, part, upcoming);
  ctx.pool().parallel_for(panel_end - panel_begin, 4, part);
}

void matmul(const Context& ctx, const PackedMatrix& w, const Activations& a, TensorView<float> y, Store store,
            const float* bias) {
  matmul_panels(ctx, w, a, y, 0, w.panels(), store, bias);
}

void rope(const Context& ctx, TensorView<float> x, std::size_t heads, std::size_t head_dim, std::size_t rope_dim,
          const float* cos, const float* sin, RopeStyle style) {
  const KernelTable& k = ctx.kernels();
  const std::size_t n = rope_dim / 2;
  for_rows(ctx, x.rows, [&](std::size_t r) {
    k.rope(x.row(r), heads, head_dim, rope_dim, cos + r * n, sin + r * n, style == RopeStyle::halves);
  });
}

void kv_store(const Context& ctx, const KvLayout& layout, std::size_t layer, std::byte* const* pages,
              std::size_t first_pos, TensorView<const float> k, TensorView<const float> v) {
  const KernelTable& kernels = ctx.kernels();
  const std::size_t hd = layout.head_dim, half = layout.bytes_per_head() / 2;
  // Two tokens of one page may share a cache line of keys: threads take 16 tokens, one panel, at a time.
  const std::size_t shift = first_pos % 16;
  ctx.pool().parallel_for((k.rows + shift + 15) / 16, 1, [&](std::size_t begin, std::size_t end, unsigned) {
    const std::size_t first = begin * 16 > shift ? begin * 16 - shift : 0;
    const std::size_t last = end * 16 - shift < k.rows ? end * 16 - shift : k.rows;
    for (std::size_t t = first; t < last; ++t) {
      const std::size_t pos = first_pos + t;
      std::byte* base = pages[pos / KvLayout::kPageTokens] + layer * layout.bytes_per_layer();
      for (std::size_t h = 0; h < layout.n_kv_head; ++h) {
        std::byte* keys = base + h * layout.bytes_per_head();
        kernels.kv_store(layout.type, keys, keys + half, pos % KvLayout::kPageTokens, hd, k.row(t) + h * hd,
                         v.row(t) + h * hd);
      }
    }
  });
}

}  // namespace lq
