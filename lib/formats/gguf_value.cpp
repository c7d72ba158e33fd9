// Metadata values of GGUF files as C++ values.
#include <cstring>

#include "gguf_scalar.hpp"
#include "loquor/formats/gguf.hpp"

namespace lq {

using gguf::load;
using gguf::scalar_bytes;

namespace {

// An integer scalar; false for other types.
bool load_int(GgufType type, const std::byte* p, std::int64_t* i, bool* over) noexcept {
  *over = false;
  switch (type) {
    case GgufType::u8:
      *i = load<std::uint8_t>(p);
      return true;
    case GgufType::i8:
      *i = load<std::int8_t>(p);
      return true;
    case GgufType::u16:
      *i = load<std::uint16_t>(p);
      return true;
    case GgufType::i16:
      *i = load<std::int16_t>(p);
      return true;
    case GgufType::u32:
      *i = load<std::uint32_t>(p);
      return true;
    case GgufType::i32:
      *i = load<std::int32_t>(p);
      return true;
    case GgufType::i64:
      *i = load<std::int64_t>(p);
      return true;
    case GgufType::u64: {
      const auto u = load<std::uint64_t>(p);
      *i = static_cast<std::int64_t>(u);
      *over = u > static_cast<std::uint64_t>(INT64_MAX);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

std::optional<std::uint64_t> GgufValue::as_uint() const noexcept {
  if (type_ == GgufType::u64) return load<std::uint64_t>(bytes_.data());
  const auto i = as_int();
  if (!i || *i < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*i);
}

std::optional<std::int64_t> GgufValue::as_int() const noexcept {
  std::int64_t i;
  bool over;
  if (!load_int(type_, bytes_.data(), &i, &over) || over) return std::nullopt;
  return i;
}

std::optional<double> GgufValue::as_double() const noexcept {
  if (type_ == GgufType::f32) return load<float>(bytes_.data());
  if (type_ == GgufType::f64) return load<double>(bytes_.data());
  if (const auto i = as_int()) return static_cast<double>(*i);
  return std::nullopt;
}

std::optional<bool> GgufValue::as_bool() const noexcept {
  if (type_ != GgufType::boolean) return std::nullopt;
  return load<std::uint8_t>(bytes_.data()) != 0;
}

std::optional<std::string_view> GgufValue::as_string() const noexcept {
  if (type_ != GgufType::string) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(bytes_.data()), bytes_.size());
}

std::optional<std::vector<std::string_view>> GgufValue::as_strings() const {
  if (type_ != GgufType::array || element_ != GgufType::string) return std::nullopt;
  std::vector<std::string_view> out;
  out.reserve(count_);
  const std::byte* p = bytes_.data();
  for (std::size_t i = 0; i < count_; ++i) {
    const auto n = static_cast<std::size_t>(load<std::uint64_t>(p));
    out.emplace_back(reinterpret_cast<const char*>(p + 8), n);
    p += 8 + n;
  }
  return out;
}

std::optional<std::vector<std::int64_t>> GgufValue::as_ints() const {
  std::int64_t i;
  bool over;
  const std::byte zero[8] = {};
  if (type_ != GgufType::array || !load_int(element_, zero, &i, &over)) return std::nullopt;
  std::vector<std::int64_t> out(count_);
  const std::size_t width = scalar_bytes(element_);
  for (std::size_t k = 0; k < count_; ++k) {
    load_int(element_, bytes_.data() + k * width, &out[k], &over);
    if (over) return std::nullopt;
  }
  return out;
}

std::optional<std::vector<double>> GgufValue::as_doubles() const {
  if (type_ != GgufType::array || (element_ != GgufType::f32 && element_ != GgufType::f64)) return std::nullopt;
  std::vector<double> out(count_);
  for (std::size_t k = 0; k < count_; ++k)
    out[k] = element_ == GgufType::f32 ? load<float>(bytes_.data() + 4 * k) : load<double>(bytes_.data() + 8 * k);
  return out;
}

}  // namespace lq
