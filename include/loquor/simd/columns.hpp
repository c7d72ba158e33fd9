// From rows to lanes, for packing panels of 16 rows: the only intrinsics of kernels/pack.hpp. There is no scalar
// version: its twin is pack_panel of quant/panel.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "loquor/simd/arch.hpp"

namespace lq::simd {

// Dwords of 16 rows that are `stride` bytes apart; lane r is row r. The interface:
//   D     column(p, stride)                  the dword at p of each row
//   void  columns4(p, stride, D d[4])        the four dwords at p of each row
//   void  store(q, d, flip)                  64 bytes, each dword xor `flip`
//   void  store_low(q, d), store_high(q, d)  32 bytes: the low or the high words
//   void  touch(p, n)                        reads n bytes in order, so that they are in the cache
//   void  fence()                            after the last store
// Stores go past the cache, since nobody reads a panel before many others are packed: q is a multiple of 32 bytes.
template <class Arch>
struct Columns;

#ifdef __AVX2__
// What both vector versions need: four rows at once.
template <class Arch>
struct ColumnsBase {
  static void touch(const std::byte* p, std::size_t n) noexcept {
    __m256i all = _mm256_setzero_si256();
    for (std::size_t i = 0; i + 32 <= n; i += 64)
      all = _mm256_or_si256(all, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + i)));
    asm volatile("" : : "x"(all));  // the loads are the purpose
  }
  static void fence() noexcept { _mm_sfence(); }
  static void store256(std::byte* q, __m256i x) noexcept { _mm256_stream_si256(reinterpret_cast<__m256i*>(q), x); }
  static __m128i row16(const std::byte* p) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static int dword(const std::byte* p) noexcept {
    int x;
    std::memcpy(&x, p, 4);
    return x;
  }
  static __m128i column_of_4(const std::byte* p, std::size_t stride) noexcept {
    return _mm_setr_epi32(dword(p), dword(p + stride), dword(p + 2 * stride), dword(p + 3 * stride));
  }
};
#endif

#ifdef __AVX512F__
template <class Arch>
struct Columns512 : ColumnsBase<Arch> {
  using Base = ColumnsBase<Arch>;
  using D = __m512i;

  static D join(__m128i a, __m128i b, __m128i c, __m128i d) noexcept {
    const __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
    const __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
  }
  static D column(const std::byte* p, std::size_t stride) noexcept {
    return join(Base::column_of_4(p, stride), Base::column_of_4(p + 4 * stride, stride),
                Base::column_of_4(p + 8 * stride, stride), Base::column_of_4(p + 12 * stride, stride));
  }
  // Rows i, 4 + i, 8 + i, 12 + i in the four quarters; then each quarter is transposed, and its rows come out in order.
  static D rows(const std::byte* p, std::size_t stride) noexcept {
    return join(Base::row16(p), Base::row16(p + 4 * stride), Base::row16(p + 8 * stride), Base::row16(p + 12 * stride));
  }
  static void columns4(const std::byte* p, std::size_t stride, D d[4]) noexcept {
    const D a = rows(p, stride), b = rows(p + stride, stride);
    const D c = rows(p + 2 * stride, stride), e = rows(p + 3 * stride, stride);
    const D ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const D ce_low = _mm512_unpacklo_epi32(c, e), ce_high = _mm512_unpackhi_epi32(c, e);
    d[0] = _mm512_unpacklo_epi64(ab_low, ce_low);
    d[1] = _mm512_unpackhi_epi64(ab_low, ce_low);
    d[2] = _mm512_unpacklo_epi64(ab_high, ce_high);
    d[3] = _mm512_unpackhi_epi64(ab_high, ce_high);
  }
  static void store(std::byte* q, D d, std::uint32_t flip) noexcept {
    const D x = _mm512_xor_si512(d, _mm512_set1_epi32(static_cast<int>(flip)));
    Base::store256(q, _mm512_castsi512_si256(x));
    Base::store256(q + 32, _mm512_extracti64x4_epi64(x, 1));
  }
  static void store_low(std::byte* q, D d) noexcept { Base::store256(q, _mm512_cvtepi32_epi16(d)); }
  static void store_high(std::byte* q, D d) noexcept { store_low(q, _mm512_srli_epi32(d, 16)); }
};

template <>
struct Columns<arch::Avx512> : Columns512<arch::Avx512> {};
#ifdef __AVX512VNNI__
template <>
struct Columns<arch::Avx512Vnni> : Columns512<arch::Avx512Vnni> {};
#endif

#elif defined(__AVX2__)
template <>
struct Columns<arch::Avx2> : ColumnsBase<arch::Avx2> {
  struct D {
    __m256i a, b;  // rows 0 to 7, rows 8 to 15
  };

  static __m256i join(__m128i a, __m128i b) noexcept {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
  }
  static D column(const std::byte* p, std::size_t stride) noexcept {
    return {join(column_of_4(p, stride), column_of_4(p + 4 * stride, stride)),
            join(column_of_4(p + 8 * stride, stride), column_of_4(p + 12 * stride, stride))};
  }
  // As in the wide version, on rows i and 4 + i.
  static void columns4_of_8(const std::byte* p, std::size_t stride, __m256i d[4]) noexcept {
    const __m256i a = join(row16(p), row16(p + 4 * stride));
    const __m256i b = join(row16(p + stride), row16(p + 5 * stride));
    const __m256i c = join(row16(p + 2 * stride), row16(p + 6 * stride));
    const __m256i e = join(row16(p + 3 * stride), row16(p + 7 * stride));
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i ce_low = _mm256_unpacklo_epi32(c, e), ce_high = _mm256_unpackhi_epi32(c, e);
    d[0] = _mm256_unpacklo_epi64(ab_low, ce_low);
    d[1] = _mm256_unpackhi_epi64(ab_low, ce_low);
    d[2] = _mm256_unpacklo_epi64(ab_high, ce_high);
    d[3] = _mm256_unpackhi_epi64(ab_high, ce_high);
  }
  static void columns4(const std::byte* p, std::size_t stride, D d[4]) noexcept {
    __m256i a[4], b[4];
    columns4_of_8(p, stride, a);
    columns4_of_8(p + 8 * stride, stride, b);
    for (int i = 0; i < 4; ++i) d[i] = {a[i], b[i]};
  }
  static void store(std::byte* q, D d, std::uint32_t flip) noexcept {
    const __m256i x = _mm256_set1_epi32(static_cast<int>(flip));
    store256(q, _mm256_xor_si256(d.a, x));
    store256(q + 32, _mm256_xor_si256(d.b, x));
  }
  // packus takes values below 2^16 and works on halves: its quarters come out as a0 b0 a1 b1.
  static void store_low(std::byte* q, D d) noexcept {
    const __m256i m = _mm256_set1_epi32(0xffff);
    const __m256i x = _mm256_packus_epi32(_mm256_and_si256(d.a, m), _mm256_and_si256(d.b, m));
    store256(q, _mm256_permute4x64_epi64(x, 0xd8));
  }
  static void store_high(std::byte* q, D d) noexcept {
    store_low(q, {_mm256_srli_epi32(d.a, 16), _mm256_srli_epi32(d.b, 16)});
  }
};
#endif

}  // namespace lq::simd
