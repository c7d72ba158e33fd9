#include "loquor/core/dtype.hpp"

namespace lq {
namespace {

constexpr TypeTraits kTypes[] = {
#define LQ_TYPE(name, id, elems, bytes) {DType::name, #name, elems, bytes},
#include "loquor/core/types.def"
#undef LQ_TYPE
};

char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

bool same_name(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (upper(a[i]) != upper(b[i])) return false;
  return true;
}

}  // namespace

const TypeTraits* find_type(std::int32_t gguf_id) noexcept {
  for (const TypeTraits& t : kTypes)
    if (static_cast<std::int32_t>(t.type) == gguf_id) return &t;
  return nullptr;
}

const TypeTraits& traits(DType type) noexcept {
  const TypeTraits* t = find_type(static_cast<std::int32_t>(type));
  return t ? *t : kTypes[0];
}

std::optional<DType> type_from_name(std::string_view name) noexcept {
  for (const TypeTraits& t : kTypes)
    if (same_name(t.name, name)) return t.type;
  return std::nullopt;
}

}  // namespace lq
