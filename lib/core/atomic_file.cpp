#include "loquor/core/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

AtomicFile::AtomicFile(std::string path) : path_(std::move(path)) {
  LQ_CHECK(!path_.empty() && path_.find('\0') == std::string::npos, Code::invalid_argument,
           "path: empty, or holds a NUL byte");
  temporary_ = path_ + ".XXXXXX";
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);  // created 0600
  LQ_CHECK(fd_ >= 0, Code::io, "cannot create '", path_, "': ", std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::fail_io(const char* what) const {
  const char* why = std::strerror(errno);
  const std::string of = expected_ ? str(" of ", expected_) : std::string();
  fail(Code::io, "cannot ", what, " '", path_, "': ", why, " (after ", written_, of, " bytes)");
}

void AtomicFile::write(const void* data, std::size_t n) {
  const char* p = static_cast<const char*>(data);
  while (n > 0) {
    const ssize_t done = ::write(fd_, p, n < (std::size_t{1} << 30) ? n : std::size_t{1} << 30);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail_io("write");
    p += done;
    written_ += static_cast<std::size_t>(done);
    n -= static_cast<std::size_t>(done);
  }
}

void AtomicFile::commit() {
  if (::fsync(fd_) != 0) fail_io("sync");
  const int fd = std::exchange(fd_, -1);
  if (::close(fd) != 0 && errno != EINTR) fail_io("close");
  const std::string folder = folder_of(path_);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io("replace");
  temporary_.clear();
  // The data are safe; a folder that cannot be synced (some network file systems) only delays when the name is.
  const int dir = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dir < 0) return;
  ::fsync(dir);
  ::close(dir);
}

}  // namespace lq
