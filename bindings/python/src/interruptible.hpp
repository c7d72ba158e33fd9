// Long native calls that Ctrl-C can end.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "convert.hpp"

// Runs `body` without the GIL. Python's signal handlers run only on the main thread, so there the body runs on a thread
// of its own, while this one looks for signals every 20 ms; what a handler raises (KeyboardInterrupt) calls `cancel`,
// waits for the body to end, and is what the caller sees. `cancel` must be safe to call while the body runs.
template <class Body, class CancelFn>
void interruptible(Body&& body, CancelFn&& cancel) {
  if (syscall(SYS_gettid) != getpid()) {
    py::gil_scoped_release release;
    body();
    return;
  }
  std::mutex mutex;
  std::condition_variable ended;
  bool done = false;
  std::exception_ptr failure;
  std::thread worker([&] {
    try {
      body();
    } catch (...) {
      failure = std::current_exception();
    }
    const std::lock_guard<std::mutex> lock(mutex);
    done = true;
    ended.notify_one();
  });
  bool interrupted = false;
  for (;;) {
    {
      py::gil_scoped_release release;
      std::unique_lock<std::mutex> lock(mutex);
      if (ended.wait_for(lock, std::chrono::milliseconds(20), [&] { return done; }) || interrupted) break;
    }
    if (PyErr_CheckSignals() != 0) {
      interrupted = true;
      const std::lock_guard<std::mutex> lock(mutex);
      if (!done) cancel();
      break;
    }
  }
  {
    py::gil_scoped_release release;
    worker.join();
  }
  if (interrupted) throw py::error_already_set();  // the handler's exception is still the thread's current one
  if (failure) std::rethrow_exception(failure);
}
