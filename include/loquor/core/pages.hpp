// Large blocks straight from the operating system. The C library's heap keeps freed blocks of up to 32 MiB for later,
// so that a host which loads and frees models would see its resident memory jump; pages go back at once, always. Thread
// contract: the functions are reentrant.
#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <vector>

namespace lq {

// True for blocks that get pages of their own: 128 KiB or more.
bool is_large(std::size_t bytes) noexcept;

// Whole pages of zeros; `alignment` is a power of two. nullptr when there is no memory.
void* map_pages(std::size_t bytes, std::size_t alignment) noexcept;
void unmap_pages(void* pages, std::size_t bytes) noexcept;

// For containers of the library's own tables: std::vector<T, PageAllocator<T>>. Throws std::bad_alloc.
template <class T>
struct PageAllocator {
  using value_type = T;
  PageAllocator() noexcept = default;
  template <class U>
  PageAllocator(const PageAllocator<U>&) noexcept {}
  T* allocate(std::size_t n) {
    if (n > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = n * sizeof(T);
    void* p = is_large(bytes) ? map_pages(bytes, alignof(T)) : ::operator new(bytes);
    if (!p) throw std::bad_alloc();
    return static_cast<T*>(p);
  }
  void deallocate(T* p, std::size_t n) noexcept {
    const std::size_t bytes = n * sizeof(T);
    if (is_large(bytes)) return unmap_pages(p, bytes);
    ::operator delete(p);
  }
  friend bool operator==(const PageAllocator&, const PageAllocator&) noexcept { return true; }
};

template <class T>
using PageVector = std::vector<T, PageAllocator<T>>;

}  // namespace lq
