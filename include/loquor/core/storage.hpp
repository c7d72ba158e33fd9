// Bytes with an owner: allocated (64-byte aligned, through the context's allocator), mapped from a file, or borrowed
// from the caller. Move-only; share with std::shared_ptr<Storage>. Immutable size; thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace lq {

// Host allocation hooks for large buffers (weights, KV cache, workspaces). Both must be thread-safe.
// `allocate` returns nullptr on failure; alignment is a power of two >= 64.
struct Allocator {
  void* (*allocate)(void* user, std::size_t bytes, std::size_t alignment) = nullptr;
  void (*release)(void* user, void* ptr, std::size_t bytes, std::size_t alignment) = nullptr;
  void* user = nullptr;
};

// The C library's heap for small buffers, pages of the operating system for large ones (core/pages.hpp).
Allocator default_allocator() noexcept;

class Storage {
 public:
  Storage() noexcept = default;
  Storage(Storage&& other) noexcept;
  Storage& operator=(Storage&& other) noexcept;
  ~Storage();

  // Throws Error{out_of_memory}. Contents are uninitialised. `huge_pages` advises MADV_HUGEPAGE where the OS has it.
  static Storage allocate(const Allocator& allocator, std::size_t bytes, bool huge_pages = false);
  // Read-only private mapping of a whole regular file. Truncating the file while it is mapped raises SIGBUS on access
  // (documented, see PROMISES 9); use read_file for a private copy. Throws Error{not_found|io}.
  static Storage map_file(const std::string& path);
  // A private copy of a whole regular file. Throws Error{not_found|io|out_of_memory}.
  static Storage read_file(const Allocator& allocator, const std::string& path);
  // The caller keeps `data` alive and unchanged for the life of the storage.
  static Storage borrow(const void* data, std::size_t bytes) noexcept;

  std::byte* data() noexcept { return data_; }
  const std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  bool is_mapped() const noexcept { return kind_ == Kind::mapped; }

  // For a mapped storage: tells the OS that [offset, offset+size) will not be read again soon, so that packed copies do
  // not double the resident set. No-op otherwise; never fails.
  void drop_pages(std::size_t offset, std::size_t size) const noexcept;

 private:
  enum class Kind { none, allocated, mapped, borrowed };
  void reset() noexcept;

  Kind kind_ = Kind::none;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Allocator allocator_{};
};

}  // namespace lq
