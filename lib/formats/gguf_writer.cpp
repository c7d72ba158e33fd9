#include "loquor/formats/gguf_writer.hpp"

#include <algorithm>
#include <array>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxKeyBytes = 65535;  // the specification's bound
constexpr std::size_t kMaxTensorName = 256;  // as the reader
constexpr std::size_t kMaxAlignment = 1 << 16;
constexpr std::string_view kAlignmentKey = "general.alignment";

template <class T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_string(std::string& out, std::string_view s) {
  put<std::uint64_t>(out, s.size());
  out.append(s);
}

}  // namespace

GgufWriter::GgufWriter(std::size_t alignment) : alignment_(alignment) {
  LQ_CHECK(alignment && (alignment & (alignment - 1)) == 0 && alignment <= kMaxAlignment, Code::invalid_argument,
           "gguf: an alignment of ", alignment, ", expected a power of two up to ", kMaxAlignment);
}

void GgufWriter::check_alignment(std::string_view key, std::optional<std::uint64_t> value) const {
  LQ_CHECK(key != kAlignmentKey || value == alignment_, Code::invalid_argument, "gguf: ", kAlignmentKey,
           " is not the writer's alignment, ", alignment_);
}

void GgufWriter::put_key(std::string_view key, GgufType type) {
  LQ_CHECK(!key.empty() && key.size() <= kMaxKeyBytes, Code::invalid_argument, "gguf: a key of ", key.size(),
           " bytes, expected 1 to ", kMaxKeyBytes);
  keys_.emplace_back(key);
  put_string(metadata_, key);
  put(metadata_, static_cast<std::uint32_t>(type));
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  check_alignment(key, value);
  put_key(key, GgufType::u32);
  put(metadata_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  check_alignment(key, std::nullopt);
  put_key(key, GgufType::f32);
  put(metadata_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  check_alignment(key, std::nullopt);
  put_key(key, GgufType::boolean);
  put<std::uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  check_alignment(key, std::nullopt);
  put_key(key, GgufType::string);
  put_string(metadata_, value);
}

void GgufWriter::put_array(std::string_view key, GgufType element, std::size_t count) {
  check_alignment(key, std::nullopt);
  put_key(key, GgufType::array);
  put(metadata_, static_cast<std::uint32_t>(element));
  put<std::uint64_t>(metadata_, count);
}

void GgufWriter::add_bytes(std::string_view key, std::string_view value) {
  put_array(key, GgufType::u8, value.size());
  metadata_.append(value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  put_array(key, GgufType::string, values.size());
  for (const std::string& v : values) put_string(metadata_, v);
}

void GgufWriter::add_f32s(std::string_view key, std::span<const float> values) {
  put_array(key, GgufType::f32, values.size());
  for (const float v : values) put(metadata_, v);
}

void GgufWriter::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  put_array(key, GgufType::i32, values.size());
  for (const std::int32_t v : values) put(metadata_, v);
}

void GgufWriter::add(std::string_view key, const GgufValue& value) {
  check_alignment(key, value.as_uint());
  put_key(key, value.type());
  if (value.type() == GgufType::array) {
    put(metadata_, static_cast<std::uint32_t>(value.element_type()));
    put<std::uint64_t>(metadata_, value.size());
  } else if (value.type() == GgufType::string) {
    put<std::uint64_t>(metadata_, value.size());
  }
  metadata_.append(reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size());
}

void GgufWriter::add_tensor(std::string_view name, DType type, const Shape& shape) {
  LQ_CHECK(!name.empty() && name.size() <= kMaxTensorName, Code::invalid_argument, "gguf: a tensor's name of ",
           name.size(), " bytes, expected 1 to ", kMaxTensorName);
  LQ_CHECK(shape.rank() > 0 && shape.count() > 0, Code::invalid_argument, "gguf: tensor '", name, "' has no elements");
  const std::size_t columns = shape[shape.rank() - 1];
  LQ_CHECK(columns % traits(type).block_elems == 0, Code::invalid_argument, "gguf: tensor '", name, "' has rows of ",
           columns, " elements, not a multiple of ", traits(type).block_elems, " as ", lq::name(type), " needs");
  names_.emplace_back(name);
  put_string(infos_, name);
  put(infos_, static_cast<std::uint32_t>(shape.rank()));
  for (std::size_t i = shape.rank(); i-- > 0;) put<std::uint64_t>(infos_, shape[i]);  // innermost first
  put(infos_, static_cast<std::uint32_t>(type));
  put(infos_, data_size_);
  sizes_.push_back(row_bytes(type, shape.count()));
  data_size_ += (sizes_.back() + alignment_ - 1) / alignment_ * alignment_;
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  put<std::uint32_t>(out, 3);
  put<std::uint64_t>(out, sizes_.size());
  put<std::uint64_t>(out, keys_.size());
  out += metadata_;
  out += infos_;
  out.resize((out.size() + alignment_ - 1) / alignment_ * alignment_);
  return out;
}

std::size_t GgufWriter::file_size() const noexcept {
  const std::size_t head = 4 + 4 + 8 + 8 + metadata_.size() + infos_.size();
  return (head + alignment_ - 1) / alignment_ * alignment_ + static_cast<std::size_t>(data_size_);
}

void GgufWriter::check_unique(std::vector<std::string> names, const char* what) const {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  LQ_CHECK(twice == names.end(), Code::invalid_argument, "gguf: ", what, " '", *twice, "' is there twice");
}

void GgufWriter::begin(const std::string& path) {
  LQ_CHECK(!file_, Code::internal, "gguf: '", path, "' is begun already");
  if (alignment_ != kDefaultAlignment && std::find(keys_.begin(), keys_.end(), kAlignmentKey) == keys_.end())
    add_u32(kAlignmentKey, static_cast<std::uint32_t>(alignment_));
  check_unique(keys_, "the key");
  check_unique(names_, "the tensor");
  auto file = std::make_unique<AtomicFile>(path);
  file->expect(file_size());
  const std::string head = header();
  file->write(head.data(), head.size());
  file_ = std::move(file);
}

// The zeros between a tensor that is complete and the next.
void GgufWriter::pad() {
  static constexpr std::array<char, 512> kZeros{};
  std::size_t left = static_cast<std::size_t>((alignment_ - sizes_[tensor_] % alignment_) % alignment_);
  for (; left > 0; left -= std::min(left, kZeros.size())) file_->write(kZeros.data(), std::min(left, kZeros.size()));
  ++tensor_;
  done_ = 0;
}

void GgufWriter::write(const void* data, std::size_t n) {
  LQ_CHECK(file_ && tensor_ < sizes_.size() && n <= sizes_[tensor_] - done_, Code::internal, "gguf: ", n,
           " bytes more than were declared for tensor ", tensor_);
  file_->write(data, n);
  done_ += n;
  if (done_ == sizes_[tensor_]) pad();
}

void GgufWriter::commit() {
  LQ_CHECK(file_ && tensor_ == sizes_.size(), Code::internal, "gguf: only ", tensor_, " of ", sizes_.size(),
           " tensors were written");
  file_->commit();
}

}  // namespace lq
