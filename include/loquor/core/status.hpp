// Error codes and the one exception type of the library. The C ABI maps `Code` 1:1 to `lq_status`.
// Every message says what was being done, where (file, key, tensor, argument), and the value that was seen.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace lq {

enum class Code : int {
  ok = 0,
  invalid_argument = -1,  // the caller passed something outside the documented domain
  not_found = -2,         // file, model name, tensor or key that does not exist
  io = -3,                // the operating system refused or failed a read, write, map or rename
  bad_file = -4,          // malformed, truncated or corrupt input file
  unsupported = -5,       // well-formed, but of a kind this build does not know (it is named in the message)
  out_of_memory = -6,     // allocation failed, or the caller's cap would be exceeded
  context_full = -7,      // no room left in the session's context
  cancelled = -8,         // stopped by the caller
  limit = -9,             // a bound of the sandbox was reached (template steps, output size, nesting, ...)
  mismatch = -10,         // a state file or adapter that belongs to another model
  template_error = -11,   // the chat template itself raised or is wrong
  forked = -12,           // handle created before fork() and used in the child
  internal = -13,         // a defect of the library
  buffer_too_small = -14, // a caller's buffer does not hold the result (C ABI)
};

// A short stable name ("bad_file") for logs and bindings. Never null.
const char* code_name(Code code) noexcept;

class Error : public std::runtime_error {
 public:
  Error(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}
  Code code() const noexcept { return code_; }

 private:
  Code code_;
};

namespace detail {
inline void append(std::string& s, std::string_view v) { s.append(v); }
inline void append(std::string& s, const char* v) { s.append(v); }
inline void append(std::string& s, char v) { s.push_back(v); }
template <class T>
  requires std::is_arithmetic_v<T>
void append(std::string& s, T v) {
  s.append(std::to_string(v));
}
}  // namespace detail

// Concatenates strings and numbers: str("tensor '", name, "' has type ", 99). Locale-independent for integers.
template <class... Args>
std::string str(const Args&... args) {
  std::string s;
  (detail::append(s, args), ...);
  return s;
}

template <class... Args>
[[noreturn]] void fail(Code code, const Args&... args) {
  throw Error(code, str(args...));
}

}  // namespace lq

// Throws lq::Error{code, message made of the remaining arguments} unless cond holds. For user input; not an assert.
#define LQ_CHECK(cond, code, ...)                            \
  do {                                                       \
    if (!(cond)) [[unlikely]] ::lq::fail((code), __VA_ARGS__); \
  } while (0)
