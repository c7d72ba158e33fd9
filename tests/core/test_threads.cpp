#include "loquor/core/threads.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cfenv>
#include <chrono>
#include <filesystem>
#include <functional>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "loquor/core/status.hpp"

namespace {

lq::ThreadOptions threads(unsigned n, unsigned spin_us = 50) {
  lq::ThreadOptions o;
  o.threads = n;
  o.spin_us = spin_us;
  return o;
}

// Runs one loop and returns how often each item was visited.
std::vector<int> visits(lq::ThreadPool& pool, std::size_t n, std::size_t grain) {
  std::vector<std::atomic<int>> seen(n);
  const auto body = [&](std::size_t b, std::size_t e, unsigned t) {
    if (t >= pool.size()) std::abort();
    for (std::size_t i = b; i < e; ++i) seen[i].fetch_add(1, std::memory_order_relaxed);
  };
  if (grain)
    pool.parallel_for(n, grain, body);
  else
    pool.parallel_for(n, body);
  return {seen.begin(), seen.end()};
}

lq::Code code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

std::size_t thread_count() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator("/proc/self/task")) ++n;
  return n;
}

}  // namespace

TEST_CASE("parallel_for visits every item exactly once", "[core][threads]") {
  for (unsigned size : {1u, 2u, 3u, 7u}) {
    lq::ThreadPool pool(threads(size));
    REQUIRE(pool.size() == size);
    for (std::size_t n : {0u, 1u, 2u, 3u, 6u, 7u, 8u, 100u, 1001u})
      for (std::size_t grain : {0u, 1u, 3u, 64u, 5000u}) {
        const std::vector<int> v = visits(pool, n, grain);
        CHECK(std::all_of(v.begin(), v.end(), [](int c) { return c == 1; }));
      }
  }
}

