// The exception firewall of the C interface: every function with a status is `return guard(__func__, [&](Call& call) {
// ... })`. Whatever the body throws becomes a status and a message; storing the message cannot fail.
#pragma once

#include "handles.hpp"
#include "loquor/core/status.hpp"
#include "lq_base.h"

namespace lq::capi {

// One call in progress: its name for messages, and the handle that remembers the message if it fails.
class Call {
 public:
  explicit Call(const char* function) noexcept : function_(function) {}
  const char* function() const noexcept { return function_; }

  // The object of the handle that the call is made on. T has `static constexpr Kind kKind`.
  template <class T, class H>
  T& on(const H* handle, const char* argument) {
    pin_ = Pin::acquire(handle, T::kKind, function_, argument);
    return static_cast<T&>(*pin_.object());
  }
  Object* about() const noexcept { return pin_.object(); }

 private:
  const char* function_;
  Pin pin_;
};

// Another handle that a call uses.
template <class T>
class Use {
 public:
  Use() noexcept = default;
  template <class H>
  Use(const Call& call, const H* handle, const char* argument)
      : pin_(Pin::acquire(handle, T::kKind, call.function(), argument)) {}
  explicit operator bool() const noexcept { return pin_.object() != nullptr; }
  T& operator*() const noexcept { return static_cast<T&>(*pin_.object()); }
  T* operator->() const noexcept { return static_cast<T*>(pin_.object()); }

 private:
  Pin pin_;
};

// Must be called in a catch block: turns the exception into a status, and stores its message for the thread and for the
// object (may be null).
lq_status record_exception(Object* about) noexcept;

#ifdef LQ_CAPI_TEST_HOOK
// Called at the start of each guarded body, in test builds only.
extern void (*test_hook)(const char* function);
#endif

template <class Fn>
lq_status guard(const char* function, Fn&& body) noexcept {
  Call call(function);
  try {
#ifdef LQ_CAPI_TEST_HOOK
    if (test_hook) test_hook(function);
#endif
    body(call);
    return LQ_OK;
  } catch (...) {
    return record_exception(call.about());
  }
}

}  // namespace lq::capi
