#include "loquor/core/context.hpp"

#include "loquor/core/status.hpp"
#include "loquor/kernels/dispatch.hpp"

namespace lq {

Context::Context(ContextOptions options) : options_(std::move(options)) {
  const Allocator& a = options_.allocator;
  LQ_CHECK(a.allocate && a.release, Code::invalid_argument, "context: the allocator needs both allocate and release");
  kernels_ = &select_kernels(options_.isa);
  pool_ = std::make_unique<ThreadPool>(options_.threads);
}

void Context::log(LogLevel level, std::string_view message) const noexcept {
  if (!options_.log) return;
  try {
    options_.log(options_.log_user, level, std::string(message).c_str());
  } catch (...) {  // a message that cannot be delivered is dropped
  }
}

}  // namespace lq
