#include "loquor/formats/quantize.hpp"

#include <algorithm>
#include <filesystem>
#include <limits>
#include <string_view>
#include <vector>

#include "loquor/core/fp_environment.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/quant/rows.hpp"

namespace lq {
namespace {

// Elements between two looks at the cancel flag and calls of the progress callback: a few milliseconds of work.
constexpr std::size_t kChunk = std::size_t{1} << 20;
// Elements that a thread converts at a time through a buffer on its stack, a multiple of every block.
constexpr std::size_t kPiece = 1024;
constexpr std::size_t kGrain = 16;  // pieces a thread claims at a time

constexpr std::string_view kFileType = "general.file_type";
constexpr std::string_view kVersion = "general.quantization_version";
constexpr std::uint32_t kQuantizationVersion = 2;

// llama.cpp's llama_ftype: what most of a file's weights are.
std::optional<std::uint32_t> file_type(DType type) noexcept {
  switch (type) {
    case DType::F32:
      return 0;
    case DType::F16:
      return 1;
    case DType::Q4_0:
      return 2;
    case DType::Q4_1:
      return 3;
    case DType::Q8_0:
      return 7;
    case DType::BF16:
      return 32;
    default:
      break;
  }
  return std::nullopt;
}

constexpr std::size_t chunk_rows(std::size_t columns) noexcept { return std::max<std::size_t>(1, kChunk / columns); }

// Parts of names of two-dimensional tensors that are too small or too sensitive to be worth rounding.
constexpr std::string_view kKept[] = {"_norm.weight",
                                      "ffn_gate_inp.weight",
                                      "position_embd",
                                      "token_types.weight",
                                      "ssm_conv1d",
                                      "shortconv.conv.weight",
                                      "time_mix_first.weight",
                                      "time_mix_w",
                                      "time_mix_v",
                                      "time_mix_a",
                                      "time_mix_g1.weight",
                                      "time_mix_g2.weight",
                                      "time_mix_decay_w",
                                      "time_mix_lerp_fused",
                                      "attn_rel_b.weight",
                                      ".rel_pos",
                                      "altup",
                                      "laurel",
                                      "per_layer_model_proj"};

bool is_converted(const GgufTensor& t) {
  if (!is_real_type(t.type) || !t.name.ends_with("weight")) return false;
  if (t.shape.count() == t.shape[t.shape.rank() - 1]) return false;  // one row
  return std::none_of(std::begin(kKept), std::end(kKept),
                      [&](std::string_view part) { return t.name.find(part) != t.name.npos; });
}

class Quantizer {
 public:
  Quantizer(const Context& ctx, const GgufFile& file, const QuantizeOptions& options)
      : ctx_(ctx), file_(file), options_(options), writer_(file.alignment()) {}

  QuantizeResult run(const std::string& target);

 private:
  void copy_metadata();
  void plan();
  DType type_for(const GgufTensor& t);
  void copy(const GgufTensor& t);
  void convert(const GgufTensor& t, DType type);
  void convert_chunk(const GgufTensor& t, DType type, std::size_t begin, std::size_t end);
  bool edits(const GgufTensor& t) const { return options_.edit && options_.edit->changes(t.name); }
  void edit(const GgufTensor& t, DType type);
  [[noreturn]] void fail_value(const GgufTensor& t, DType type, std::size_t begin, std::size_t end) const;
  void find_bad(const GgufTensor& t, DType type, std::size_t begin, std::span<const float> values) const;
  void advance(std::size_t elements);
  void check_cancel() const;

