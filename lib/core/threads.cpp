// Hand-off protocol: each worker has one 128-byte slot holding its piece of the job and a state word, so a dispatch
// costs one line transfer to the worker and one back, and workers never contend with each other.
//
//   idle --caller: exchange--> pending --worker: CAS--> taken --worker: exchange--> idle
//    |  ^                        |                        |
//    |  +----- caller: CAS ------+ (takes the piece back)  +--caller: CAS--> awaited (caller sleeps on the word)
//    +--worker: CAS--> asleep (worker sleeps on the word)
//
// The plain fields of a slot are written before the exchange to `pending` and read only after a successful CAS to
// `taken`, so no generation counter is needed. A worker that is asleep or was descheduled loses its piece to the caller
// instead of holding it up: on a busy machine a stage costs at most what it costs on one core.
#include "loquor/core/threads.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <chrono>
#include <climits>
#include <cstdio>
#include <exception>
#include <mutex>
#include <new>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kLine = 128;  // two cache lines: the adjacent-line prefetcher pairs them
constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kWorkerStack = 256 * 1024;
constexpr unsigned kPausesPerClock = 16;

enum State : std::uint32_t { idle, pending, taken, awaited, asleep, stop };

void cpu_relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

using Word = std::atomic<std::uint32_t>;
static_assert(sizeof(Word) == 4 && Word::is_always_lock_free, "the kernel waits on the word itself");

void sleep_while(Word& word, std::uint32_t value) noexcept {
  const int saved = errno;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
  errno = saved;
}

void wake(Word& word) noexcept {
  const int saved = errno;
  syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&word), FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  errno = saved;
}

// First item of piece i when n items are split over k pieces as evenly as possible.
std::size_t split(std::size_t n, std::size_t k, std::size_t i) noexcept { return n / k * i + std::min(i, n % k); }

// What an idle thread prefetches, a few lines at a time.
class Ahead {
 public:
  Ahead() noexcept = default;
  Ahead(const Upcoming& u, std::size_t pieces, std::size_t thread) noexcept {
    if (!u.data) return;
    at_ = u.data + split(u.items, pieces, thread) * u.item_bytes;
    end_ = at_ + std::min((split(u.items, pieces, thread + 1) - split(u.items, pieces, thread)) * u.item_bytes, kMost);
  }
  bool given() const noexcept { return end_; }
  // False if there is nothing left.
  bool bite() noexcept {
    if (at_ >= end_) return false;
    for (int i = 0; i < 4; ++i, at_ += 64) __builtin_prefetch(at_, 0, 2);  // to the second-level cache
    return true;
  }

 private:
  static constexpr std::size_t kMost = 256 * 1024;
  const std::byte *at_ = nullptr, *end_ = nullptr;
};

