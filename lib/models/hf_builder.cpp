#include "hf_builder.hpp"

#include <cstring>

#include "loquor/core/status.hpp"

namespace lq {

HfBuilder::HfBuilder(std::string arch) : arch_(std::move(arch)) { writer_.add_string("general.architecture", arch_); }

void HfBuilder::u32(std::string_view name, std::size_t value) {
  counts_.emplace(name, value);
  writer_.add_u32(str(arch_, ".", name), static_cast<std::uint32_t>(value));
}
void HfBuilder::f32(std::string_view name, double value) {
  writer_.add_f32(str(arch_, ".", name), static_cast<float>(value));
}
void HfBuilder::flag(std::string_view name, bool value) { writer_.add_bool(str(arch_, ".", name), value); }
void HfBuilder::text(std::string_view name, std::string_view value) {
  writer_.add_string(str(arch_, ".", name), value);
}
void HfBuilder::f32s(std::string_view name, std::span<const double> values) {
  const std::vector<float> narrow(values.begin(), values.end());
  writer_.add_f32s(str(arch_, ".", name), narrow);
}
void HfBuilder::i32s(std::string_view name, std::span<const std::int32_t> values) {
  writer_.add_i32s(str(arch_, ".", name), values);
}
void HfBuilder::vector(std::string_view name, std::span<const double> values) {
  auto* out = reinterpret_cast<float*>(own(values.size() * sizeof(float)));
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = static_cast<float>(values[i]);
  place(std::string(name), DType::F32, {values.size()}, reinterpret_cast<const std::byte*>(out));
}

std::size_t HfBuilder::value_of(std::string_view name) const {
  const auto it = counts_.find(name);
  return it == counts_.end() ? 0 : it->second;
}

std::byte* HfBuilder::own(std::size_t bytes) {
  storages_.push_back(std::make_shared<Storage>(Storage::allocate(default_allocator(), bytes)));
  return storages_.back()->data();
}

void HfBuilder::place(const std::string& name, DType type, const Shape& shape, const std::byte* data) {
  writer_.add_tensor(name, type, shape);
  places_.push_back(data);
}

// The source row of each row.
std::vector<std::size_t> HfBuilder::order(HfTransform transform, std::size_t rows, const std::string& name) const {
  const std::size_t heads = value_of("attention.head_count");
  const std::size_t kv = counts_.contains("attention.head_count_kv") ? value_of("attention.head_count_kv") : heads;
  std::vector<std::size_t> from;
  const auto append = [&](std::size_t first, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) from.push_back(first + i);
  };
  if (transform == HfTransform::pairs_q || transform == HfTransform::pairs_k) {
    const std::size_t n = transform == HfTransform::pairs_q ? heads : kv;
    const std::size_t width = n && rows % n == 0 ? rows / n : 0;
    LQ_CHECK(width && width % 2 == 0, Code::bad_file, "model: tensor '", name, "' has ", rows, " rows for ", n,
             " heads of an even width");
    for (std::size_t h = 0; h < n; ++h)
      for (std::size_t i = 0; i < width / 2; ++i)
        for (const std::size_t half : {0, 1}) from.push_back(h * width + half * (width / 2) + i);
    return from;
  }
  const std::size_t groups = transform == HfTransform::head_qkv ? heads : kv;
  const std::size_t queries = groups && heads % groups == 0 ? heads / groups : 0, per_group = queries + 2;
  LQ_CHECK(queries && rows % (groups * per_group) == 0, Code::bad_file, "model: tensor '", name, "' has ", rows,
           " rows, which ", heads, " heads and ", groups, " groups of keys and values cannot share");
  const std::size_t width = rows / (groups * per_group);
  for (std::size_t g = 0; g < groups; ++g) append(g * per_group * width, queries * width);
  for (const std::size_t part : {queries, queries + 1})
    for (std::size_t g = 0; g < groups; ++g) append((g * per_group + part) * width, width);
  return from;
}

void HfBuilder::permuted(const SafetensorsTensor& t, const HfRule& rule, const std::string& name) {
  const std::vector<std::size_t> from = order(rule.transform, t.shape[0], t.name);
  const std::size_t bytes = t.nbytes / t.shape[0];
  std::byte* out = own(t.nbytes);
  for (std::size_t r = 0; r < from.size(); ++r) std::memcpy(out + r * bytes, t.data + from[r] * bytes, bytes);
  SafetensorsTensor moved = t;
  moved.data = out;
  add(moved, {rule.from, rule.to}, name);
}

void HfBuilder::add(const SafetensorsTensor& t, const HfRule& rule, const std::string& name) {
  LQ_CHECK(t.type && *t.type != DType::I32 && t.shape.rank() >= 1 && t.shape.count() > 0, Code::unsupported,
           "model: tensor '", t.name, "' has type ", t.type_name, " and rank ", t.shape.rank(),
           ", expected F32, F16 or BF16 numbers");
  switch (rule.transform) {
    case HfTransform::pairs_q:
    case HfTransform::pairs_k:
    case HfTransform::head_qkv:
    case HfTransform::group_qkv:
      return permuted(t, rule, name);
    case HfTransform::transposed: {
      if (t.shape.rank() != 2) break;  // a bias
      const std::size_t rows = t.shape[1], cols = t.shape[0], size = row_bytes(*t.type, 1);
      std::byte* out = own(t.nbytes);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < cols; ++c)
          std::memcpy(out + (r * cols + c) * size, t.data + (c * rows + r) * size, size);
      return place(name, *t.type, {rows, cols}, out);
    }
    case HfTransform::from_row_2: {
      LQ_CHECK(t.shape.rank() == 2 && t.shape[0] > 2, Code::bad_file, "model: tensor '", t.name, "' has no third row");
      return place(name, *t.type, {t.shape[0] - 2, t.shape[1]}, t.data + 2 * row_bytes(*t.type, t.shape[1]));
    }
    default:
      break;
  }
  if (t.shape.rank() > 1) return place(name, *t.type, t.shape, t.data);
  // Norms and biases: fp32, as llama.cpp wants them.
  auto* out = reinterpret_cast<float*>(own(t.shape[0] * sizeof(float)));
  read_floats(t, out);
  if (rule.transform == HfTransform::plus_one)
    for (std::size_t i = 0; i < t.shape[0]; ++i) out[i] += 1.0f;
  place(name, DType::F32, t.shape, reinterpret_cast<const std::byte*>(out));
}

void HfBuilder::stack(std::span<const SafetensorsTensor* const> parts, const std::string& name) {
  const SafetensorsTensor& first = *parts[0];
  LQ_CHECK(first.type && first.shape.rank() == 2, Code::bad_file, "model: tensor '", first.name, "' is no matrix");
  std::byte* out = own(parts.size() * first.nbytes);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    LQ_CHECK(parts[i] && parts[i]->type == first.type && parts[i]->shape == first.shape, Code::bad_file,
             "model: expert ", i, " of '", name, "' is missing or of another type or shape than the first");
    std::memcpy(out + i * first.nbytes, parts[i]->data, first.nbytes);
  }
  place(name, *first.type, {parts.size(), first.shape[0], first.shape[1]}, out);
}

GgufFile HfBuilder::finish(const std::string& name) {
  const std::string bytes = writer_.header();
  Storage header = Storage::allocate(default_allocator(), bytes.size());
  std::memcpy(header.data(), bytes.data(), bytes.size());
  return GgufFile::assemble(std::move(header), places_, std::move(storages_), name);
}

}  // namespace lq
