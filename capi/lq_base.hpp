// Part of loquor.hpp: errors, handles, cancel tokens, contexts.
#ifndef LOQUOR_LQ_BASE_HPP
#define LOQUOR_LQ_BASE_HPP

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lq_base.h"

namespace loquor {

class Error : public std::runtime_error {
 public:
  Error(lq_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  lq_status status() const noexcept { return status_; }

 private:
  lq_status status_;
};

namespace detail {

// What a callback threw on this thread while the library was running; callbacks run on the calling thread.
inline std::exception_ptr& pending() noexcept {
  static thread_local std::exception_ptr error;
  return error;
}

// Runs a callback's body; an exception becomes the non-zero return that stops the library.
template <class Fn>
int shield(Fn&& fn) noexcept {
  try {
    return fn() ? 0 : 1;
  } catch (...) {
    pending() = std::current_exception();
    return 1;
  }
}

inline void check(lq_status status) {
  if (pending()) std::rethrow_exception(std::exchange(pending(), nullptr));
  if (status != LQ_OK) throw Error(status, std::string(lq_status_name(status)) + ": " + lq_last_error());
}

// call(out, capacity, &length) is a buffer triple of the C interface.
template <class Fn>
std::string read_text(Fn&& call) {
  char small[256];
  std::size_t length = 0;
  const lq_status status = call(small, sizeof small, &length);
  if (status != LQ_ERR_BUFFER_TOO_SMALL) {
    check(status);
    return std::string(small, length);
  }
  std::string text(length + 1, '\0');
  check(call(&text[0], text.size(), &length));
  text.resize(length);
  return text;
}

template <class T, class Fn>
std::vector<T> read_array(std::size_t guess, Fn&& call) {
  std::vector<T> values(guess);
  std::size_t count = 0;
  lq_status status = call(values.data(), values.size(), &count);
  if (count > values.size() && (status == LQ_OK || status == LQ_ERR_BUFFER_TOO_SMALL)) {
    values.resize(count);
    status = call(values.data(), values.size(), &count);
  }
  check(status);
  values.resize(count);
  return values;
}

// Move-only owner of a handle.
template <class T, void (*Free)(T*)>
class Handle {
 public:
  Handle() noexcept = default;
  explicit Handle(T* raw) noexcept : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  ~Handle() { Free(raw_); }
  T* get() const noexcept { return raw_; }
  T** out() noexcept { return &raw_; }

 private:
  T* raw_ = nullptr;
};

template <class T>
void free_handle(T* raw) noexcept;
template <>
inline void free_handle(lq_cancel* raw) noexcept {
  lq_cancel_free(raw);
}
template <>
inline void free_handle(lq_context* raw) noexcept {
  lq_context_free(raw);
}

template <class T>
struct Release {
  static void call(T* raw) { free_handle<T>(raw); }
};
template <class T>
using Owner = Handle<T, &Release<T>::call>;

}  // namespace detail

// Stops loading and generation from another thread or a signal handler.
class Cancel {
 public:
  Cancel() { detail::check(lq_cancel_create(raw_.out())); }
  void trigger() noexcept { lq_cancel_trigger(raw_.get()); }
  void reset() noexcept { lq_cancel_reset(raw_.get()); }
  bool is_set() const noexcept {
    std::int32_t set = 0;
    lq_cancel_is_set(&set, raw_.get());
    return set != 0;
  }
  lq_cancel* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_cancel> raw_;
};

struct ContextOptions {
  std::uint32_t threads = 0;  // 0 = the CPUs this process may use
  std::vector<std::int32_t> affinity;
  std::uint32_t spin_us = 0;
  std::string isa;
  std::function<void(lq_log_level, const char*)> log;  // any thread; must not throw
};

// Threads, memory and log of everything made in it. Copies share one context.
class Context {
 public:
  Context() : Context(ContextOptions{}) {}
  explicit Context(const ContextOptions& options) : state_(std::make_shared<State>()) {
    state_->log = options.log;
    lq_context_options o = LQ_CONTEXT_OPTIONS_INIT;
    o.threads = options.threads;
    o.affinity = options.affinity.empty() ? nullptr : options.affinity.data();
    o.affinity_count = options.affinity.size();
    o.spin_us = options.spin_us;
    o.isa = options.isa.c_str();
    if (state_->log) {
      o.log = [](lq_log_level level, const char* message, void* user) {
        static_cast<State*>(user)->log(level, message);
      };
      o.log_user = state_.get();
    }
    detail::check(lq_context_create(state_->raw.out(), &o));
  }
  // With hooks of the host's own (allocator, parallel_for), which must outlive everything made in the context.
  explicit Context(const lq_context_options& options) : state_(std::make_shared<State>()) {
    detail::check(lq_context_create(state_->raw.out(), &options));
  }

  std::string isa() const {
    const char* name = nullptr;
    detail::check(lq_context_isa(&name, get()));
    return name;
  }
  std::uint32_t threads() const {
    std::uint32_t n = 0;
    detail::check(lq_context_threads(&n, get()));
    return n;
  }
  lq_context* get() const noexcept { return state_->raw.get(); }

 private:
  struct State {
    std::function<void(lq_log_level, const char*)> log;
    detail::Owner<lq_context> raw;
  };
  std::shared_ptr<State> state_;
};

inline std::string version() { return lq_version(); }

// "avx512,avx2,scalar": the instruction sets that work here, best first.
inline std::string isa_list() {
  return detail::read_text([](auto... a) { return lq_isa_list(a...); });
}

}  // namespace loquor
#endif
