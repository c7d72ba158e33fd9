// Compiler portability macros and the library version. No compile flag changes what a public header declares.
#pragma once

#include <cstddef>
#include <cstdint>

#define LQ_VERSION_MAJOR 0
#define LQ_VERSION_MINOR 1
#define LQ_VERSION_PATCH 0
#define LQ_VERSION_STRING "0.1.0"

#if defined(__GNUC__) || defined(__clang__)
#define LQ_RESTRICT __restrict__
#define LQ_ALWAYS_INLINE inline __attribute__((always_inline))
#define LQ_NOINLINE __attribute__((noinline))
#define LQ_LIKELY(x) __builtin_expect(!!(x), 1)
#define LQ_UNLIKELY(x) __builtin_expect(!!(x), 0)
#else
#define LQ_RESTRICT
#define LQ_ALWAYS_INLINE inline
#define LQ_NOINLINE
#define LQ_LIKELY(x) (x)
#define LQ_UNLIKELY(x) (x)
#endif

namespace lq {

// Every buffer the library allocates for numbers starts on a cache line; wide loads and panel layouts rely on it.
inline constexpr std::size_t kAlignment = 64;
constexpr std::size_t align_up(std::size_t bytes) noexcept {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}
constexpr std::size_t align_floats(std::size_t n) noexcept { return align_up(n * sizeof(float)) / sizeof(float); }

}  // namespace lq
