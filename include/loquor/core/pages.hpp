// Large blocks straight from the operating system. The C library's heap keeps freed blocks of up to 32 MiB for later,
// so that a host which loads and frees models would see its resident memory jump; pages go back at once, always. Thread
// contract: the functions are reentrant.
#pragma once

#include <cstddef>

namespace lq {

// True for blocks that get pages of their own: 128 KiB or more.
bool is_large(std::size_t bytes) noexcept;

// Whole pages of zeros; `alignment` is a power of two. nullptr when there is no memory.
void* map_pages(std::size_t bytes, std::size_t alignment) noexcept;
void unmap_pages(void* pages, std::size_t bytes) noexcept;

}  // namespace lq
