// Seconds that this thread has computed: what other processes do to the clock does not count. Test-only.
#pragma once

#include <ctime>

namespace lq_test {

inline double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

}  // namespace lq_test