// Spins until `ready` holds or about `us` microseconds have passed; the clock is read once every few pauses only.
template <class Ready>
bool spin(unsigned us, const Ready& ready, Ahead& ahead) noexcept {
  if (ready()) return true;
  if (us == 0) return false;
  while (ahead.bite())
    if (ready()) return true;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(us);
  do {
    for (unsigned i = 0; i < kPausesPerClock; ++i) {
      cpu_relax();
      if (ready()) return true;
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// Tells a process that was forked from its parent without a system call per check: the kernel clears the page in the
// child. Where MADV_WIPEONFORK is missing, compares process ids.
class ForkMark {
 public:
  ForkMark() noexcept : pid_(getpid()) {
    void* p = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return;
    if (madvise(p, 4096, MADV_WIPEONFORK) != 0) {
      munmap(p, 4096);
      return;
    }
    page_ = static_cast<volatile int*>(p);
    *page_ = 1;
  }
  ForkMark(const ForkMark&) = delete;
  ForkMark& operator=(const ForkMark&) = delete;
  ~ForkMark() {
    if (page_) munmap(const_cast<int*>(page_), 4096);
  }
  bool in_child() const noexcept { return page_ ? *page_ == 0 : getpid() != pid_; }

 private:
  pid_t pid_;
  volatile int* page_ = nullptr;
};

// Which pools this thread is working for, so that a nested call runs inline instead of waiting for itself.
struct Frame {
  const void* pool;
  unsigned thread;
  Frame* outer;
};
thread_local Frame* t_frames = nullptr;

class FrameScope {
 public:
  FrameScope(const void* pool, unsigned thread) noexcept : frame_{pool, thread, t_frames} { t_frames = &frame_; }
  FrameScope(const FrameScope&) = delete;
  FrameScope& operator=(const FrameScope&) = delete;
  ~FrameScope() { t_frames = frame_.outer; }

 private:
  Frame frame_;
};

const Frame* find_frame(const void* pool) noexcept {
  for (const Frame* f = t_frames; f; f = f->outer)
    if (f->pool == pool) return f;
  return nullptr;
}

// Reads a small file of /proc or /sys into buf; returns the length, 0 if it cannot be read.
std::size_t read_small(const char* path, char* buf, std::size_t size) noexcept {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n;
  do n = read(fd, buf, size - 1);
  while (n < 0 && errno == EINTR);
  close(fd);
  if (n <= 0) return 0;
  buf[n] = '\0';
  return static_cast<std::size_t>(n);
}

// CPUs' worth of time the container allows (cgroup v2 cpu.max, rounded up), or UINT_MAX without a quota.
unsigned cgroup_cpus() noexcept {
  char group[512], path[600], buf[64];
  const char* inner = "";
  if (read_small("/proc/self/cgroup", group, sizeof group) > 3 && group[0] == '0' && group[1] == ':' &&
      group[2] == ':') {
    for (char* c = group; *c; ++c)
      if (*c == '\n') *c = '\0';
    inner = group + 3;
  }
  std::snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", inner);
  if (!read_small(path, buf, sizeof buf) && !read_small("/sys/fs/cgroup/cpu.max", buf, sizeof buf)) return UINT_MAX;
  unsigned long long quota = 0, period = 0;
  if (std::sscanf(buf, "%llu %llu", &quota, &period) != 2 || period == 0) return UINT_MAX;  // "max 100000"
  return static_cast<unsigned>(std::clamp<unsigned long long>((quota + period - 1) / period, 1, kMaxThreads));
}

unsigned affinity_cpus() noexcept {
  constexpr int kCpus = 8192;
  alignas(unsigned long) unsigned char mask[kCpus / 8];
  const long n = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
  unsigned count = 0;
  for (long i = 0; i < n; ++i) count += static_cast<unsigned>(__builtin_popcount(mask[i]));
  return std::clamp(count, 1u, kMaxThreads);
}

}  // namespace

unsigned ThreadPool::available_cpus() noexcept { return std::min(affinity_cpus(), cgroup_cpus()); }

struct ThreadPool::Impl {
  struct Slot;

  ThreadOptions options;
  unsigned size = 1;
  unsigned spin_us = 0;
  ForkMark fork_mark;
  std::mutex callers;
  bool started = false;
  std::unique_ptr<Slot[]> slots;  // slots[0] is unused: thread 0 is the caller
  alignas(kLine) std::atomic<std::size_t> next{0};

  explicit Impl(ThreadOptions o);
  int start_worker(unsigned t, const pthread_attr_t* attr) noexcept;
  void start();
  void stop_workers(unsigned count) noexcept;
  void work(Slot& slot) noexcept;
  void run_piece(unsigned thread, std::size_t n, std::size_t grain, RangeFn fn, void* task, std::size_t begin,
                 std::size_t end);
  void run_own(std::size_t n, std::size_t grain, RangeFn fn, void* task, const Upcoming& upcoming);
  void run_host(std::size_t n, std::size_t grain, RangeFn fn, void* task);
  void collect(unsigned pieces, Ahead ahead);
};

struct alignas(kLine) ThreadPool::Impl::Slot {
  Word state{idle};
  unsigned thread = 0;
  RangeFn fn = nullptr;
  void* task = nullptr;
  std::size_t n = 0, grain = 0, begin = 0, end = 0;
  Ahead ahead;
  Impl* pool = nullptr;
  pthread_t handle{};
  std::exception_ptr error;
};

ThreadPool::Impl::Impl(ThreadOptions o) : options(std::move(o)) {
  const unsigned cpus = available_cpus();
  LQ_CHECK(options.threads <= kMaxThreads, Code::invalid_argument, "threads: ", options.threads, " is over ",
           kMaxThreads);
  for (int cpu : options.affinity)
    LQ_CHECK(cpu >= 0 && cpu < CPU_SETSIZE, Code::invalid_argument, "threads: affinity names CPU ", cpu,
             ", expected 0 to ", CPU_SETSIZE - 1);
  size = options.threads ? options.threads : cpus;
  // With more threads than CPUs the one we wait for may need our CPU: give it up almost at once.
  spin_us = size > cpus ? std::min(options.spin_us, 2u) : options.spin_us;
  if (!options.parallel_for && size > 1) slots = std::make_unique<Slot[]>(size);
}

void ThreadPool::Impl::work(Slot& slot) noexcept {
  std::fesetenv(FE_DFL_ENV);  // results must not depend on the rounding mode of whoever started the pool
  const auto runnable = [&] {
    const std::uint32_t s = slot.state.load(std::memory_order_relaxed);
    return s == pending || s == stop;
  };
  Ahead ahead;
  for (;;) {
    while (!spin(spin_us, runnable, ahead)) {
      std::uint32_t expected = idle;
      if (slot.state.compare_exchange_strong(expected, asleep, std::memory_order_acq_rel) || expected == asleep)
        while (slot.state.load(std::memory_order_relaxed) == asleep) sleep_while(slot.state, asleep);
    }
    std::uint32_t expected = pending;
    if (!slot.state.compare_exchange_strong(expected, taken, std::memory_order_acquire)) {
      if (expected == stop) return;
      continue;  // the caller took the piece back
    }
    try {
      run_piece(slot.thread, slot.n, slot.grain, slot.fn, slot.task, slot.begin, slot.end);
    } catch (...) {
      slot.error = std::current_exception();
    }
    // Read now: after the exchange the slot is the caller's again. A dispatch that says nothing changes nothing.
    if (slot.ahead.given()) ahead = slot.ahead;
    if (slot.state.exchange(idle, std::memory_order_release) == awaited) wake(slot.state);
  }
}

// Starts the worker of one slot; returns an errno value, ENODEV if its CPU cannot be used (the thread then exists).
int ThreadPool::Impl::start_worker(unsigned t, const pthread_attr_t* attr) noexcept {
  Slot& slot = slots[t];
  slot.thread = t;
  slot.pool = this;
  slot.state.store(idle, std::memory_order_relaxed);
  const auto entry = [](void* p) -> void* {
    Slot* s = static_cast<Slot*>(p);
    s->pool->work(*s);
    return nullptr;
  };
  int error = pthread_create(&slot.handle, attr, entry, &slot);
  // A program with much static thread-local storage needs a larger stack than ours: use its default.
  if (error == EINVAL) error = pthread_create(&slot.handle, nullptr, entry, &slot);
  if (error) return error;
  pthread_setname_np(slot.handle, "loquor");
  if (options.affinity.empty()) return 0;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(options.affinity[t % options.affinity.size()]), &set);
  return pthread_setaffinity_np(slot.handle, sizeof set, &set) == 0 ? 0 : ENODEV;
}

void ThreadPool::Impl::start() {
  if (started) return;
  pthread_attr_t attr;
  LQ_CHECK(pthread_attr_init(&attr) == 0, Code::out_of_memory, "threads: no memory for thread attributes");
  pthread_attr_setstacksize(&attr, std::max<std::size_t>(kWorkerStack, static_cast<std::size_t>(PTHREAD_STACK_MIN)));
  // The host's asynchronous signals are none of our business; faults must still reach its handlers.
  sigset_t blocked, previous;
  sigfillset(&blocked);
  for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS}) sigdelset(&blocked, s);
  pthread_sigmask(SIG_SETMASK, &blocked, &previous);
  unsigned t = 1;
  int error = 0;
  while (t < size && (error = start_worker(t, &attr)) == 0) ++t;
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_attr_destroy(&attr);
  if (error) {
    stop_workers(error == ENODEV ? t + 1 : t);
    LQ_CHECK(error != ENODEV, Code::invalid_argument, "threads: CPU ", options.affinity[t % options.affinity.size()],
             " of the affinity list cannot be used");
    fail(Code::out_of_memory, "threads: could not start thread ", t + 1, " of ", size, " (error ", error, ")");
  }
  started = true;
}

