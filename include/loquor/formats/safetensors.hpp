// Reader and writer of safetensors files (specification: huggingface/safetensors, README "Format"): eight bytes of
// length, a JSON header of that length, then the tensors' bytes. What is read is checked whole when the file is opened:
// the header's grammar, every shape and offset against the bytes that are there, and that the tensors cover them
// without overlaps or holes, as the format demands. Tensors are views into the file's bytes. Immutable once open;
// shareable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/core/atomic_file.hpp"
#include "loquor/core/dtype.hpp"
#include "loquor/core/storage.hpp"
#include "loquor/core/tensor.hpp"

namespace lq {

struct SafetensorsTensor {
  std::string name;
  std::string_view type_name;  // as in the file: "F32", "BF16", "I64", ...
  std::optional<DType> type;   // none for a type of the format that this build does not compute with (I64, BOOL, ...)
  Shape shape;                 // outermost first; rank 0 is a scalar
  const std::byte* data = nullptr;  // contiguous; may be unaligned
  std::size_t nbytes = 0;
};

class SafetensorsFile {
 public:
  enum class Mode {
    map,  // pages come in as they are read; truncating the file meanwhile raises SIGBUS (see Storage::map_file)
    read  // a private copy
  };
  // Throws Error{not_found|io|bad_file|unsupported|out_of_memory} naming the file and the tensor.
  static SafetensorsFile open(const std::string& path, Mode mode = Mode::map);
  // `data` must outlive the file. `name` is for messages.
  static SafetensorsFile from_memory(const void* data, std::size_t size, const std::string& name = "(memory)");

  const std::string& name() const noexcept { return name_; }
  std::size_t file_size() const noexcept { return storage_->size(); }
  std::span<const SafetensorsTensor> tensors() const noexcept { return tensors_; }  // in the header's order
  const SafetensorsTensor* find_tensor(std::string_view name) const noexcept;       // nullptr if absent
  // The strings of "__metadata__", in the header's order.
  std::span<const std::pair<std::string, std::string>> metadata() const noexcept { return metadata_; }
  const std::string* find(std::string_view key) const noexcept;  // nullptr if absent

  // These bytes of the file will not be read again soon (mapped files only).
  void drop_pages(std::span<const std::byte> bytes) const noexcept;
  const std::shared_ptr<Storage>& storage() const noexcept { return storage_; }

 private:
  friend class SafetensorsParser;
  SafetensorsFile(Storage storage, std::string name);

  std::string name_;
  std::shared_ptr<Storage> storage_;
  std::vector<SafetensorsTensor> tensors_;
  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<std::uint32_t> by_name_;  // indices in name order
};

// The tensor's elements widened to fp32; `out` holds shape.count() values. Throws Error{unsupported} unless the type is
// F32, F16 or BF16.
void read_floats(const SafetensorsTensor& tensor, float* out);

// Tensors and metadata are declared first; begin() writes the header, then the tensors' bytes are streamed in the order
// of declaration. The file appears under its name at commit(), complete (core/atomic_file.hpp). One thread at a time.
class SafetensorsWriter {
 public:
  // Strings about the file ("format": "pt", ...), in the order of the calls; valid UTF-8.
  void add_metadata(std::string_view key, std::string_view value);
  // F32, F16, BF16 or I32. Throws Error{invalid_argument} for an empty name, Error{unsupported} for another type.
  void add_tensor(std::string_view name, DType type, const Shape& shape);
  // Raw bytes as a vector of type "U8": counters and other state of a checkpoint.
  void add_bytes(std::string_view name, std::size_t n);

  // Creates the temporary file and writes the header. Throws Error{io|invalid_argument}.
  void begin(const std::string& path);
  // The next bytes of the tensors' data. Throws Error{io}, and Error{internal} for bytes past the last tensor.
  void write(const void* data, std::size_t n);
  // Throws Error{internal} unless all tensors are complete, Error{io}.
  void commit();

 private:
  struct Entry {
    std::string name, type;
    std::vector<std::size_t> shape;
    std::uint64_t begin, end;
  };
  void add(std::string_view name, const char* type, const Shape& shape, std::size_t bytes);
  std::string header() const;

  std::vector<std::pair<std::string, std::string>> metadata_;
  std::vector<Entry> entries_;
  std::uint64_t size_ = 0, done_ = 0;
  std::unique_ptr<AtomicFile> file_;
};

}  // namespace lq
