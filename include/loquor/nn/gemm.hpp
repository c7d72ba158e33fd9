// fp32 matrix products over the context's pool: C := A B + bias, or C += A B. Every element of C is one chain of fused
// multiply-adds over k in order (kernels/gemm.hpp), so results do not depend on the threads or on the other rows.
//
// Thread contract: reentrant; buffers belong to the caller; nothing is allocated.
#pragma once

#include <cstddef>

#include "loquor/core/context.hpp"

namespace lq {

struct Gemm {
  std::size_t m, n, k;
  const float* a;  // A (m, k): a[i * lda + k], or transposed a[k * lda + i]
  std::size_t lda;
  bool a_transposed;
  const float* b;  // B (k, n): b[k * ldb + j], or transposed b[j * ldb + k]; nullptr if `packed` is given
  std::size_t ldb;
  bool b_transposed;
  float* c;  // C (m, n)
  std::size_t ldc;
  const float* bias = nullptr;  // (n), added to each row; not with `add`
  bool add = false;
  const float* packed = nullptr;  // B as gemm_pack leaves it
  std::size_t packed_k = 0;       // the k it was packed with, if that was larger
};

// Floats that a packed B of these sizes takes, and that a product may need as workspace.
constexpr std::size_t gemm_packed_size(std::size_t n, std::size_t k) noexcept { return (n + 15) / 16 * 16 * k; }

// B of `g` in panels of 16 columns, for products that use it again.
void gemm_pack(const Context& ctx, const Gemm& g, float* out);

// `workspace` has gemm_packed_size(n, k) floats on a cache line; unused, and may be nullptr, if `packed` is given.
void gemm(const Context& ctx, const Gemm& g, float* workspace);

// The same on the calling thread, for callers that split their work themselves; the same bits.
void gemm_serial(const Context& ctx, const Gemm& g, float* workspace) noexcept;

}  // namespace lq