  const Context& ctx_;
  const GgufFile& file_;
  const QuantizeOptions& options_;
  GgufWriter writer_;
  std::vector<DType> types_;
  Storage buffer_;  // the bytes of one chunk
  QuantizeResult result_;
  std::size_t done_ = 0, total_ = 0;  // elements
};

void Quantizer::copy_metadata() {
  if (!options_.type) {
    for (const GgufFile::Entry& e : file_.metadata())
      if (!e.key.starts_with("split.")) writer_.add(e.key, e.value);
    return;
  }
  const std::uint32_t kind = *file_type(*options_.type);
  for (const GgufFile::Entry& e : file_.metadata()) {
    if (e.key.starts_with("split."))
      continue;  // the parts become one file
    else if (e.key == kFileType)
      writer_.add_u32(kFileType, kind);
    else if (e.key == kVersion)
      writer_.add_u32(kVersion, kQuantizationVersion);
    else
      writer_.add(e.key, e.value);
  }
  if (!file_.find(kFileType)) writer_.add_u32(kFileType, kind);
  if (!file_.find(kVersion)) writer_.add_u32(kVersion, kQuantizationVersion);
}

DType Quantizer::type_for(const GgufTensor& t) {
  const bool head = t.name == (file_.find_tensor("output.weight") ? "output.weight" : "token_embd.weight");
  DType type = t.type;
  if (is_converted(t)) {
    type = options_.type.value_or(t.type);
    const bool four_bits = options_.type == DType::Q4_0 || options_.type == DType::Q4_1;
    if (head) type = options_.head.value_or(four_bits ? DType::Q8_0 : type);
  }
  if (edits(t) && !is_encodable_type(type)) type = DType::Q8_0;
  if (type != t.type && t.shape[t.shape.rank() - 1] % traits(type).block_elems) {
    type = DType::F16;
    ++result_.odd;
  }
  if (head) result_.head = type;
  return type;
}

void Quantizer::plan() {
  types_.reserve(file_.tensors().size());
  std::size_t largest = 0;
  for (const GgufTensor& t : file_.tensors()) {
    const DType type = type_for(t);
    types_.push_back(type);
    writer_.add_tensor(t.name, type, t.shape);
    total_ += t.shape.count();
    if (edits(t)) {
      ++result_.edited;
      const std::size_t columns = t.shape[t.shape.rank() - 1];
      largest = std::max(largest, row_bytes(type, columns) * chunk_rows(columns));
    }
    result_.converted += type != t.type;
    result_.requantized += (type != t.type || edits(t)) && is_block_type(t.type) && is_block_type(type);
    if (type != t.type) largest = std::max(largest, row_bytes(type, std::min(kChunk, t.shape.count())));
  }
  result_.tensors = types_.size();
  if (largest) buffer_ = ctx_.allocate(largest);
}

void Quantizer::check_cancel() const {
  if (options_.cancel && options_.cancel->load(std::memory_order_relaxed))
    fail(Code::cancelled, "quantize: '", file_.name(), "' was cancelled");
}

void Quantizer::advance(std::size_t elements) {
  done_ += elements;
  const double fraction = static_cast<double>(done_) / static_cast<double>(std::max<std::size_t>(total_, 1));
  if (options_.progress && !options_.progress(static_cast<float>(fraction)))
    fail(Code::cancelled, "quantize: '", file_.name(), "' was stopped by the progress callback");
  check_cancel();
}

void Quantizer::copy(const GgufTensor& t) {
  const std::size_t n = t.shape.count();
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = std::min(n, begin + kChunk);
    const std::size_t at = row_bytes(t.type, begin);
    writer_.write(t.data + at, row_bytes(t.type, end) - at);
    advance(end - begin);
  }
}

// Called when [begin, end) holds an element whose value, or whose block's scale, the type cannot hold.
void Quantizer::fail_value(const GgufTensor& t, DType type, std::size_t begin, std::size_t end) const {
  std::vector<float> values(end - begin);
  const std::size_t at = row_bytes(t.type, begin);
  decode_row(t.type, t.data + at, values.size(), values.data());
  find_bad(t, type, begin, values);
  fail(Code::internal, "quantize: tensor '", t.name, "' cannot be written as ", name(type));
}

void Quantizer::find_bad(const GgufTensor& t, DType type, std::size_t begin, std::span<const float> values) const {
  const std::size_t block = traits(type).block_elems, columns = t.shape[t.shape.rank() - 1];
  std::vector<std::byte> bytes(row_bytes(type, block));
  for (std::size_t i = 0; i < values.size(); i += block)
    if (!encode_row(type, values.data() + i, block, bytes.data()))
      fail(Code::bad_file, "quantize: ", file_.name(), ": tensor '", t.name, "', row ", (begin + i) / columns,
           ", columns ", (begin + i) % columns, " to ", (begin + i) % columns + block - 1,
           ": a value is not finite or too large for ", name(type));
}

// Rows do not matter here: they are a multiple of the blocks of both types.
void Quantizer::convert_chunk(const GgufTensor& t, DType type, std::size_t begin, std::size_t end) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  std::atomic<std::size_t> bad{kNone};  // the first piece that cannot be encoded
  std::byte* const out = buffer_.data();
  const std::size_t pieces = (end - begin + kPiece - 1) / kPiece;
  ctx_.pool().parallel_for(pieces, kGrain, [&](std::size_t first, std::size_t last, unsigned) {
    const FpEnvironment environment;
    float values[kPiece];
    for (std::size_t p = first; p < last; ++p) {
      const std::size_t at = begin + p * kPiece, n = std::min(kPiece, end - at);
      decode_row(t.type, t.data + row_bytes(t.type, at), n, values);
      if (encode_row(type, values, n, out + row_bytes(type, p * kPiece))) continue;
      std::size_t seen = bad.load(std::memory_order_relaxed);
      while (p < seen && !bad.compare_exchange_weak(seen, p, std::memory_order_relaxed)) {
      }
    }
  });
  if (const std::size_t p = bad.load(std::memory_order_relaxed); p != kNone)
    fail_value(t, type, begin + p * kPiece, std::min(end, begin + (p + 1) * kPiece));
  writer_.write(out, row_bytes(type, end - begin));
}

