// Sixteen lanes in plain C++: the reference for the vector versions and the fallback for any CPU.
#pragma once

#include <cmath>
#include <cstring>

#include "loquor/core/half.hpp"
#include "loquor/simd/arch.hpp"

namespace lq::simd {

template <>
struct Lanes<arch::Scalar> {
  struct F {
    float v[16];
  };
  struct I {
    std::int32_t v[16];
  };
  struct W {
    std::uint8_t v[64];
  };
  static constexpr std::int32_t kDot8Bias = 0;
  static constexpr int kPanels = 1, kTokens = 4, kAttentionRows = 3, kManyRows = 12;
  static constexpr int kGemmPanels = 1, kGemmRows = 4;

  template <class Fn>
  static F map(Fn fn) noexcept {
    F r;
    for (int i = 0; i < 16; ++i) r.v[i] = fn(i);
    return r;
  }
  template <class Fn>
  static I imap(Fn fn) noexcept {
    I r;
    for (int i = 0; i < 16; ++i) r.v[i] = fn(i);
    return r;
  }
  static F zero() noexcept { return set1(0.0f); }
  static F set1(float x) noexcept {
    return map([&](int) { return x; });
  }
  static F load(const float* p) noexcept {
    return map([&](int i) { return p[i]; });
  }
  static void store(float* p, const F& a) noexcept {
    for (int i = 0; i < 16; ++i) p[i] = a.v[i];
  }
  static F load_n(const float* p, std::size_t n) noexcept {
    return map([&](int i) { return static_cast<std::size_t>(i) < n ? p[i] : 0.0f; });
  }
  static void store_n(float* p, const F& a, std::size_t n) noexcept {
    for (std::size_t i = 0; i < n && i < 16; ++i) p[i] = a.v[i];
  }
  // n <= 16 pairs: their first members, their second members.
  static void load_pairs(const float* p, std::size_t n, F& x, F& y) noexcept {
    x = map([&](int i) { return static_cast<std::size_t>(i) < n ? p[2 * i] : 0.0f; });
    y = map([&](int i) { return static_cast<std::size_t>(i) < n ? p[2 * i + 1] : 0.0f; });
  }
  static void store_pairs(float* p, std::size_t n, const F& x, const F& y) noexcept {
    for (std::size_t i = 0; i < n && i < 16; ++i) {
      p[2 * i] = x.v[i];
      p[2 * i + 1] = y.v[i];
    }
  }
  static F from_f16(const std::uint16_t* p) noexcept {
    return map([&](int i) { return to_float(f16{p[i]}); });
  }
  static F from_bf16(const std::uint16_t* p) noexcept {
    return map([&](int i) { return to_float(bf16{p[i]}); });
  }
  static F from_i8(const std::int8_t* p) noexcept {
    return map([&](int i) { return static_cast<float>(p[i]); });
  }
  static void to_f16(std::uint16_t* p, const F& a) noexcept {
    for (int i = 0; i < 16; ++i) p[i] = lq::to_f16(a.v[i]).bits;
  }
  static F add(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F sub(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] - b.v[i]; });
  }
  static F mul(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] * b.v[i]; });
  }
  static F div(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] / b.v[i]; });
  }
  static F fma(const F& a, const F& b, const F& c) noexcept {
    return map([&](int i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
  }
  static F sqrt(const F& a) noexcept {
    return map([&](int i) { return __builtin_sqrtf(a.v[i]); });
  }
  static F max(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F min(const F& a, const F& b) noexcept {
    return map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
  }
  static F abs(const F& a) noexcept {
    return map([&](int i) { return __builtin_fabsf(a.v[i]); });
  }
  static F round(const F& a) noexcept {
    return map([&](int i) { return __builtin_rintf(a.v[i]); });
  }
  static F select_less(const F& x, const F& limit, const F& a, const F& b) noexcept {
    return map([&](int i) { return x.v[i] < limit.v[i] ? a.v[i] : b.v[i]; });
  }
  static std::uint32_t at_least(const F& x, const F& limit) noexcept {
    std::uint32_t bits = 0;
    for (int i = 0; i < 16; ++i) bits |= static_cast<std::uint32_t>(x.v[i] >= limit.v[i]) << i;
    return bits;
  }
  // v * 2^n for integral n in [-126, 127].
  static F exp2i(const F& v, const F& n) noexcept {
    return map([&](int i) {
      return v.v[i] * std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<std::int32_t>(n.v[i]) + 127) << 23);
    });
  }
  // Pairwise, in the order the vector versions use.
  static float hsum(const F& a) noexcept {
    float t[8];
    for (int i = 0; i < 8; ++i) t[i] = a.v[i] + a.v[i + 8];
    for (int i = 0; i < 4; ++i) t[i] += t[i + 4];
    return (t[0] + t[2]) + (t[1] + t[3]);
  }
  static float hmax(const F& a) noexcept {
    float m = a.v[0];
    for (int i = 1; i < 16; ++i) m = a.v[i] > m ? a.v[i] : m;
    return m;
  }
  static void transpose(F (&r)[16]) noexcept {
    for (int i = 0; i < 16; ++i)
      for (int j = 0; j < i; ++j) {
        const float x = r[i].v[j];
        r[i].v[j] = r[j].v[i];
        r[j].v[i] = x;
      }
  }
  // Lane i is the maximum of x[i].
  static F hmax16(const F (&x)[16]) noexcept {
    return map([&](int i) { return hmax(x[i]); });
  }

  static I izero() noexcept { return iset1(0); }
  static I iset1(std::int32_t x) noexcept {
    return imap([&](int) { return x; });
  }
  static I iadd(const I& a, const I& b) noexcept {
    return imap([&](int i) { return a.v[i] + b.v[i]; });
  }
  static F cvt(const I& a) noexcept {
    return map([&](int i) { return static_cast<float>(a.v[i]); });
  }
  static I lrint(const F& a) noexcept {
    return imap([&](int i) {
      const float r = __builtin_rintf(a.v[i]);
      return r >= -2147483648.0f && r < 2147483648.0f ? static_cast<std::int32_t>(r) : INT32_MIN;
    });
  }
  static void istore_i8(std::int8_t* p, const I& a) noexcept {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<std::int8_t>(a.v[i] < -128 ? -128 : a.v[i] > 127 ? 127 : a.v[i]);
  }
  static void istore(std::int32_t* p, const I& a) noexcept { std::memcpy(p, a.v, sizeof a.v); }
  // Lane i is the sum of x[i].
  static I ihsum16(const I (&x)[16]) noexcept {
    return imap([&](int i) { return ihsum(x[i]); });
  }
  static std::int32_t ihsum(const I& a) noexcept {
    std::uint32_t s = 0;
    for (int i = 0; i < 16; ++i) s += static_cast<std::uint32_t>(a.v[i]);
    return static_cast<std::int32_t>(s);
  }

  static W wbytes(int x) noexcept {
    W w;
    for (auto& v : w.v) v = static_cast<std::uint8_t>(x);
    return w;
  }
  static W wload(const void* p) noexcept {
    W w;
    std::memcpy(w.v, p, 64);
    return w;
  }
  static void wstore(void* p, const W& w) noexcept { std::memcpy(p, w.v, 64); }
  static W low_nibbles(const W& w) noexcept {
    W r;
    for (int i = 0; i < 64; ++i) r.v[i] = w.v[i] & 15;
    return r;
  }
  static W high_nibbles(const W& w) noexcept {
    W r;
    for (int i = 0; i < 64; ++i) r.v[i] = w.v[i] >> 4;
    return r;
  }
  // Byte `byte` of each lane, zero-extended.
  static I lane_byte(const W& w, int byte) noexcept {
    return imap([&](int i) { return static_cast<std::int32_t>(w.v[4 * i + byte]); });
  }
  static I dot4(const I& acc, const W& w, const std::int8_t* a) noexcept {
    return imap([&](int i) {
      std::int32_t s = acc.v[i];
      for (int c = 0; c < 4; ++c) s += w.v[4 * i + c] * a[c];
      return s;
    });
  }
  static I dot8(const I& acc, const W& w, const std::int8_t* a) noexcept {
    return imap([&](int i) {
      std::int32_t s = acc.v[i];
      for (int c = 0; c < 4; ++c) s += (w.v[4 * i + c] - 128) * a[c];
      return s;
    });
  }
  static I dot_bytes(const I& acc, const W& x, const W& y) noexcept {
    return imap([&](int i) {
      std::int32_t s = acc.v[i];
      for (int c = 0; c < 4; ++c)
        s += static_cast<std::int8_t>(x.v[4 * i + c]) * static_cast<std::int8_t>(y.v[4 * i + c]);
      return s;
    });
  }
  static void prefetch(const void*) noexcept {}
  static void prefetch_l1(const void*) noexcept {}
};

}  // namespace lq::simd
