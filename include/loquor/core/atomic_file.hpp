// Writing a file so that a crash, an error or a full disk at any point leaves the old one as it was: a temporary file
// in the same folder, fsync, rename, fsync of the folder. Mode 0600.
#pragma once

#include <cstddef>
#include <string>

namespace lq {

class AtomicFile {
 public:
  // Throws Error{io|invalid_argument}.
  explicit AtomicFile(std::string path);
  // Removes the temporary file unless commit() succeeded.
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  // How many bytes will be written in all, if known: for messages only.
  void expect(std::size_t bytes) noexcept { expected_ = bytes; }
  void write(const void* data, std::size_t n);  // throws Error{io} with the bytes that fitted
  void commit();                                // throws Error{io}

 private:
  [[noreturn]] void fail_io(const char* what) const;

  std::string path_, temporary_;
  std::size_t written_ = 0, expected_ = 0;
  int fd_ = -1;
};

}  // namespace lq
