// Default rounding and no flush-to-zero for the life of the object: the host's floating-point settings must not change
// results (promise: same bytes for the same input), and are restored for it afterwards.
#pragma once

#include <cfenv>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lq {

class FpEnvironment {
 public:
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;
#if defined(__x86_64__)
  // Only MXCSR matters to SSE code; saving the x87 state as well would cost hundreds of cycles.
  FpEnvironment() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(0x1f80); }
  ~FpEnvironment() { _mm_setcsr(saved_); }

 private:
  unsigned saved_;
#else
  FpEnvironment() noexcept {
    std::fegetenv(&saved_);
    std::fesetenv(FE_DFL_ENV);
  }
  ~FpEnvironment() { std::fesetenv(&saved_); }

 private:
  std::fenv_t saved_;
#endif
};

}  // namespace lq