void Quantizer::convert(const GgufTensor& t, DType type) {
  const std::size_t n = t.shape.count();
  for (std::size_t begin = 0; begin < n; begin += kChunk) {
    const std::size_t end = std::min(n, begin + kChunk);
    convert_chunk(t, type, begin, end);
    advance(end - begin);
  }
}

// Whole rows at a time, since that is what an edit sees.
void Quantizer::edit(const GgufTensor& t, DType type) {
  const std::size_t columns = t.shape[t.shape.rank() - 1], rows = t.shape.count() / columns;
  const std::size_t from = row_bytes(t.type, columns), to = row_bytes(type, columns);
  std::vector<float> rows_of_threads(ctx_.pool().size() * columns);
  const auto read = [&](std::size_t row, unsigned thread) {
    const std::span<float> values(rows_of_threads.data() + thread * columns, columns);
    decode_row(t.type, t.data + row * from, columns, values.data());
    options_.edit->apply(t.name, row, values);
    return values;
  };
  for (std::size_t begin = 0; begin < rows; begin += chunk_rows(columns)) {
    const std::size_t end = std::min(rows, begin + chunk_rows(columns));
    std::atomic<std::size_t> bad{rows};  // the first row that cannot be encoded
    ctx_.pool().parallel_for(end - begin, 16, [&](std::size_t first, std::size_t last, unsigned thread) {
      const FpEnvironment environment;
      for (std::size_t i = first; i < last; ++i) {
        if (encode_row(type, read(begin + i, thread).data(), columns, buffer_.data() + i * to)) continue;
        std::size_t seen = bad.load(std::memory_order_relaxed);
        while (begin + i < seen && !bad.compare_exchange_weak(seen, begin + i, std::memory_order_relaxed)) {
        }
      }
    });
    if (const std::size_t row = bad.load(std::memory_order_relaxed); row < rows)
      find_bad(t, type, row * columns, read(row, 0));
    writer_.write(buffer_.data(), (end - begin) * to);
    advance((end - begin) * columns);
  }
}

QuantizeResult Quantizer::run(const std::string& target) {
  copy_metadata();
  plan();
  check_cancel();
  writer_.begin(target);
  for (std::size_t i = 0; i < types_.size(); ++i) {
    const GgufTensor& t = file_.tensors()[i];
    if (edits(t))
      edit(t, types_[i]);
    else if (types_[i] == t.type)
      copy(t);
    else
      convert(t, types_[i]);
    file_.drop_pages({t.data, t.nbytes});
  }
  check_cancel();
  writer_.commit();
  result_.source_bytes = file_.file_size();
  result_.target_bytes = writer_.file_size();
  return result_;
}

void check_target(const std::string& source, const std::string& target) {
  namespace fs = std::filesystem;
  std::error_code error;
  LQ_CHECK(!target.empty(), Code::invalid_argument, "quantize: the target's path is empty");
  const fs::file_status status = fs::status(target, error);
  if (!fs::exists(status)) return;
  LQ_CHECK(fs::is_regular_file(status), Code::invalid_argument, "quantize: '", target, "' is not a regular file");
  LQ_CHECK(!fs::equivalent(source, target, error), Code::invalid_argument, "quantize: '", target,
           "' is the source itself; choose another target");
}

void check_type(DType type, const char* what) {
  LQ_CHECK(file_type(type), Code::invalid_argument, "quantize: ", what, " is ", name(type), ", expected one of ",
           encodable_type_names());
}

}  // namespace

QuantizeResult quantize_gguf(const Context& ctx, const GgufFile& file, const std::string& target,
                             const QuantizeOptions& options) {
  if (options.type) check_type(*options.type, "the type");
  if (options.head) check_type(*options.head, "the head's type");
  check_target(file.name(), target);
  return Quantizer(ctx, file, options).run(target);
}

QuantizeResult quantize_file(const Context& ctx, const std::string& source, const std::string& target,
                             const QuantizeOptions& options) {
  if (options.type) check_type(*options.type, "the type");
  if (options.head) check_type(*options.head, "the head's type");
  check_target(source, target);
  const GgufFile file = GgufFile::open(source);
  return quantize_gguf(ctx, file, target, options);
}

}  // namespace lq
