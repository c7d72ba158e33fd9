// Sixteen lanes as one zmm register: AVX-512 F, BW, VL, DQ; the VNNI version differs in the two integer dot products.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "loquor/simd/arch.hpp"

namespace lq::simd {

template <class Arch>
struct Lanes512 {
  using F = __m512;
  using I = __m512i;
  using W = __m512i;
  // 2 panels x 6 tokens: 12 int32 + 12 fp32 accumulators, 2 weights, 2 + 2 scales of 32 registers.
  static constexpr int kPanels = 2, kTokens = 6, kAttentionRows = 6;
  // From so many rows on, unpacking a panel once for all of them costs less than unpacking it for each tile.
  static constexpr int kManyRows = 128;
  static constexpr int kGemmPanels = 2, kGemmRows = 12;  // 24 accumulators

  static F zero() noexcept { return _mm512_setzero_ps(); }
  static F set1(float x) noexcept { return _mm512_set1_ps(x); }
  static F load(const float* p) noexcept { return _mm512_loadu_ps(p); }
  static void store(float* p, F v) noexcept { _mm512_storeu_ps(p, v); }
  static __mmask16 mask(std::size_t n) noexcept { return static_cast<__mmask16>(n >= 16 ? 0xffffu : (1u << n) - 1u); }
  static F load_n(const float* p, std::size_t n) noexcept { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store_n(float* p, F v, std::size_t n) noexcept { _mm512_mask_storeu_ps(p, mask(n), v); }
  // n <= 16 pairs: their first members, their second members.
  static void load_pairs(const float* p, std::size_t n, F& x, F& y) noexcept {
    const F low = load_n(p, 2 * n), high = n > 8 ? load_n(p + 16, 2 * n - 16) : zero();
    const I even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    x = _mm512_permutex2var_ps(low, even, high);
    y = _mm512_permutex2var_ps(low, _mm512_add_epi32(even, _mm512_set1_epi32(1)), high);
  }
  static void store_pairs(float* p, std::size_t n, F x, F y) noexcept {
    const I first = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    store_n(p, _mm512_permutex2var_ps(x, first, y), 2 * n);
    if (n > 8) store_n(p + 16, _mm512_permutex2var_ps(x, _mm512_add_epi32(first, _mm512_set1_epi32(8)), y), 2 * n - 16);
  }
  static __m256i load256(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  static F from_f16(const std::uint16_t* p) noexcept { return _mm512_cvtph_ps(load256(p)); }
  static F from_bf16(const std::uint16_t* p) noexcept {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(load256(p)), 16));
  }
  static F from_i8(const std::int8_t* p) noexcept {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  static void to_f16(std::uint16_t* p, F v) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p),
                        _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
  }
  static F add(F x, F y) noexcept { return _mm512_add_ps(x, y); }
  static F sub(F x, F y) noexcept { return _mm512_sub_ps(x, y); }
  static F mul(F x, F y) noexcept { return _mm512_mul_ps(x, y); }
  static F div(F x, F y) noexcept { return _mm512_div_ps(x, y); }
  static F fma(F x, F y, F z) noexcept { return _mm512_fmadd_ps(x, y, z); }
  static F sqrt(F x) noexcept { return _mm512_sqrt_ps(x); }
  static F max(F x, F y) noexcept { return _mm512_max_ps(x, y); }
  static F min(F x, F y) noexcept { return _mm512_min_ps(x, y); }
  static F abs(F x) noexcept { return _mm512_abs_ps(x); }
  static F round(F x) noexcept { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F select_less(F x, F limit, F t, F f) noexcept {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ), f, t);
  }
  static std::uint32_t at_least(F x, F limit) noexcept { return _mm512_cmp_ps_mask(x, limit, _CMP_GE_OQ); }
  static F exp2i(F v, F n) noexcept { return _mm512_scalef_ps(v, n); }
  // Written out: gcc's _mm512_reduce_* would be as fast, but their order is not documented.
  static float hsum(F x) noexcept {
    const __m256 t = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
  }
  static float hmax(F x) noexcept {
    const __m256 t = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(t), _mm256_extractf128_ps(t, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
  }
  // Pairs, then quadruples within the 128-bit lanes, then the lanes themselves.
  static void transpose(F (&r)[16]) noexcept {
    F t[16];
    for (int i = 0; i < 16; i += 2) {
      t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
      for (int j = 0; j < 2; ++j) {
        const __m512d x = _mm512_castps_pd(t[i + j]), y = _mm512_castps_pd(t[i + j + 2]);
        r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
        r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
      }
    for (int j = 0; j < 4; ++j) {
      const F a = _mm512_shuffle_f32x4(r[j], r[4 + j], 0x88), b = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0x88);
      const F c = _mm512_shuffle_f32x4(r[j], r[4 + j], 0xdd), d = _mm512_shuffle_f32x4(r[8 + j], r[12 + j], 0xdd);
      t[j] = _mm512_shuffle_f32x4(a, b, 0x88);
      t[8 + j] = _mm512_shuffle_f32x4(a, b, 0xdd);
      t[4 + j] = _mm512_shuffle_f32x4(c, d, 0x88);
      t[12 + j] = _mm512_shuffle_f32x4(c, d, 0xdd);
    }
    for (int i = 0; i < 16; ++i) r[i] = t[i];
  }
  // Lane i is x[i] reduced by op, for ops whose order does not matter.
  template <class Op>
  static F reduce16(const F (&x)[16], Op op) noexcept {
    F pairs[8], fours[4];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i)
      pairs[i] = op(_mm512_unpacklo_ps(x[2 * i], x[2 * i + 1]), _mm512_unpackhi_ps(x[2 * i], x[2 * i + 1]));
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const __m512d a = _mm512_castps_pd(pairs[2 * i]), b = _mm512_castps_pd(pairs[2 * i + 1]);
      fours[i] = op(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)), _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
    // In each quarter now: four rows. The quarters of a row are still to be reduced.
    const auto quarters = [&](F a, F b) noexcept {
      return op(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    };
    return quarters(quarters(fours[0], fours[1]), quarters(fours[2], fours[3]));
  }
  static F hmax16(const F (&x)[16]) noexcept {
    return reduce16(x, [](F a, F b) noexcept { return _mm512_max_ps(a, b); });
  }

  static I izero() noexcept { return _mm512_setzero_si512(); }
  static I iset1(std::int32_t x) noexcept { return _mm512_set1_epi32(x); }
  static I iadd(I x, I y) noexcept { return _mm512_add_epi32(x, y); }
  static F cvt(I x) noexcept { return _mm512_cvtepi32_ps(x); }
  static I lrint(F x) noexcept { return _mm512_cvtps_epi32(x); }
  static void istore_i8(std::int8_t* p, I x) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(x));
  }
  static void istore(std::int32_t* p, I x) noexcept { _mm512_storeu_si512(p, x); }
  static std::int32_t ihsum(I x) noexcept { return _mm512_reduce_add_epi32(x); }
  static I ihsum16(const I (&x)[16]) noexcept {
    F f[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) f[i] = _mm512_castsi512_ps(x[i]);
    return _mm512_castps_si512(reduce16(f, [](F a, F b) noexcept {
      return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b)));
    }));
  }

  static W wbytes(int x) noexcept { return _mm512_set1_epi8(static_cast<char>(x)); }
  static W wload(const void* p) noexcept { return _mm512_loadu_si512(p); }
  static void wstore(void* p, W w) noexcept { _mm512_storeu_si512(p, w); }
  // y with x's signs, for products with |x|.
  static __m512i with_sign(__m512i y, __m512i x) noexcept {
    return _mm512_mask_sub_epi8(y, _mm512_movepi8_mask(x), _mm512_setzero_si512(), y);
  }
  static W low_nibbles(W w) noexcept { return _mm512_and_si512(w, _mm512_set1_epi8(15)); }
  static W high_nibbles(W w) noexcept { return _mm512_and_si512(_mm512_srli_epi16(w, 4), _mm512_set1_epi8(15)); }
  static I lane_byte(W w, int byte) noexcept {
    return _mm512_and_si512(_mm512_srl_epi32(w, _mm_cvtsi32_si128(8 * byte)), _mm512_set1_epi32(255));
  }
  static __m512i broadcast4(const std::int8_t* a) noexcept {
    std::int32_t x;
    std::memcpy(&x, a, 4);
    return _mm512_set1_epi32(x);
  }
  // Always inlined: GCC takes a function that only prefetches for one without effects, and drops calls of it.
  LQ_ALWAYS_INLINE static void prefetch(const void* p) noexcept {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1);
  }
  LQ_ALWAYS_INLINE static void prefetch_l1(const void* p) noexcept {
    _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T0);
  }
};