TEST_CASE("every one of many short parallel loops is complete when it returns", "[core][threads]") {
  // Different spin times take the different ways through the hand-off: hot, asleep, and taken back by the caller.
  for (unsigned spin : {0u, 1u, 50u}) {
    lq::ThreadPool pool(threads(3, spin));
    std::vector<std::size_t> out(48);
    std::size_t wrong = 0;
    for (std::size_t round = 0; round < 3000; ++round) {
      const auto body = [&](std::size_t b, std::size_t e, unsigned) {
        for (std::size_t i = b; i < e; ++i) out[i] = round + i;
      };
      if (round % 2)
        pool.parallel_for(out.size(), body);
      else
        pool.parallel_for(out.size(), 5, body);
      for (std::size_t i = 0; i < out.size(); ++i) wrong += out[i] != round + i;
      if (round % 500 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("no two threads use the same thread index at once", "[core][threads]") {
  lq::ThreadPool pool(threads(4));
  std::vector<std::atomic<int>> busy(4);
  std::atomic<int> clashes{0};
  for (int round = 0; round < 500; ++round)
    pool.parallel_for(64, 1, [&](std::size_t, std::size_t, unsigned t) {
      clashes += busy[t].fetch_add(1) != 0;
      busy[t].fetch_sub(1);
    });
  CHECK(clashes == 0);
}

TEST_CASE("a nested parallel_for runs inline with its thread's index", "[core][threads]") {
  lq::ThreadPool pool(threads(3)), other(threads(2));
  std::atomic<int> items{0}, wrong{0};
  pool.parallel_for(6, 1, [&](std::size_t, std::size_t, unsigned outer) {
    pool.parallel_for(10, [&](std::size_t b, std::size_t e, unsigned inner) {
      items += static_cast<int>(e - b);
      wrong += inner != outer;
    });
    // Through another pool and back: still inline, no deadlock.
    other.parallel_for(2, [&](std::size_t, std::size_t, unsigned) {
      other.parallel_for(4, [&](std::size_t b, std::size_t e, unsigned) { items += static_cast<int>(e - b); });
    });
  });
  CHECK(items == 6 * 10 + 6 * 2 * 4);
  CHECK(wrong == 0);
}

TEST_CASE("callers on several threads share one pool", "[core][threads]") {
  lq::ThreadPool pool(threads(2));
  std::atomic<int> bad{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        std::atomic<std::size_t> sum{0};
        pool.parallel_for(100, [&](std::size_t b, std::size_t e, unsigned) {
          for (std::size_t k = b; k < e; ++k) sum += k;
        });
        bad += sum != 4950;
      }
    });
  for (std::thread& t : callers) t.join();
  CHECK(bad == 0);
}

TEST_CASE("an exception in a task reaches the caller and the pool stays usable", "[core][threads]") {
  lq::ThreadPool pool(threads(3));
  for (std::size_t thrower : {0u, 50u, 99u}) {
    CHECK_THROWS_AS(pool.parallel_for(100,
                                      [&](std::size_t b, std::size_t e, unsigned) {
                                        if (b <= thrower && thrower < e) throw std::runtime_error("task");
                                      }),
                    std::runtime_error);
    const std::vector<int> v = visits(pool, 100, 1);
    CHECK(std::all_of(v.begin(), v.end(), [](int c) { return c == 1; }));
  }
}

TEST_CASE("a pool starts no thread before it has work for one and joins them all", "[core][threads]") {
  const std::size_t before = thread_count();
  {
    lq::ThreadPool pool(threads(4));
    pool.parallel_for(1, [](std::size_t, std::size_t, unsigned) {});
    CHECK(thread_count() == before);
    visits(pool, 100, 0);
    CHECK(thread_count() == before + 3);
  }
  CHECK(thread_count() == before);
}

TEST_CASE("an idle pool uses no CPU time", "[core][threads]") {
  lq::ThreadPool pool(threads(4));
  visits(pool, 100, 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  const auto cpu_us = [] {
    rusage u{};
    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
  };
  const long before = cpu_us();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(cpu_us() - before < 10000);  // three spinning workers would have used far more
}

TEST_CASE("a host's parallel_for replaces the pool's threads", "[core][threads]") {
  struct Host {
    std::size_t calls = 0, pieces = 0;
  } host;
  lq::ThreadOptions o = threads(3);
  o.parallel_for_user = &host;
  o.parallel_for = [](void* user, std::size_t n, void (*fn)(void*, std::size_t), void* task) {
    Host& h = *static_cast<Host*>(user);
    ++h.calls;
    h.pieces += n;
    for (std::size_t i = n; i-- > 0;) fn(task, i);
  };
  const std::size_t before = thread_count();
  lq::ThreadPool pool(o);
  for (std::size_t grain : {0u, 1u, 7u}) {
    const std::vector<int> v = visits(pool, 100, grain);
    CHECK(std::all_of(v.begin(), v.end(), [](int c) { return c == 1; }));
  }
  CHECK(host.calls == 3);
  CHECK(host.pieces == 9);
  CHECK(thread_count() == before);
}

TEST_CASE("workers compute in the default floating-point environment", "[core][threads]") {
  lq::ThreadPool pool(threads(2, 0));
  REQUIRE(std::fesetround(FE_UPWARD) == 0);
  std::atomic<int> other{0};
  // Sleep in the caller's piece so that the worker certainly runs its own.
  pool.parallel_for(2, [&](std::size_t, std::size_t, unsigned t) {
    if (t == 0)
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    else
      other += std::fegetround() != FE_TONEAREST;
  });
  std::fesetround(FE_TONEAREST);
  CHECK(other == 0);
}

TEST_CASE("wrong thread options are refused with what was seen", "[core][threads]") {
  CHECK(code_of([] { lq::ThreadPool p(threads(5000)); }) == lq::Code::invalid_argument);
  lq::ThreadOptions o = threads(2);
  o.affinity = {-1};
  CHECK(code_of([&] { lq::ThreadPool p(o); }) == lq::Code::invalid_argument);
  o.affinity = {1000};  // in range of the mask type, but not a CPU of any machine this runs on
  lq::ThreadPool pool(o);
  const std::size_t before = thread_count();
  CHECK(code_of([&] { visits(pool, 10, 0); }) == lq::Code::invalid_argument);
  CHECK(thread_count() == before);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
TEST_CASE("threads that cannot be started give out_of_memory and leave none behind", "[core][threads]") {
  // In a child, so that the limit on address space does not outlive the test.
  const pid_t child = fork();
  if (child == 0) {
    lq::ThreadPool pool(threads(64));
    std::size_t size = 0;
    if (FILE* f = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(f, "%zu", &size) != 1) _exit(10);
      std::fclose(f);
    }
    rlimit limit{};
    getrlimit(RLIMIT_AS, &limit);
    const rlimit old = limit;
    limit.rlim_cur = size * 4096 + 4 * 1024 * 1024;  // room for a few stacks only
    setrlimit(RLIMIT_AS, &limit);
    const lq::Code code = code_of([&] { visits(pool, 1000, 0); });
    setrlimit(RLIMIT_AS, &old);
    if (code != lq::Code::out_of_memory) _exit(11);
    if (thread_count() != 1) _exit(12);
    const std::vector<int> v = visits(pool, 1000, 0);  // a retry with room works
    _exit(std::all_of(v.begin(), v.end(), [](int c) { return c == 1; }) && thread_count() == 64 ? 0 : 13);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a pool made before fork is refused in the child and a fresh one works there", "[core][threads]") {
  lq::ThreadPool pool(threads(2)), unused(threads(2));
  visits(pool, 100, 0);
  const pid_t child = fork();
  if (child == 0) {
    alarm(20);  // a hang must fail the test, not stall it
    if (code_of([&] { visits(pool, 100, 0); }) != lq::Code::forked) _exit(1);
    if (code_of([&] { visits(unused, 100, 0); }) != lq::Code::forked) _exit(2);
    {
      lq::ThreadPool fresh(threads(2));
      const std::vector<int> v = visits(fresh, 100, 0);
      if (!std::all_of(v.begin(), v.end(), [](int c) { return c == 1; })) _exit(3);
    }
    pool.~ThreadPool();  // freeing the inherited one is harmless
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  const std::vector<int> v = visits(pool, 100, 0);  // the parent's goes on
  CHECK(std::all_of(v.begin(), v.end(), [](int c) { return c == 1; }));
}
#endif

TEST_CASE("a hot dispatch costs little", "[core][threads][.][timing]") {
  // Each piece keeps its thread busy for a fixed time, long enough that the worker takes its own; what the whole loop
  // takes beyond that is the cost of the hand-off.
  using Clock = std::chrono::steady_clock;
  lq::ThreadPool pool(threads(std::min(2u, lq::ThreadPool::available_cpus())));
  for (double piece : {0.0, 2.0, 10.0}) {
    std::vector<double> us;
    for (int round = 0; round < 101; ++round) {
      const auto t0 = Clock::now();
      for (int i = 0; i < 100; ++i)
        pool.parallel_for(2, [&](std::size_t, std::size_t, unsigned) {
          const auto begin = Clock::now();
          while (std::chrono::duration<double, std::micro>(Clock::now() - begin).count() < piece) {
          }
        });
      us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - t0).count() / 100 - piece);
    }
    std::sort(us.begin(), us.end());
    WARN("pieces of " << piece << " us, overhead: min " << us[0] << ", median " << us[50] << ", p90 " << us[90]);
  }
}
