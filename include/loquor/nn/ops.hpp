// Forward operators of networks over the kernel table: each splits its work over the context's pool and calls the
// kernels of the chosen ISA. Shapes: T tokens (rows), C model width, K/N matmul input/output width, H heads, D head
// dimension.
//
// Determinism: every output element is computed by the same sequence of floating-point operations whatever T, the
// number of threads, or the other rows in the batch are. GEMV (T = 1) and GEMM (T > 1) are therefore bit-identical per
// row, and attention visits keys in fixed tiles aligned to absolute positions.
//
// Thread contract: the functions are reentrant; buffers belong to the caller. None of them allocates.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "loquor/core/config.hpp"
#include "loquor/core/context.hpp"
#include "loquor/core/dtype.hpp"
#include "loquor/core/storage.hpp"
#include "loquor/core/tensor.hpp"
#include "loquor/nn/kv_layout.hpp"
#include "loquor/nn/packed_matrix.hpp"

namespace lq {

struct Outlier;  // kernels/quantize.hpp

// How matmuls compute. `quantized`: activations are rounded to int8 in blocks of 32 for block-typed weights (fp32 for
// F32/F16/BF16 weights). `reference`: weights are widened to fp32 and everything is fp32 (slow, for checking).
enum class Compute : int { quantized = 0, reference = 1 };

// Matmul input: up to max_rows rows of K values, as fp32 and, in quantized mode, as int8 blocks of 32
// (kernels/quantize.hpp).
class Activations {
 public:
  Activations() noexcept = default;
  Activations(const Context& ctx, std::size_t max_rows, std::size_t max_cols, Compute compute);
  std::size_t rows() const noexcept { return rows_; }
  std::size_t cols() const noexcept { return cols_; }
  Compute compute() const noexcept { return compute_; }
  static std::size_t bytes_needed(std::size_t max_rows, std::size_t max_cols) noexcept;

  // What ops.cpp and the kernels share; rows are rows_ of capacity max_rows_.
  Storage storage_;
  float* f32_ = nullptr;            // (rows, cols)
  std::byte* blocks_ = nullptr;     // the quantised rows in tiles
  float* big_ = nullptr;            // (rows)
  Outlier* outliers_ = nullptr;     // (rows, cols/4)
  std::uint32_t* first_ = nullptr;  // (rows, segments + 1)
  std::size_t rows_ = 0, cols_ = 0, max_rows_ = 0, max_cols_ = 0;
  Compute compute_ = Compute::quantized;
};

// a := x, (T, K). Rows are quantised in parallel when T > 1.
void set_activations(const Context& ctx, TensorView<const float> x, Activations& a);
// a := rms_norm(x) * w: y_i = x_i / sqrt(mean(x^2) + eps) * w_i (Zhang & Sennrich 2019).
void rms_norm(const Context& ctx, TensorView<const float> x, const float* w, float eps, Activations& a);
void rms_norm(const Context& ctx, TensorView<const float> x, const float* w, float eps, TensorView<float> y);
// (x - mean) / sqrt(var + eps) * w + b (Ba et al. 2016); b may be nullptr.
void layer_norm(const Context& ctx, TensorView<const float> x, const float* w, const float* b, float eps,
                TensorView<float> y);
// a := silu(gate) * up from the interleaved output of a gate/up matmul, gate_up (T, 2F) in alternating 16-column
// panels.
void swiglu(const Context& ctx, TensorView<const float> gate_up, Activations& a);
// a := silu(gate) * up from two separate (T, F) matrices.
void swiglu(const Context& ctx, TensorView<const float> gate, TensorView<const float> up, Activations& a);
// What a feed-forward block does between its matrices: an activation of the gate times the other half, or only of what
// comes in.
enum class FfnKind : int { swiglu, geglu, geglu_tanh, gelu, gelu_tanh, relu };
constexpr bool is_gated(FfnKind kind) noexcept { return kind <= FfnKind::geglu_tanh; }
// a := that, for x (T, F) or, gated, (T, 2F): gate then up. Overwrites x.
void feed_forward(const Context& ctx, FfnKind kind, TensorView<float> x, Activations& a);
// x (T, heads * D): each head divided by its root mean square and multiplied by w (D).
void head_norm(const Context& ctx, TensorView<float> x, std::size_t heads, const float* w, float eps);
// y += alpha x.
void add_scaled(const Context& ctx, float alpha, TensorView<const float> x, TensorView<float> y);
// y := gelu(x), tanh approximation or exact erf (Hendrycks & Gimpel 2016); in place allowed.
void gelu(const Context& ctx, TensorView<const float> x, bool tanh_approximation, TensorView<float> y);

enum class Store { assign, add };  // add: y += result (residual stream)
// y (T, N) := a W^T (+ bias (N) if not nullptr).
void matmul(const Context& ctx, const PackedMatrix& w, const Activations& a, TensorView<float> y,
            Store store = Store::assign, const float* bias = nullptr);
// Only the 16-row panels [panel_begin, panel_end) of W: columns [16*panel_begin, ...) of y. For restricted heads and
// stepping. `upcoming`: what the next product will read, for idle threads to prefetch.
void matmul_panels(const Context& ctx, const PackedMatrix& w, const Activations& a, TensorView<float> y,
                   std::size_t panel_begin, std::size_t panel_end, Store store = Store::assign,
                   const float* bias = nullptr, const Upcoming& upcoming = {});

// Rotary position embedding (Su et al. 2021) of `heads` heads of dimension D in place, x (T, heads*D).
// cos/sin tables are (T, rope_dim/2) for the rows' positions. Styles: adjacent pairs (GGUF llama, "normal") or halves
// ("neox").
enum class RopeStyle : int { pairs = 0, halves = 1 };
void rope(const Context& ctx, TensorView<float> x, std::size_t heads, std::size_t head_dim, std::size_t rope_dim,
          const float* cos, const float* sin, RopeStyle style);

// Writes K and V rows (T, n_kv_head*D) of tokens first_pos.. into the pages of one layer. pages[i] is the base of page
// i of the sequence (all layers); only the pages touched must be writable.
void kv_store(const Context& ctx, const KvLayout& layout, std::size_t layer, std::byte* const* pages,
              std::size_t first_pos, TensorView<const float> k, TensorView<const float> v);

// One run of consecutive query rows of one sequence. Row t sits at absolute position first_pos + t and attends to keys
// [0, first_pos + t], causal; or, if `keys` is not 0, every row to keys [0, keys).
struct AttentionItem {
  TensorView<const float> q;  // (T, H*D), rotated
  TensorView<float> out;      // (T, H*D)
  std::size_t first_pos = 0;
  const std::byte* const* pages = nullptr;
  std::size_t keys = 0;
};
// What is the same for all rows of a layer.
struct AttentionRule {
  float scale = 1;
  float soft_cap = 0;      // scores become cap * tanh(score / cap); 0: they stay
  std::size_t window = 0;  // a row sees the last `window` keys, its own included; 0: all before it
};
// softmax(scale * q k^T) v with grouped-query attention: query head h uses KV head h / (H / n_kv_head). Online softmax
// in fixed key tiles (Milakov & Gimelshein 2018); `scratch` holds attention_scratch_bytes() bytes.
void attention(const Context& ctx, const KvLayout& layout, std::size_t layer, std::span<const AttentionItem> items,
               std::size_t n_head, const AttentionRule& rule, std::span<std::byte> scratch);
std::size_t attention_scratch_bytes(const Context& ctx, const KvLayout& layout, std::size_t n_head,
                                    std::size_t max_rows, std::size_t max_context) noexcept;

}  // namespace lq
