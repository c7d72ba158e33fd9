// An allocator hook that counts live bytes, fills memory with garbage, and fails on demand.
#pragma once

#include <atomic>
#include <cstring>
#include <memory>

#include "loquor/core/context.hpp"

namespace lq_test {

struct CountingAllocator {
  std::atomic<std::size_t> live{0}, calls{0};
  std::atomic<long> fail_at{-1};  // fail the call with this number (0 = the next one); -1 = never
  bool persistent = false;        // and all later ones

  lq::Allocator hooks() {
    lq::Allocator a;
    a.user = this;
    a.allocate = [](void* user, std::size_t bytes, std::size_t alignment) -> void* {
      auto& self = *static_cast<CountingAllocator*>(user);
      ++self.calls;
      const long left = self.fail_at.load();
      if (left == 0 && !self.persistent) self.fail_at = -1;
      if (left == 0) return nullptr;
      if (left > 0) --self.fail_at;
      void* p = lq::default_allocator().allocate(nullptr, bytes, alignment);
      if (!p) return nullptr;
      std::memset(p, 0xdb, bytes);
      self.live += bytes;
      return p;
    };
    a.release = [](void* user, void* p, std::size_t bytes, std::size_t alignment) {
      static_cast<CountingAllocator*>(user)->live -= bytes;
      lq::default_allocator().release(nullptr, p, bytes, alignment);
    };
    return a;
  }

  std::shared_ptr<const lq::Context> context(unsigned threads = 1) {
    lq::ContextOptions o;
    o.threads.threads = threads;
    o.allocator = hooks();
    return std::make_shared<const lq::Context>(o);
  }
};

}  // namespace lq_test
