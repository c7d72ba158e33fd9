// Checked access to what comes through the C interface: texts, arrays, option structures, caller-owned buffers.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "guard.hpp"
#include "loquor/core/config.hpp"

namespace lq::capi {

// A NULL out-parameter.
template <class T>
T& out_param(const Call& call, T* out, const char* name) {
  LQ_CHECK(out, Code::invalid_argument, call.function(), ": ", name, " is NULL");
  return *out;
}

// `length` bytes, or up to the NUL with LQ_NTS. NULL is allowed with length 0 only. Errors: invalid_argument, limit.
inline std::string_view text_arg(const Call& call, const char* text, std::size_t length, const char* name) {
  if (!text) {
    LQ_CHECK(length == 0, Code::invalid_argument, call.function(), ": ", name, " is NULL");
    return {"", 0};
  }
  const std::size_t n = length == LQ_NTS ? strnlen(text, LQ_MAX_TEXT + 1) : length;
  LQ_CHECK(n <= LQ_MAX_TEXT, Code::limit, call.function(), ": ", name, " has ", length == LQ_NTS ? "over " : "",
           std::min(n, length), " bytes; at most ", LQ_MAX_TEXT, " are accepted");
  return {text, n};
}

// A NUL-terminated name or path, at most 64 KiB.
inline std::string name_arg(const Call& call, const char* text, const char* name) {
  LQ_CHECK(text, Code::invalid_argument, call.function(), ": ", name, " is NULL");
  constexpr std::size_t kMax = 1 << 16;
  const std::size_t n = strnlen(text, kMax + 1);
  LQ_CHECK(n <= kMax, Code::limit, call.function(), ": ", name, " is longer than ", kMax, " bytes");
  return std::string(text, n);
}

template <class T>
std::span<const T> array_arg(const Call& call, const T* data, std::size_t count, const char* name,
                             std::size_t max = LQ_MAX_TOKENS) {
  LQ_CHECK(count <= max, Code::limit, call.function(), ": ", name, " has ", count, " elements; at most ", max,
           " are accepted");
  LQ_CHECK(data || count == 0, Code::invalid_argument, call.function(), ": ", name, " is NULL with count ", count);
  return {data, count};
}

// The size of a structure in the first version that had it: what a program built then passes. Specialised where a
// structure has grown.
template <class T>
inline constexpr std::size_t kFirstSize = sizeof(T);

// The caller's options over the defaults. A structure of an older version leaves what it lacks at the defaults; one of
// a newer version is accepted if what it adds is zero.
template <class T>
T options_arg(const Call& call, const T* options, const T& defaults) {
  static_assert(std::is_trivially_copyable_v<T>);
  T value = defaults;
  if (!options) return value;
  std::uint32_t size = 0;
  std::memcpy(&size, options, sizeof size);
  constexpr std::uint32_t kMost = 4096;
  LQ_CHECK(size >= kFirstSize<T> && size <= kMost, Code::invalid_argument, call.function(),
           ": options: struct_size is ", size, ", expected ", sizeof(T), " (use the LQ_..._INIT macro)");
  std::memcpy(&value, options, std::min<std::size_t>(size, sizeof(T)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(options);
  LQ_CHECK(size <= sizeof(T) || std::all_of(bytes + sizeof(T), bytes + size, [](unsigned char b) { return b == 0; }),
           Code::unsupported, call.function(), ": options: a field is set that this version of the library (",
           LQ_VERSION_STRING, ") does not know");
  return value;
}

// Checks an output structure and returns the size the caller gave it.
template <class T>
std::uint32_t out_struct_size(const Call& call, const T* out, const char* name) {
  LQ_CHECK(out, Code::invalid_argument, call.function(), ": ", name, " is NULL");
  std::uint32_t size = 0;
  std::memcpy(&size, out, sizeof size);
  LQ_CHECK(size >= kFirstSize<T> && size <= 65536, Code::invalid_argument, call.function(), ": ", name,
           ": struct_size is ", size, ", expected ", sizeof(T), " (use the LQ_..._INIT macro)");
  return size;
}

// Writes all but struct_size, as far as the caller's structure goes; fields that only a newer program knows become
// zero.
template <class T>
void write_struct(T* out, T value) {
  std::uint32_t size = 0;
  std::memcpy(&size, out, sizeof size);
  std::memcpy(&value, &size, sizeof size);
  const std::size_t known = std::min<std::size_t>(size, sizeof(T));
  std::memcpy(static_cast<void*>(out), &value, known);
  std::memset(reinterpret_cast<unsigned char*>(out) + known, 0, size - known);
}

// A buffer triple for elements of trivially copyable T.
template <class T>
void write_array(const Call& call, T* out, std::size_t capacity, std::size_t* count, std::span<const T> values) {
  if (count) *count = values.size();
  LQ_CHECK(out || capacity == 0, Code::invalid_argument, call.function(), ": out is NULL with capacity ", capacity);
  if (!out) return;
  LQ_CHECK(values.size() <= capacity, Code::buffer_too_small, call.function(), ": the result has ", values.size(),
           " elements, the buffer holds ", capacity);
  if (!values.empty()) std::memcpy(out, values.data(), values.size_bytes());
}

// The same for text, with a NUL after it.
inline void write_text(const Call& call, char* out, std::size_t capacity, std::size_t* length, std::string_view text) {
  if (length) *length = text.size();
  LQ_CHECK(out || capacity == 0, Code::invalid_argument, call.function(), ": out is NULL with capacity ", capacity);
  if (!out) return;
  LQ_CHECK(text.size() < capacity, Code::buffer_too_small, call.function(), ": the result has ", text.size(),
           " bytes and a NUL, the buffer holds ", capacity);
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\0';
}

}  // namespace lq::capi
