// Contexts and cancel handles as the C interface holds them.
#pragma once

#include <atomic>
#include <memory>

#include "guard.hpp"
#include "loquor/core/context.hpp"

namespace lq::capi {

struct CancelObject final : Object {
  static constexpr Kind kKind = Kind::cancel;
  CancelObject() : Object(kKind), flag(std::make_shared<std::atomic<bool>>(false)) {}
  std::shared_ptr<std::atomic<bool>> flag;  // shared with the calls and generations that poll it
};

struct ContextObject final : Object {
  static constexpr Kind kKind = Kind::context;
  explicit ContextObject(std::shared_ptr<const Context> c) : Object(kKind), context(std::move(c)) {}
  std::shared_ptr<const Context> context;
};

// Puts a new object of type T behind a handle of the C type H.
template <class T, class H, class... Args>
H* new_handle(Args&&... args) {
  return static_cast<H*>(make_handle(std::make_unique<T>(std::forward<Args>(args)...)));
}

// The body of every lq_<type>_error.
lq_status object_error(const char* function, char* out, std::size_t capacity, std::size_t* length, const void* handle,
                       Kind kind) noexcept;

}  // namespace lq::capi
