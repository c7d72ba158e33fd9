// The only carrier of state: allocator, thread pool, log and the kernel table. There are no globals; two contexts in one
// process never meet. Thread contract: immutable after construction; shareable between threads (the pool serialises).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "loquor/core/storage.hpp"
#include "loquor/core/threads.hpp"

namespace lq {

struct KernelTable;  // kernels/table.hpp

enum class LogLevel : int { debug = 0, info = 1, warning = 2, error = 3 };
using LogFn = void (*)(void* user, LogLevel level, const char* message);

struct ContextOptions {
  ThreadOptions threads;
  Allocator allocator = default_allocator();
  LogFn log = nullptr;  // nullptr: silent. The library itself never writes to stdout or stderr.
  void* log_user = nullptr;
  std::string isa;  // "" = LQ_FORCE_ISA from the environment, else the best row of isas.def this CPU supports
};

class Context {
 public:
  // Throws Error{unsupported} for an ISA this CPU or build does not have (the message lists those it has).
  explicit Context(ContextOptions options = {});

  const Allocator& allocator() const noexcept { return options_.allocator; }
  ThreadPool& pool() const noexcept { return *pool_; }
  const KernelTable& kernels() const noexcept { return *kernels_; }
  Storage allocate(std::size_t bytes, bool huge_pages = false) const { return Storage::allocate(options_.allocator, bytes, huge_pages); }
  void log(LogLevel level, std::string_view message) const noexcept;

 private:
  ContextOptions options_;
  std::unique_ptr<ThreadPool> pool_;
  const KernelTable* kernels_;
};

}  // namespace lq
