// What the CPU can do and the operating system saves on a context switch (CPUID and XCR0).
#pragma once

namespace lq {

struct CpuFeatures {
  bool avx2 = false;    // AVX2, FMA, F16C, BMI2
  bool avx512 = false;  // F, BW, VL, DQ, CD
  bool avx512vnni = false;
};

CpuFeatures detect_cpu() noexcept;

}  // namespace lq
