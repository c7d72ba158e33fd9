// y = x W^T over 16-row weight panels (quant/panel.hpp): the choice of the format's kernel.
#pragma once

#include "loquor/kernels/matmul_blocks.hpp"
#include "loquor/kernels/matmul_plain.hpp"

namespace lq::kernels {

// Integer arithmetic for block formats, fp32 for the others.
template <class A>
void matmul(DType type, const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  switch (type) {
    case DType::Q4_0:
      return matmul_blocks<A, PanelQ4_0>(m, begin, end);
    case DType::Q4_1:
    case DType::Q4_K:
      return matmul_blocks<A, PanelQ4_1>(m, begin, end);
    case DType::Q8_0:
    case DType::Q5_0:
    case DType::IQ4_NL:
    case DType::IQ4_XS:
    case DType::MXFP4:
      return matmul_blocks<A, PanelQ8_0>(m, begin, end);
    case DType::Q5_1:
    case DType::Q5_K:
      return matmul_blocks<A, PanelQ8_1>(m, begin, end);
    case DType::Q3_K:
    case DType::Q6_K:
      return matmul_blocks<A, PanelG8>(m, begin, end);
    case DType::Q2_K:
      return matmul_blocks<A, PanelG8_M>(m, begin, end);
    case DType::F16:
      return matmul_plain<A, DType::F16>(m, begin, end);
    case DType::BF16:
      return matmul_plain<A, DType::BF16>(m, begin, end);
    default:
      return matmul_plain<A, DType::F32>(m, begin, end);
  }
}

// fp32 arithmetic for every format that has panels of its own; the others are packed as F32 in reference mode.
template <class A>
void matmul_reference(DType type, const MatmulArgs& m, std::size_t begin, std::size_t end) noexcept {
  switch (type) {
    case DType::Q4_0:
      return matmul_plain<A, DType::Q4_0>(m, begin, end);
    case DType::Q4_1:
      return matmul_plain<A, DType::Q4_1>(m, begin, end);
    case DType::Q8_0:
      return matmul_plain<A, DType::Q8_0>(m, begin, end);
    default:
      return matmul<A>(type, m, begin, end);
  }
}

}  // namespace lq::kernels
