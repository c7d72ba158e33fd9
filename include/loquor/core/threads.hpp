// The library's own thread pool: one per Context, created on first use, parked between calls.
// Workers spin briefly (tens of microseconds) after a task and then sleep on a futex, so a chain of short stages costs
// well under a microsecond each while an idle library costs nothing.
// A pool belongs to one caller at a time: concurrent parallel_for calls from several threads are serialised by a mutex;
// a call from inside a task of the same pool runs inline. The first exception that leaves a task is rethrown to the
// caller once all threads are done. Determinism: which thread runs a piece is not defined, so results must not depend
// on it. Workers block asynchronous signals, have small stacks, and start on the first call that has work for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace lq {

// Host-supplied replacement for the pool: must call fn(task, i) exactly once for each i in [0, n), on any threads, and
// return when all have finished.
using HostParallelFor = void (*)(void* user, std::size_t n, void (*fn)(void* task, std::size_t i), void* task);

struct ThreadOptions {
  unsigned threads = 0;       // including the caller's; 0 = the number of CPUs this process may use
  std::vector<int> affinity;  // CPU ids for the workers, worker i gets affinity[i % size]; empty = unpinned.
                              // The calling thread is never re-pinned.
  unsigned spin_us = 50;      // how long an idle worker spins before it sleeps
  HostParallelFor parallel_for = nullptr;  // if set, no threads are created at all
  void* parallel_for_user = nullptr;
};

// Memory that the next dispatch with a fixed split will read: `items` of item_bytes each. A thread that has nothing to
// do brings the start of its share into its cache; the data may be anything, it is never interpreted.
struct Upcoming {
  const std::byte* data = nullptr;
  std::size_t item_bytes = 0, items = 0;
};

class ThreadPool {
 public:
  explicit ThreadPool(ThreadOptions options);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned size() const noexcept;

  // CPUs in this process's affinity mask, at most what its cgroup's quota allows; >= 1.
  static unsigned available_cpus() noexcept;

  // Calls fn(begin, end, thread) so that the calls cover [0, n) once; no two calls run at once with the same thread.
  // Fixed split: thread t gets one contiguous range, the same for the same n (decode: each thread streams its own
  // weights), unless it is late to start: then the caller does its range.
  template <class Fn>
  void parallel_for(std::size_t n, const Fn& fn, const Upcoming& upcoming = {}) {
    run(
        n, 0, [](void* task, std::size_t b, std::size_t e, unsigned t) { (*static_cast<const Fn*>(task))(b, e, t); },
        const_cast<Fn*>(&fn), upcoming);
  }
  // Dynamic split in pieces of `grain` items, claimed by whichever thread is free (prefill, packing).
  template <class Fn>
  void parallel_for(std::size_t n, std::size_t grain, const Fn& fn) {
    run(
        n, grain ? grain : 1,
        [](void* task, std::size_t b, std::size_t e, unsigned t) { (*static_cast<const Fn*>(task))(b, e, t); },
        const_cast<Fn*>(&fn), {});
  }

 private:
  using RangeFn = void (*)(void* task, std::size_t begin, std::size_t end, unsigned thread);
  // grain 0 = fixed split. Throws Error{forked} in a forked child, Error{out_of_memory} if threads cannot be started.
  void run(std::size_t n, std::size_t grain, RangeFn fn, void* task, const Upcoming& upcoming);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