void ThreadPool::Impl::stop_workers(unsigned count) noexcept {
  for (unsigned t = 1; t < count; ++t) {
    if (slots[t].state.exchange(stop, std::memory_order_acq_rel) == asleep) wake(slots[t].state);
    pthread_join(slots[t].handle, nullptr);
  }
}

void ThreadPool::Impl::run_piece(unsigned thread, std::size_t n, std::size_t grain, RangeFn fn, void* task,
                                 std::size_t begin, std::size_t end) {
  FrameScope scope(this, thread);
  if (grain == 0) {
    if (begin < end) fn(task, begin, end, thread);
    return;
  }
  for (;;) {
    const std::size_t b = next.fetch_add(grain, std::memory_order_relaxed);
    if (b >= n) return;
    fn(task, b, std::min(n, b + grain), thread);
  }
}

// Waits for every piece; does those no worker has begun. Rethrows the first error after all have ended.
void ThreadPool::Impl::collect(unsigned pieces, Ahead ahead) {
  std::exception_ptr error;
  for (unsigned t = 1; t < pieces; ++t) {
    Slot& slot = slots[t];
    std::uint32_t s = pending;
    if (slot.state.compare_exchange_strong(s, idle, std::memory_order_acquire)) {
      try {
        run_piece(0, slot.n, slot.grain, slot.fn, slot.task, slot.begin, slot.end);
      } catch (...) {
        if (!error) error = std::current_exception();
      }
      continue;
    }
    const auto finished = [&] {
      const std::uint32_t now = slot.state.load(std::memory_order_acquire);
      return now != taken && now != awaited;
    };
    while (!spin(spin_us, finished, ahead)) {
      s = taken;
      if (slot.state.compare_exchange_strong(s, awaited, std::memory_order_acq_rel) || s == awaited)
        sleep_while(slot.state, awaited);
    }
    if (slot.error && !error) error = slot.error;
    slot.error = nullptr;
  }
  if (error) std::rethrow_exception(error);
}

