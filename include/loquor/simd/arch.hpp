// Instruction-set tags. Every kernel is a template over one of these, so that each symbol carries its tag and the
// linker can never hand code of one instruction set to another.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lq::arch {

struct Scalar {};
struct Avx2 {};
struct Avx512 {};
struct Avx512Vnni {};

}  // namespace lq::arch

namespace lq::simd {

// Operations on 16 lanes, specialised per Arch in lanes_<isa>.hpp. 16 is the number of rows in a weight panel: one zmm,
// two ymm, or an array. The interface (F: 16 float; I: 16 int32; W: 64 bytes, 4 to a lane):
//   F  zero set1 load store load_n store_n from_f16 from_bf16 to_f16 add sub mul div fma(a,b,c)=a*b+c max min abs
//      sqrt hsum hmax transpose(F (&rows)[16]) round(to even) exp2i(v, n)=v*2^n select_less(x, limit, a, b) = x < limit ? a : b
//      at_least(x, limit): bit i says x[i] >= limit[i], not so for NaN
//   I  izero iset1 iadd cvt(I)->F lrint(F)->I istore_i8 (saturating) ihsum, lane32(W, shift, mask)
//   W  wload low_nibbles high_nibbles
//   I  dot4(I acc, W u4, const int8_t* a)  acc + sum of 4 products per lane, bytes of W in 0..15
//   I  dot8(I acc, W u8, const int8_t* a)  the same for bytes q + 128; gives sum (byte - kDot8Bias) * a
//   I  dot_bytes(I acc, W x, W y)          acc + sum of 4 products per lane, bytes in -127..127
template <class Arch>
struct Lanes;

inline constexpr std::size_t kLanes = 16;

}  // namespace lq::simd
