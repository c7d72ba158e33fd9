// Opening GGUF files: whole ones, split ones, and what is put together in memory.
#include <cstdio>

#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"

namespace lq {
namespace {

Storage open_bytes(const std::string& path, GgufFile::Mode mode) {
  return mode == GgufFile::Mode::map ? Storage::map_file(path) : Storage::read_file(default_allocator(), path);
}

constexpr std::size_t kSuffix = sizeof "-00001-of-00003.gguf" - 1;

std::string part_suffix(std::size_t part, std::size_t count) {
  char text[48];
  std::snprintf(text, sizeof text, "-%05zu-of-%05zu.gguf", part + 1, count);
  return text;
}

}  // namespace

GgufFile GgufFile::open(const std::string& path, Mode mode) {
  GgufFile file(open_bytes(path, mode), path);
  file.add_parts(path, mode);
  return file;
}

void GgufFile::add_parts(const std::string& path, Mode mode) {
  const auto number = [](const GgufFile& f, const char* key) -> std::size_t {
    const GgufValue* v = f.find(key);
    return v ? static_cast<std::size_t>(v->as_uint().value_or(0)) : 0;
  };
  constexpr std::size_t kMaxParts = 99999;  // what the names can count
  const std::size_t count = number(*this, "split.count");
  if (count <= 1) return;
  LQ_CHECK(count <= kMaxParts, Code::bad_file, "gguf: ", name_, ": key 'split.count' is ", count);
  LQ_CHECK(number(*this, "split.no") == 0, Code::invalid_argument, "gguf: ", name_, " is part ",
           number(*this, "split.no") + 1, " of ", count, "; open the first");
  LQ_CHECK(path.size() >= kSuffix && path.ends_with(part_suffix(0, count)), Code::bad_file, "gguf: ", name_,
           ": the first of ", count, " parts, but not named <name>", part_suffix(0, count));
  for (std::size_t i = 1; i < count; ++i) {
    const std::string name = path.substr(0, path.size() - part_suffix(0, count).size()) + part_suffix(i, count);
    GgufFile part(open_bytes(name, mode), name);
    LQ_CHECK(number(part, "split.no") == i && number(part, "split.count") == count, Code::bad_file, "gguf: ", name,
             ": keys 'split.no' and 'split.count' are ", number(part, "split.no"), " and ", number(part, "split.count"),
             ", expected ", i, " and ", count);
    tensors_.insert(tensors_.end(), part.tensors_.begin(), part.tensors_.end());
    more_.push_back(part.storage_);
  }
  index_tensors();
  const std::size_t declared = number(*this, "split.tensors.count");
  LQ_CHECK(declared == 0 || declared == tensors_.size(), Code::bad_file, "gguf: ", name_, ": the parts have ",
           tensors_.size(), " tensors, key 'split.tensors.count' says ", declared);
}

GgufFile GgufFile::from_memory(const void* data, std::size_t size, const std::string& name) {
  LQ_CHECK(data || size == 0, Code::invalid_argument, "gguf: ", name, ": no data");
  return GgufFile(Storage::borrow(data, size), name);
}

GgufFile GgufFile::assemble(Storage header, std::span<const std::byte* const> tensors,
                            std::vector<std::shared_ptr<Storage>> data, const std::string& name) {
  GgufFile file(std::move(header), name, &tensors);
  file.more_ = std::move(data);
  return file;
}

std::size_t GgufFile::file_size() const noexcept {
  std::size_t n = storage_->size();
  for (const auto& s : more_) n += s->size();
  return n;
}

void GgufFile::drop_pages(std::span<const std::byte> bytes) const noexcept {
  const auto drop = [&](const Storage& s) {
    if (bytes.data() < s.data() || bytes.data() >= s.data() + s.size()) return false;
    s.drop_pages(static_cast<std::size_t>(bytes.data() - s.data()), bytes.size());
    return true;
  };
  if (drop(*storage_)) return;
  for (const auto& s : more_)
    if (drop(*s)) return;
}

void GgufFile::drop_all_pages() const noexcept {
  drop_pages(storage_->bytes());
  for (const auto& s : more_) drop_pages(s->bytes());
}

}  // namespace lq