void ThreadPool::Impl::run_own(std::size_t n, std::size_t grain, RangeFn fn, void* task, const Upcoming& upcoming) {
  const std::lock_guard lock(callers);
  start();
  const std::size_t units = grain ? (n - 1) / grain + 1 : n;
  const unsigned pieces = static_cast<unsigned>(std::min<std::size_t>(size, units));
  const std::size_t readers = std::min<std::size_t>(size, std::max<std::size_t>(upcoming.items, 1));
  next.store(0, std::memory_order_relaxed);
  for (unsigned t = 1; t < pieces; ++t) {
    Slot& slot = slots[t];
    slot.fn = fn;
    slot.task = task;
    slot.n = n;
    slot.grain = grain;
    slot.begin = split(n, pieces, t);
    slot.end = split(n, pieces, t + 1);
    slot.ahead = Ahead(upcoming, readers, t);
    if (slot.state.exchange(pending, std::memory_order_acq_rel) == asleep) wake(slot.state);
  }
  try {
    run_piece(0, n, grain, fn, task, 0, split(n, pieces, 1));
  } catch (...) {
    try {
      collect(pieces, {});
    } catch (...) {  // the caller's own error is the one to report
    }
    throw;
  }
  collect(pieces, Ahead(upcoming, readers, 0));
}

// Every thread index is one task of the host's, so scratch indexed by thread stays exclusive.
void ThreadPool::Impl::run_host(std::size_t n, std::size_t grain, RangeFn fn, void* task) {
  struct Job {
    Impl* pool;
    std::size_t n, grain, pieces;
    RangeFn fn;
    void* task;
    std::atomic<std::size_t> next{0};
  } job{this, n, grain, std::min<std::size_t>(size, grain ? (n - 1) / grain + 1 : n), fn, task, {}};
  const auto piece = [](void* p, std::size_t i) {
    Job& j = *static_cast<Job*>(p);
    FrameScope scope(j.pool, static_cast<unsigned>(i));
    if (j.grain == 0) {
      j.fn(j.task, split(j.n, j.pieces, i), split(j.n, j.pieces, i + 1), static_cast<unsigned>(i));
      return;
    }
    std::size_t b;
    while ((b = j.next.fetch_add(j.grain, std::memory_order_relaxed)) < j.n)
      j.fn(j.task, b, std::min(j.n, b + j.grain), static_cast<unsigned>(i));
  };
  options.parallel_for(options.parallel_for_user, job.pieces, piece, &job);
}

ThreadPool::ThreadPool(ThreadOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

ThreadPool::~ThreadPool() {
  if (impl_->started && !impl_->fork_mark.in_child()) impl_->stop_workers(impl_->size);
}

unsigned ThreadPool::size() const noexcept { return impl_->size; }

void ThreadPool::run(std::size_t n, std::size_t grain, RangeFn fn, void* task, const Upcoming& upcoming) {
  Impl& pool = *impl_;
  LQ_CHECK(!pool.fork_mark.in_child(), Code::forked, "threads: this context was made before fork() in the parent");
  if (n == 0) return;
  const Frame* frame = pool.size > 1 ? find_frame(&pool) : nullptr;
  if (frame || pool.size == 1 || n <= std::max<std::size_t>(grain, 1)) {
    fn(task, 0, n, frame ? frame->thread : 0);
    return;
  }
  if (pool.options.parallel_for)
    pool.run_host(n, grain, fn, task);
  else
    pool.run_own(n, grain, fn, task, upcoming);
}

}  // namespace lq
