// Writer of GGUF files, version 3, little-endian (specification: ggml-org/ggml, docs/gguf.md). Keys and tensors are
// declared first; begin() writes the header, then the tensors' bytes are streamed in the order of declaration, so that
// memory does not grow with the file. The file appears under its name at commit(), complete; until then, and after any
// error, what was there before is untouched (core/atomic_file.hpp). One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/atomic_file.hpp"
#include "loquor/formats/gguf.hpp"

namespace lq {

class GgufWriter {
 public:
  // `alignment` of the tensors, a power of two up to 65536; one other than 32 is written as general.alignment, at the
  // end unless that key is added before. Throws Error{invalid_argument}.
  explicit GgufWriter(std::size_t alignment = kDefaultAlignment);

  // Metadata, in the order of the calls. Each throws Error{invalid_argument} for a key that is empty or over 65,535
  // bytes, or a general.alignment that is not the writer's; the same key twice is refused by begin().
  void add_u32(std::string_view key, std::uint32_t value);
  void add_f32(std::string_view key, float value);
  void add_bool(std::string_view key, bool value);
  void add_string(std::string_view key, std::string_view value);
  void add_bytes(std::string_view key, std::string_view value);  // an array of u8
  void add_strings(std::string_view key, std::span<const std::string> values);
  void add_f32s(std::string_view key, std::span<const float> values);
  void add_i32s(std::string_view key, std::span<const std::int32_t> values);
  // Any value of another file, byte for byte.
  void add(std::string_view key, const GgufValue& value);

  // The next tensor; shape outermost first. Throws Error{invalid_argument} for a name of 0 or over 256 bytes, a shape
  // of no elements, or rows that are no multiple of the type's block.
  void add_tensor(std::string_view name, DType type, const Shape& shape);

  // The bytes of the file before its tensors.
  std::string header() const;
  // Bytes of the whole file, once begun.
  std::size_t file_size() const noexcept;

  // Creates the temporary file and writes the header. Throws Error{io|invalid_argument}.
  void begin(const std::string& path);
  // The next bytes of the tensors' data, without padding: a piece never reaches into the next tensor. Throws Error{io},
  // which says how many bytes of the file could be written, and Error{internal} for bytes past the last tensor.
  void write(const void* data, std::size_t n);
  // Throws Error{internal} unless all tensors are complete, Error{io}.
  void commit();

 private:
  static constexpr std::size_t kDefaultAlignment = 32;

  void check_alignment(std::string_view key, std::optional<std::uint64_t> value) const;
  void put_key(std::string_view key, GgufType type);
  void check_unique(std::vector<std::string> names, const char* what) const;
  void pad();
  void put_array(std::string_view key, GgufType element, std::size_t count);

  std::size_t alignment_;
  std::string metadata_, infos_;
  std::vector<std::string> keys_, names_;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t data_size_ = 0;  // with padding

  std::unique_ptr<AtomicFile> file_;
  std::size_t tensor_ = 0;  // the one being written
  std::uint64_t done_ = 0;  // its bytes so far
};

}  // namespace lq
