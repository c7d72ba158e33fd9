// Element types (generated from types.def) and their sizes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lq {

enum class DType : std::int32_t {
#define LQ_TYPE(name, id, elems, bytes) name = id,
#include "loquor/core/types.def"
#undef LQ_TYPE
};

struct TypeTraits {
  DType type;
  std::string_view name;    // as in GGUF documentation, "Q4_1"
  std::size_t block_elems;  // elements per block; 1 for plain types
  std::size_t block_bytes;
};

// nullptr if `gguf_id` is not a type of this build.
const TypeTraits* find_type(std::int32_t gguf_id) noexcept;
const TypeTraits& traits(DType type) noexcept;
std::optional<DType> type_from_name(std::string_view name) noexcept;  // case-insensitive
inline std::string_view name(DType type) noexcept { return traits(type).name; }
inline bool is_block_type(DType type) noexcept { return traits(type).block_elems > 1; }

// Bytes of a contiguous row of n elements; n must be a multiple of the block size.
inline std::size_t row_bytes(DType type, std::size_t n) noexcept {
  const TypeTraits& t = traits(type);
  return n / t.block_elems * t.block_bytes;
}

}  // namespace lq
