#include "cpu_features.hpp"

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>
#endif

namespace lq {

#if defined(__x86_64__)
namespace {

bool has(unsigned reg, int bit) noexcept { return (reg >> bit) & 1u; }

std::uint64_t xcr0() noexcept {
  std::uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<std::uint64_t>(high) << 32) | low;
}

}  // namespace

// Bits: Intel SDM vol. 2A, CPUID leaves 1 and 7; vol. 1 ch. 13 for XCR0 (1: SSE, 2: AVX, 5-7: opmask and zmm).
CpuFeatures detect_cpu() noexcept {
  CpuFeatures f;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return f;
  const bool osxsave = has(c, 27), avx = has(c, 28), fma = has(c, 12), f16c = has(c, 29);
  if (!osxsave || !avx) return f;
  const std::uint64_t saved = xcr0();
  if ((saved & 0x6) != 0x6 || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return f;
  f.avx2 = fma && f16c && has(b, 5) && has(b, 8);
  const bool zmm_saved = (saved & 0xe0) == 0xe0;
  f.avx512 = zmm_saved && has(b, 16) && has(b, 17) && has(b, 28) && has(b, 30) && has(b, 31);
  f.avx512vnni = f.avx512 && has(c, 11);
  return f;
}
#else
CpuFeatures detect_cpu() noexcept { return {}; }
#endif

}  // namespace lq
