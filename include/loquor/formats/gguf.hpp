// Reader of GGUF files, versions 2 and 3, little-endian (specification: ggml-org/ggml, docs/gguf.md). The whole header
// is checked when the file is opened: every count, length and offset against the bytes that are really there, before
// anything is allocated for it. Values and tensors are views into the file's bytes. Immutable once open; shareable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/dtype.hpp"
#include "loquor/core/storage.hpp"
#include "loquor/core/tensor.hpp"

namespace lq {

enum class GgufType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12
};
const char* gguf_type_name(GgufType type) noexcept;
// "Q6_K" for the element type of a tensor; "unknown" for an id without one.
const char* gguf_element_name(std::uint32_t id) noexcept;

// One metadata value. The as_* functions give nullopt when the type does not fit, so that the caller can say what it
// wanted; integers of any width convert if the value is representable.
class GgufValue {
 public:
  GgufType type() const noexcept { return type_; }
  GgufType element_type() const noexcept { return element_; }           // of arrays
  std::size_t size() const noexcept { return count_; }                  // elements of an array, bytes of a string
  std::span<const std::byte> bytes() const noexcept { return bytes_; }  // as in the file

  std::optional<std::uint64_t> as_uint() const noexcept;
  std::optional<std::int64_t> as_int() const noexcept;
  std::optional<double> as_double() const noexcept;  // f32, f64 and integers
  std::optional<bool> as_bool() const noexcept;
  std::optional<std::string_view> as_string() const noexcept;

  // Elements of an array; nullopt if this is not an array of that kind.
  std::optional<std::vector<std::string_view>> as_strings() const;
  std::optional<std::vector<std::int64_t>> as_ints() const;  // any integer type; nullopt also if one is over i64
  std::optional<std::vector<double>> as_doubles() const;     // f32, f64

 private:
  friend class GgufParser;
  GgufType type_ = GgufType::u8, element_ = GgufType::u8;
  std::size_t count_ = 0;
  std::span<const std::byte> bytes_;
};

struct GgufTensor {
  std::string_view name;
  DType type = DType::F32;
  Shape shape;                      // outermost first: a matrix is {rows, columns}
  const std::byte* data = nullptr;  // contiguous rows; aligned to the file's alignment only
  std::size_t nbytes = 0;
};

class GgufFile {
 public:
  enum class Mode {
    map,  // pages come in as they are read; truncating the file meanwhile raises SIGBUS (see Storage::map_file)
    read  // a private copy
  };
  // The first part of a split model ("<name>-00001-of-00003.gguf"; keys split.count, split.no) opens the others beside
  // it: one file then, with the tensors of all and the keys of the first. Throws
  // Error{not_found|io|bad_file|unsupported|out_of_memory} naming the file and the key or tensor.
  static GgufFile open(const std::string& path, Mode mode = Mode::map);
  // `data` must outlive the file. `name` is for messages.
  static GgufFile from_memory(const void* data, std::size_t size, const std::string& name = "(memory)");

  // Something else in the form of a GGUF file (see GgufBuilder): the bytes of a header, and for each of its tensors
  // where the data is, in one of `data`.
  static GgufFile assemble(Storage header, std::span<const std::byte* const> tensors,
                           std::vector<std::shared_ptr<Storage>> data, const std::string& name);

  const std::string& name() const noexcept { return name_; }
  std::uint32_t version() const noexcept { return version_; }
  std::size_t alignment() const noexcept { return alignment_; }
  std::size_t file_size() const noexcept;  // of all parts

  struct Entry {
    std::string_view key;
    GgufValue value;
  };
  std::span<const Entry> metadata() const noexcept { return metadata_; }  // in file order
  std::span<const GgufTensor> tensors() const noexcept { return tensors_; }
  const GgufValue* find(std::string_view key) const noexcept;  // nullptr if absent
  const GgufTensor* find_tensor(std::string_view name) const noexcept;

  // These bytes of the file will not be read again soon (mapped files only).
  void drop_pages(std::span<const std::byte> bytes) const noexcept;
  void drop_all_pages() const noexcept;
  // The bytes of the file, or of the first part or the header of what is made of several.
  const std::shared_ptr<Storage>& storage() const noexcept { return storage_; }

 private:
  friend class GgufParser;
  GgufFile(Storage storage, std::string name, const std::span<const std::byte* const>* placed = nullptr);
  void add_parts(const std::string& path, Mode mode);
  void index_tensors();

  std::string name_;
  std::shared_ptr<Storage> storage_;
  std::vector<std::shared_ptr<Storage>> more_;  // other parts, or what tensors of an assembled file point into
  std::uint32_t version_ = 0;
  std::size_t alignment_ = 32;
  std::vector<Entry> metadata_;
  std::vector<GgufTensor> tensors_;
  std::vector<std::uint32_t> by_key_, by_name_;  // indices in name order
};

}  // namespace lq
