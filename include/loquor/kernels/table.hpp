// The kernels of one instruction set as function pointers, from kernels.def. All are noexcept and allocate nothing.
#pragma once

#include "loquor/kernels/attention.hpp"
#include "loquor/kernels/elementwise.hpp"
#include "loquor/kernels/gemm.hpp"
#include "loquor/kernels/matmul.hpp"
#include "loquor/kernels/norm_grad.hpp"
#include "loquor/kernels/optimizer.hpp"
#include "loquor/kernels/pack.hpp"
#include "loquor/kernels/quantize.hpp"
#include "loquor/kernels/recurrent.hpp"
#include "loquor/kernels/rope.hpp"
#include "loquor/kernels/sampling.hpp"
#include "loquor/kernels/softmax.hpp"
#include "loquor/kernels/vector_scan.hpp"

namespace lq {

struct KernelTable {
  const char* isa;
#define LQ_KERNEL(name, result, parameters) result(*name) parameters noexcept;
#include "loquor/kernels/kernels.def"
#undef LQ_KERNEL
};

namespace kernels {
template <class Arch>
constexpr KernelTable make_table(const char* isa) noexcept {
  return {
      isa,
#define LQ_KERNEL(name, result, parameters) &name<Arch>,
#include "loquor/kernels/kernels.def"
#undef LQ_KERNEL
  };
}
}  // namespace kernels

}  // namespace lq
