#include "loquor/core/storage.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "loquor/core/config.hpp"
#include "loquor/core/pages.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

class FileDescriptor {
 public:
  explicit FileDescriptor(const std::string& path) : fd_(open_file(path)) {}
  ~FileDescriptor() { ::close(fd_); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  static int open_file(const std::string& path) {
    LQ_CHECK(path.find('\0') == std::string::npos, Code::invalid_argument, "path: holds a NUL byte");
    int fd;
    do {
      // O_NONBLOCK: opening a FIFO must not hang before the check below refuses it.
      fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
      const int e = errno;
      fail(e == ENOENT || e == ENOTDIR ? Code::not_found : Code::io, "cannot open '", path, "': ", std::strerror(e));
    }
    return fd;
  }
  int fd_;
};

std::size_t regular_file_size(const FileDescriptor& fd, const std::string& path) {
  struct stat st {};
  LQ_CHECK(::fstat(fd.get(), &st) == 0, Code::io, "cannot stat '", path, "': ", std::strerror(errno));
  LQ_CHECK(S_ISREG(st.st_mode), Code::io, "'", path, "' is not a regular file");
  return static_cast<std::size_t>(st.st_size);
}

void* default_allocate(void*, std::size_t bytes, std::size_t alignment) {
  if (is_large(bytes)) return map_pages(bytes, alignment);
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  return rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
}

void default_release(void*, void* ptr, std::size_t bytes, std::size_t) {
  if (is_large(bytes)) return unmap_pages(ptr, bytes);
  std::free(ptr);
}

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t alignment_for(std::size_t bytes) noexcept { return bytes >= 2 * kHugePage ? kHugePage : kAlignment; }

}  // namespace

Allocator default_allocator() noexcept { return {default_allocate, default_release, nullptr}; }

Storage::Storage(Storage&& other) noexcept { *this = std::move(other); }

Storage& Storage::operator=(Storage&& other) noexcept {
  if (this != &other) {
    reset();
    kind_ = std::exchange(other.kind_, Kind::none);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    allocator_ = other.allocator_;
  }
  return *this;
}

Storage::~Storage() { reset(); }

void Storage::reset() noexcept {
  if (kind_ == Kind::allocated) allocator_.release(allocator_.user, data_, size_, alignment_for(size_));
  if (kind_ == Kind::mapped && size_ > 0) ::munmap(data_, size_);
  kind_ = Kind::none;
  data_ = nullptr;
  size_ = 0;
}

Storage Storage::allocate(const Allocator& allocator, std::size_t bytes, bool huge_pages) {
  Storage s;
  const std::size_t size = bytes ? bytes : 1;
  void* p = allocator.allocate(allocator.user, size, alignment_for(size));
  LQ_CHECK(p, Code::out_of_memory, "cannot allocate ", bytes, " bytes");
  // Advice only: the contents are the same whether the OS follows it or not.
  if (huge_pages && size >= 2 * kHugePage) ::madvise(p, size, MADV_HUGEPAGE);
  s.kind_ = Kind::allocated;
  s.data_ = static_cast<std::byte*>(p);
  s.size_ = size;
  s.allocator_ = allocator;
  return s;
}

Storage Storage::map_file(const std::string& path) {
  const FileDescriptor fd(path);
  Storage s;
  s.size_ = regular_file_size(fd, path);
  s.kind_ = Kind::mapped;
  if (s.size_ == 0) return s;
  void* p = ::mmap(nullptr, s.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (p == MAP_FAILED) {
    s.kind_ = Kind::none;
    fail(errno == ENOMEM ? Code::out_of_memory : Code::io, "cannot map '", path, "': ", std::strerror(errno));
  }
  s.data_ = static_cast<std::byte*>(p);
  return s;
}

Storage Storage::read_file(const Allocator& allocator, const std::string& path) {
  const FileDescriptor fd(path);
  const std::size_t size = regular_file_size(fd, path);
  Storage s = allocate(allocator, size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t n = ::read(fd.get(), s.data_ + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    LQ_CHECK(n >= 0, Code::io, "cannot read '", path, "' at byte ", done, ": ", std::strerror(errno));
    LQ_CHECK(n > 0, Code::io, "'", path, "' became shorter while it was read: ", done, " of ", size, " bytes");
    done += static_cast<std::size_t>(n);
  }
  return s;
}

Storage Storage::borrow(const void* data, std::size_t bytes) noexcept {
  Storage s;
  s.kind_ = Kind::borrowed;
  s.data_ = const_cast<std::byte*>(static_cast<const std::byte*>(data));
  s.size_ = bytes;
  return s;
}

void Storage::drop_pages(std::size_t offset, std::size_t size) const noexcept {
  if (kind_ != Kind::mapped || offset >= size_) return;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // Only whole pages inside the range: neighbours may still be read.
  const std::size_t begin = (offset + page - 1) / page * page;
  const std::size_t end = (offset + (size < size_ - offset ? size : size_ - offset)) / page * page;
  if (end > begin) ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

}  // namespace lq
