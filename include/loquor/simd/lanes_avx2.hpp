// Sixteen lanes as two ymm registers: AVX2, FMA, F16C.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "loquor/simd/arch.hpp"

namespace lq::simd {

template <>
struct Lanes<arch::Avx2> {
  struct F {
    __m256 a, b;
  };
  struct I {
    __m256i a, b;
  };
  using W = I;
  static constexpr std::int32_t kDot8Bias = 0;
  static constexpr int kPanels = 1, kTokens = 3, kAttentionRows = 3, kManyRows = 36;
  static constexpr int kGemmPanels = 1, kGemmRows = 6;  // 12 accumulators of 16 registers

  static F zero() noexcept { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static F set1(float x) noexcept { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static F load(const float* p) noexcept { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static void store(float* p, F v) noexcept {
    _mm256_storeu_ps(p, v.a);
    _mm256_storeu_ps(p + 8, v.b);
  }
  static __m256i mask(std::size_t n, int base) noexcept {
    const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(base));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n < 16 ? n : 16)), lane);
  }
  static F load_n(const float* p, std::size_t n) noexcept {
    return {_mm256_maskload_ps(p, mask(n, 0)), _mm256_maskload_ps(p + 8, mask(n, 8))};
  }
  static void store_n(float* p, F v, std::size_t n) noexcept {
    _mm256_maskstore_ps(p, mask(n, 0), v.a);
    _mm256_maskstore_ps(p + 8, mask(n, 8), v.b);
  }
  // n <= 16 pairs: their first members, their second members.
  static void load_pairs(const float* p, std::size_t n, F& x, F& y) noexcept {
    const F low = load_n(p, 2 * n), high = n > 8 ? load_n(p + 16, 2 * n - 16) : zero();
    const auto split = [](F v, __m256& even, __m256& odd) noexcept {
      const auto in_order = [](__m256 z) noexcept {
        return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(z), 0xd8));
      };
      even = in_order(_mm256_shuffle_ps(v.a, v.b, 0x88));
      odd = in_order(_mm256_shuffle_ps(v.a, v.b, 0xdd));
    };
    split(low, x.a, y.a);
    split(high, x.b, y.b);
  }
  static void store_pairs(float* p, std::size_t n, F x, F y) noexcept {
    const auto join = [](__m256 even, __m256 odd) noexcept -> F {
      const __m256 low = _mm256_unpacklo_ps(even, odd), high = _mm256_unpackhi_ps(even, odd);
      return {_mm256_permute2f128_ps(low, high, 0x20), _mm256_permute2f128_ps(low, high, 0x31)};
    };
    store_n(p, join(x.a, y.a), 2 * n);
    if (n > 8) store_n(p + 16, join(x.b, y.b), 2 * n - 16);
  }
  static __m128i load128(const void* p) noexcept { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  static F from_f16(const std::uint16_t* p) noexcept {
    return {_mm256_cvtph_ps(load128(p)), _mm256_cvtph_ps(load128(p + 8))};
  }
  static __m256 widen_bf16(const std::uint16_t* p) noexcept {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(load128(p)), 16));
  }
  static F from_bf16(const std::uint16_t* p) noexcept { return {widen_bf16(p), widen_bf16(p + 8)}; }
  static F from_i8(const std::int8_t* p) noexcept {
    const __m128i x = load128(p);
    return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(x)),
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(x, 8)))};
  }
  static void to_f16(std::uint16_t* p, F v) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(v.b, _MM_FROUND_TO_NEAREST_INT));
  }
  static F add(F x, F y) noexcept { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
  static F sub(F x, F y) noexcept { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
  static F mul(F x, F y) noexcept { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
  static F div(F x, F y) noexcept { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
  static F fma(F x, F y, F z) noexcept { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
  static F sqrt(F x) noexcept { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
  static F max(F x, F y) noexcept { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
  static F min(F x, F y) noexcept { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
  static F abs(F x) noexcept {
    const __m256 m = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return {_mm256_and_ps(x.a, m), _mm256_and_ps(x.b, m)};
  }
  static F round(F x) noexcept {
    return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
            _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
  }
  static F select_less(F x, F limit, F t, F f) noexcept {
    return {_mm256_blendv_ps(f.a, t.a, _mm256_cmp_ps(x.a, limit.a, _CMP_LT_OQ)),
            _mm256_blendv_ps(f.b, t.b, _mm256_cmp_ps(x.b, limit.b, _CMP_LT_OQ))};
  }
  static std::uint32_t at_least(F x, F limit) noexcept {
    const int a = _mm256_movemask_ps(_mm256_cmp_ps(x.a, limit.a, _CMP_GE_OQ));
    const int b = _mm256_movemask_ps(_mm256_cmp_ps(x.b, limit.b, _CMP_GE_OQ));
    return static_cast<std::uint32_t>(a | b << 8);
  }
  static __m256 pow2(__m256 n) noexcept {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }
  static F exp2i(F v, F n) noexcept { return {_mm256_mul_ps(v.a, pow2(n.a)), _mm256_mul_ps(v.b, pow2(n.b))}; }
  static float hsum(F x) noexcept {
    const __m256 t = _mm256_add_ps(x.a, x.b);
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
  }
  static float hmax(F x) noexcept {
    const __m256 t = _mm256_max_ps(x.a, x.b);
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
  }
  static void transpose8(__m256 (&r)[8]) noexcept {
    __m256 t[8];
    for (int i = 0; i < 8; i += 2) {
      t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
      for (int j = 0; j < 2; ++j) {
        r[i + 2 * j] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0x44);
        r[i + 2 * j + 1] = _mm256_shuffle_ps(t[i + j], t[i + j + 2], 0xee);
      }
    for (int j = 0; j < 4; ++j) {
      t[j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x20);
      t[4 + j] = _mm256_permute2f128_ps(r[j], r[4 + j], 0x31);
    }
    for (int i = 0; i < 8; ++i) r[i] = t[i];
  }
  // Four blocks of 8 x 8, the two off the diagonal change places.
  static void transpose(F (&r)[16]) noexcept {
    __m256 q[4][8];
    for (int i = 0; i < 8; ++i) {
      q[0][i] = r[i].a;
      q[1][i] = r[i].b;
      q[2][i] = r[i + 8].a;
      q[3][i] = r[i + 8].b;
    }
    for (auto& block : q) transpose8(block);
    for (int i = 0; i < 8; ++i) {
      r[i] = {q[0][i], q[2][i]};
      r[i + 8] = {q[1][i], q[3][i]};
    }
  }
  // Lane i is x[i] reduced by op, for ops whose order does not matter: eight rows at a time.
  template <class Op>
  static __m256 reduce8(const F* x, Op op) noexcept {
    __m256 halves[8], pairs[4], fours[2];
    for (int i = 0; i < 8; ++i) halves[i] = op(x[i].a, x[i].b);
    for (int i = 0; i < 4; ++i)
      pairs[i] = op(_mm256_unpacklo_ps(halves[2 * i], halves[2 * i + 1]),
                    _mm256_unpackhi_ps(halves[2 * i], halves[2 * i + 1]));
    for (int i = 0; i < 2; ++i) {
      const __m256d a = _mm256_castps_pd(pairs[2 * i]), b = _mm256_castps_pd(pairs[2 * i + 1]);
      fours[i] = op(_mm256_castpd_ps(_mm256_unpacklo_pd(a, b)), _mm256_castpd_ps(_mm256_unpackhi_pd(a, b)));
    }
    return op(_mm256_permute2f128_ps(fours[0], fours[1], 0x20), _mm256_permute2f128_ps(fours[0], fours[1], 0x31));
  }
  static F hmax16(const F (&x)[16]) noexcept {
    const auto op = [](__m256 a, __m256 b) noexcept { return _mm256_max_ps(a, b); };
    return {reduce8(x, op), reduce8(x + 8, op)};
  }

  static I izero() noexcept { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
  static I iset1(std::int32_t x) noexcept { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
  static I iadd(I x, I y) noexcept { return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)}; }
  static F cvt(I x) noexcept { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
  static I lrint(F x) noexcept { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
  static void istore_i8(std::int8_t* p, I x) noexcept {
    const __m256i w = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                     _mm_packs_epi16(_mm256_castsi256_si128(w), _mm256_extracti128_si256(w, 1)));
  }
  static void istore(std::int32_t* p, I x) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), x.b);
  }
  static I ihsum16(const I (&x)[16]) noexcept {
    F f[16];
    for (int i = 0; i < 16; ++i) f[i] = {_mm256_castsi256_ps(x[i].a), _mm256_castsi256_ps(x[i].b)};
    const auto op = [](__m256 a, __m256 b) noexcept {
      return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
    };
    return {_mm256_castps_si256(reduce8(f, op)), _mm256_castps_si256(reduce8(f + 8, op))};
  }
  static std::int32_t ihsum(I x) noexcept {
    const __m256i t = _mm256_add_epi32(x.a, x.b);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
  }

  static W wbytes(int x) noexcept {
    return {_mm256_set1_epi8(static_cast<char>(x)), _mm256_set1_epi8(static_cast<char>(x))};
  }
  static W wload(const void* p) noexcept {
    const __m256i* q = static_cast<const __m256i*>(p);
    return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
  }
  static void wstore(void* p, W w) noexcept {
    __m256i* q = static_cast<__m256i*>(p);
    _mm256_storeu_si256(q, w.a);
    _mm256_storeu_si256(q + 1, w.b);
  }
  static W low_nibbles(W w) noexcept {
    const __m256i m = _mm256_set1_epi8(15);
    return {_mm256_and_si256(w.a, m), _mm256_and_si256(w.b, m)};
  }
  static W high_nibbles(W w) noexcept {
    const __m256i m = _mm256_set1_epi8(15);
    return {_mm256_and_si256(_mm256_srli_epi16(w.a, 4), m), _mm256_and_si256(_mm256_srli_epi16(w.b, 4), m)};
  }
  static I lane_byte(W w, int byte) noexcept {
    const __m128i s = _mm_cvtsi32_si128(8 * byte);
    const __m256i m = _mm256_set1_epi32(255);
    return {_mm256_and_si256(_mm256_srl_epi32(w.a, s), m), _mm256_and_si256(_mm256_srl_epi32(w.b, s), m)};
  }
  static __m256i broadcast4(const std::int8_t* a) noexcept {
    std::int32_t x;
    std::memcpy(&x, a, 4);
    return _mm256_set1_epi32(x);
  }
  // 15 * 128 * 2 fits int16: no saturation in maddubs.
  static I dot4(I acc, W w, const std::int8_t* a) noexcept {
    const __m256i x = broadcast4(a), one = _mm256_set1_epi16(1);
    return {_mm256_add_epi32(acc.a, _mm256_madd_epi16(_mm256_maddubs_epi16(w.a, x), one)),
            _mm256_add_epi32(acc.b, _mm256_madd_epi16(_mm256_maddubs_epi16(w.b, x), one))};
  }
  // maddubs needs an unsigned factor small enough for int16 pairs: |w| <= 128 against sign(a, w), 128 * 127 * 2 < 2^15.
  static __m256i dot8_half(__m256i acc, __m256i w, __m256i x) noexcept {
    w = _mm256_xor_si256(w, _mm256_set1_epi8(-128));
    const __m256i p = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(p, _mm256_set1_epi16(1)));
  }
  static I dot8(I acc, W w, const std::int8_t* a) noexcept {
    const __m256i x = broadcast4(a);
    return {dot8_half(acc.a, w.a, x), dot8_half(acc.b, w.b, x)};
  }
  static __m256i dot_bytes_half(__m256i acc, __m256i x, __m256i y) noexcept {
    const __m256i p = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(y, x));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(p, _mm256_set1_epi16(1)));
  }
  static I dot_bytes(I acc, W x, W y) noexcept {
    return {dot_bytes_half(acc.a, x.a, y.a), dot_bytes_half(acc.b, x.b, y.b)};
  }
  // Always inlined: GCC takes a function that only prefetches for one without effects, and drops calls of it.
  LQ_ALWAYS_INLINE static void prefetch(const void* p) noexcept {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
  }
  LQ_ALWAYS_INLINE static void prefetch_l1(const void* p) noexcept {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
};

}  // namespace lq::simd
