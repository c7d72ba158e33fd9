#include "loquor/core/pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace lq {
namespace {

std::size_t page_size() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

}  // namespace

bool is_large([[maybe_unused]] std::size_t bytes) noexcept {
#if defined(__SANITIZE_ADDRESS__)
  return false;  // only the heap's blocks have red zones
#else
  return bytes >= std::size_t{128} << 10;
#endif
}

void* map_pages(std::size_t bytes, std::size_t alignment) noexcept {
  const std::size_t page = page_size(), extra = alignment > page ? alignment - page : 0;
  std::size_t size, total;
  if (bytes == 0 || __builtin_add_overflow(bytes, page - 1, &size)) return nullptr;
  size -= size % page;
  if (__builtin_add_overflow(size, extra, &total)) return nullptr;
  void* mapped = ::mmap(nullptr, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  // What was mapped for the sake of the alignment goes back.
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t ahead = (alignment - reinterpret_cast<std::uintptr_t>(begin) % alignment) % alignment;
  if (ahead) ::munmap(begin, ahead);
  if (extra > ahead) ::munmap(begin + ahead + size, extra - ahead);
  return begin + ahead;
}

void unmap_pages(void* pages, std::size_t bytes) noexcept {
  const std::size_t page = page_size();
  ::munmap(pages, (bytes + page - 1) / page * page);
}

}  // namespace lq
