// Rows of fp32 numbers to and from the bytes of the element types, as they lie in a GGUF file. Not for inference, which
// works on packed panels (quant/panel.hpp). Rounding is that of the formats' reference quantiser (ggml-org/ggml,
// quantize_row_*_ref, without an importance matrix): the bytes equal those it writes. Both functions need the default
// floating-point environment (core/fp_environment.hpp), use a few hundred bytes of stack and may run on any thread.
//
//   Q8_0  block of 32: f16 d, i8 q[32]            d = amax / 127, q = round half away from zero (x / d)
//   Q4_0  block of 32: f16 d, nibbles             d = (the value of largest magnitude) / -8, q = x / d + 8
//   Q4_1  block of 32: f16 d, f16 m, nibbles      m = min, d = (max - min) / 15, q = (x - m) / d
// The low nibble of byte i is element i, the high one element 16 + i.
#pragma once

#include <cstddef>
#include <string>

#include "loquor/core/dtype.hpp"

namespace lq {

// Whether rows of the type can be decoded: all types of real numbers.
bool is_real_type(DType type) noexcept;
// And encoded.
bool is_encodable_type(DType type) noexcept;

// "F32, F16, ...": the types that can be encoded, for messages.
std::string encodable_type_names();

// n numbers, a multiple of the block size, as the format defines them: bit for bit what gguf-py gives. Products of one
// scale are exact; types with two levels of scales, and sums, round in the reference's order.
void decode_row(DType type, const std::byte* src, std::size_t n, float* dst) noexcept;

// The bytes of n numbers, a multiple of the block size. False if one of them or a scale they need is not finite in the
// type (the bytes are written nevertheless).
bool encode_row(DType type, const float* src, std::size_t n, std::byte* dst) noexcept;

}  // namespace lq
