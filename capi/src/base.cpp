#include "base.hpp"

#include <optional>

#include "args.hpp"
#include "loquor/kernels/dispatch.hpp"
#include "lq_base.h"

namespace lq::capi {

namespace {

// The host's hooks in the order of arguments that the C interface promises, living as long as the context that calls
// them.
struct HostContext {
  lq_parallel_for_fn parallel_for = nullptr;
  void* parallel_for_user = nullptr;
  lq_allocate_fn allocate = nullptr;
  lq_release_fn release = nullptr;
  void* allocator_user = nullptr;
  lq_log_fn log = nullptr;
  void* log_user = nullptr;
  std::optional<Context> context;
};

constexpr std::uint32_t kMaxThreads = 1024;

ThreadOptions thread_options(const Call& call, const lq_context_options& o, HostContext* host) {
  LQ_CHECK(o.threads <= kMaxThreads, Code::invalid_argument, call.function(), ": threads is ", o.threads, ", at most ",
           kMaxThreads);
  ThreadOptions t;
  t.threads = o.threads;
  for (const std::int32_t cpu : array_arg(call, o.affinity, o.affinity_count, "affinity", kMaxThreads)) {
    LQ_CHECK(cpu >= 0 && cpu < 65536, Code::invalid_argument, call.function(), ": affinity holds CPU number ", cpu);
    t.affinity.push_back(cpu);
  }
  if (o.spin_us) t.spin_us = std::min<std::uint32_t>(o.spin_us, 1000000);
  if (o.parallel_for) {
    t.parallel_for = [](void* user, std::size_t n, void (*fn)(void*, std::size_t), void* task) {
      const auto* h = static_cast<const HostContext*>(user);
      h->parallel_for(n, fn, task, h->parallel_for_user);
    };
    t.parallel_for_user = host;
  }
  return t;
}

ContextOptions context_options(const Call& call, const lq_context_options& o, HostContext* host) {
  LQ_CHECK(!o.allocate == !o.release, Code::invalid_argument, call.function(),
           ": allocate and release must be given together");
  LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
  ContextOptions c;
  c.threads = thread_options(call, o, host);
  if (o.allocate) {
    c.allocator.allocate = [](void* user, std::size_t bytes, std::size_t alignment) {
      const auto* h = static_cast<const HostContext*>(user);
      return h->allocate(bytes, alignment, h->allocator_user);
    };
    c.allocator.release = [](void* user, void* ptr, std::size_t bytes, std::size_t alignment) {
      const auto* h = static_cast<const HostContext*>(user);
      h->release(ptr, bytes, alignment, h->allocator_user);
    };
    c.allocator.user = host;
  }
  if (o.log) {
    c.log = [](void* user, LogLevel level, const char* message) {
      const auto* h = static_cast<const HostContext*>(user);
      h->log(static_cast<lq_log_level>(level), message, h->log_user);
    };
    c.log_user = host;
  }
  if (o.isa) c.isa = name_arg(call, o.isa, "isa");
  return c;
}

std::shared_ptr<const Context> make_context(const Call& call, const lq_context_options& o) {
  auto host = std::make_shared<HostContext>();
  host->parallel_for = o.parallel_for;
  host->parallel_for_user = o.parallel_for_user;
  host->allocate = o.allocate;
  host->release = o.release;
  host->allocator_user = o.allocator_user;
  host->log = o.log;
  host->log_user = o.log_user;
  host->context.emplace(context_options(call, o, host.get()));
  const Context* context = &*host->context;
  return std::shared_ptr<const Context>(std::move(host), context);
}

}  // namespace

lq_status object_error(const char* function, char* out, std::size_t capacity, std::size_t* length, const void* handle,
                       Kind kind) noexcept {
  return guard(function, [&](Call& call) {
    if (length) *length = 0;
    const Pin pin = Pin::acquire(handle, kind, function, "handle");
    char text[Message::kCapacity];
    const std::size_t n = pin.object()->message.get(text);
    write_text(call, out, capacity, length, {text, n});
  });
}

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

const char* lq_status_name(lq_status status) noexcept { return code_name(static_cast<Code>(static_cast<int>(status))); }

const char* lq_version(void) noexcept { return LQ_VERSION_STRING; }

uint32_t lq_abi_version(void) noexcept { return LQ_ABI_VERSION; }

lq_status lq_isa_list(char* out, size_t capacity, size_t* length) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    std::string list;
    for (const std::string& name : available_isas()) list += (list.empty() ? "" : ",") + name;
    write_text(call, out, capacity, length, list);
  });
}

lq_status lq_cancel_create(lq_cancel** out) noexcept {
  return guard(__func__, [&](Call& call) { out_param(call, out, "out") = new_handle<CancelObject, lq_cancel>(); });
}

lq_status lq_cancel_trigger(lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) { call.on<CancelObject>(cancel, "cancel").flag->store(true); });
}

lq_status lq_cancel_reset(lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) { call.on<CancelObject>(cancel, "cancel").flag->store(false); });
}

lq_status lq_cancel_is_set(int32_t* out, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<CancelObject>(cancel, "cancel").flag->load() ? 1 : 0;
  });
}

void lq_cancel_free(lq_cancel* cancel) noexcept { free_handle(cancel, Kind::cancel); }

lq_status lq_context_create(lq_context** out, const lq_context_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    const lq_context_options o = options_arg<lq_context_options>(call, options, LQ_CONTEXT_OPTIONS_INIT);
    *out = new_handle<ContextObject, lq_context>(make_context(call, o));
  });
}

void lq_context_free(lq_context* context) noexcept { free_handle(context, Kind::context); }

lq_status lq_context_isa(const char** out, const lq_context* context) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = "";
    *out = kernels_name(call.on<ContextObject>(context, "context").context->kernels());
  });
}

lq_status lq_context_threads(uint32_t* out, const lq_context* context) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = 0;
    *out = call.on<ContextObject>(context, "context").context->pool().size();
  });
}

lq_status lq_context_error(char* out, size_t capacity, size_t* length, const lq_context* context) noexcept {
  return object_error(__func__, out, capacity, length, context, Kind::context);
}

}  // extern "C"
