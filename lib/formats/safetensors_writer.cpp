#include <algorithm>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"
#include "loquor/formats/safetensors.hpp"

namespace lq {
namespace {

constexpr std::size_t kAlignment = 64;  // of the data in the file, so that a mapped one can be used where it lies

const char* type_name(DType type) noexcept {
  switch (type) {
    case DType::F32:
      return "F32";
    case DType::F16:
      return "F16";
    case DType::BF16:
      return "BF16";
    case DType::I32:
      return "I32";
    default:
      return nullptr;
  }
}

}  // namespace

void SafetensorsWriter::add_metadata(std::string_view key, std::string_view value) {
  metadata_.emplace_back(key, value);
}

void SafetensorsWriter::add(std::string_view name, const char* type, const Shape& shape, std::size_t bytes) {
  LQ_CHECK(!name.empty() && name != "__metadata__", Code::invalid_argument, "safetensors: a tensor named '", name, "'");
  Entry e{std::string(name), type, {}, size_, size_ + bytes};
  for (std::size_t i = 0; i < shape.rank(); ++i) e.shape.push_back(shape[i]);
  size_ = e.end;
  entries_.push_back(std::move(e));
}

void SafetensorsWriter::add_tensor(std::string_view name, DType type, const Shape& shape) {
  const char* known = type_name(type);
  LQ_CHECK(known, Code::unsupported, "safetensors: tensor '", name, "' of type ", lq::name(type),
           ", which the format does not have");
  add(name, known, shape, row_bytes(type, shape.count()));
}

void SafetensorsWriter::add_bytes(std::string_view name, std::size_t n) { add(name, "U8", Shape{n}, n); }

std::string SafetensorsWriter::header() const {
  nlohmann::ordered_json j = nlohmann::ordered_json::object();
  if (!metadata_.empty()) {
    auto& m = j["__metadata__"] = nlohmann::ordered_json::object();
    for (const auto& [k, v] : metadata_) m[k] = v;
  }
  for (const Entry& e : entries_) {
    auto& t = j[e.name];
    t["dtype"] = e.type;
    t["shape"] = e.shape;
    t["data_offsets"] = {e.begin, e.end};
  }
  std::string text;
  try {
    text = j.dump();
  } catch (const nlohmann::json::exception&) {
    fail(Code::invalid_argument, "safetensors: a name or a metadata string is not valid UTF-8");
  }
  text.resize((text.size() + 8 + kAlignment - 1) / kAlignment * kAlignment - 8, ' ');
  return text;
}

void SafetensorsWriter::begin(const std::string& path) {
  LQ_CHECK(!file_, Code::internal, "safetensors: '", path, "' is begun already");
  std::vector<std::string_view> names;
  for (const Entry& e : entries_) names.push_back(e.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  LQ_CHECK(twice == names.end(), Code::invalid_argument, "safetensors: tensor '", *twice, "' is there twice");
  const std::string text = header();
  auto file = std::make_unique<AtomicFile>(path);
  file->expect(8 + text.size() + static_cast<std::size_t>(size_));
  const std::uint64_t length = text.size();
  file->write(&length, sizeof length);
  file->write(text.data(), text.size());
  file_ = std::move(file);
}

void SafetensorsWriter::write(const void* data, std::size_t n) {
  LQ_CHECK(file_ && n <= size_ - done_, Code::internal, "safetensors: ", n, " bytes more than were declared");
  file_->write(data, n);
  done_ += n;
}

void SafetensorsWriter::commit() {
  LQ_CHECK(file_ && done_ == size_, Code::internal, "safetensors: only ", done_, " of ", size_, " bytes were written");
  file_->commit();
}

}  // namespace lq