template <>
struct Lanes<arch::Avx512> : Lanes512<arch::Avx512> {
  static constexpr std::int32_t kDot8Bias = 0;
  static I dot4(I acc, W w, const std::int8_t* a) noexcept {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(w, broadcast4(a)), _mm512_set1_epi16(1)));
  }
  // As in the AVX2 version: |w| times a with w's sign.
  static I dot8(I acc, W w, const std::int8_t* a) noexcept {
    w = _mm512_xor_si512(w, _mm512_set1_epi8(-128));
    return dot_bytes(acc, w, broadcast4(a));
  }
  static I dot_bytes(I acc, W x, W y) noexcept {
    return _mm512_add_epi32(acc, _mm512_madd_epi16(_mm512_maddubs_epi16(_mm512_abs_epi8(x), with_sign(y, x)),
                                                   _mm512_set1_epi16(1)));
  }
};

#ifdef __AVX512VNNI__
template <>
struct Lanes<arch::Avx512Vnni> : Lanes512<arch::Avx512Vnni> {
  static constexpr std::int32_t kDot8Bias = 128;  // bytes stay unsigned; the caller subtracts 128 * sum(a)
  static I dot4(I acc, W w, const std::int8_t* a) noexcept { return _mm512_dpbusd_epi32(acc, w, broadcast4(a)); }
  static I dot8(I acc, W w, const std::int8_t* a) noexcept { return _mm512_dpbusd_epi32(acc, w, broadcast4(a)); }
  static I dot_bytes(I acc, W x, W y) noexcept {
    return _mm512_dpbusd_epi32(acc, _mm512_abs_epi8(x), Lanes512::with_sign(y, x));
  }
};
#endif

}  // namespace lq::simd
