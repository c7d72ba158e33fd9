#include "loquor/formats/safetensors.hpp"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <numeric>

#include "loquor/core/half.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxHeader = 100'000'000;  // the reference implementation's bound
constexpr std::size_t kMaxTensors = 1 << 20;
constexpr std::size_t kMaxName = 4096;
constexpr std::size_t kMaxMetadata = 1 << 16;
constexpr std::string_view kMetadata = "__metadata__";

struct TypeRow {
  std::string_view name;
  std::size_t bytes;
  std::optional<DType> type;
};
constexpr TypeRow kTypes[] = {
    {"F32", 4, DType::F32},    {"F16", 2, DType::F16},       {"BF16", 2, DType::BF16},     {"I32", 4, DType::I32},
    {"F64", 8, std::nullopt},  {"I64", 8, std::nullopt},     {"I16", 2, std::nullopt},     {"I8", 1, std::nullopt},
    {"U64", 8, std::nullopt},  {"U32", 4, std::nullopt},     {"U16", 2, std::nullopt},     {"U8", 1, std::nullopt},
    {"BOOL", 1, std::nullopt}, {"F8_E4M3", 1, std::nullopt}, {"F8_E5M2", 1, std::nullopt}, {"F8_E8M0", 1, std::nullopt},
    {"C64", 8, std::nullopt},
};

const TypeRow* type_row(std::string_view name) noexcept {
  for (const TypeRow& t : kTypes)
    if (t.name == name) return &t;
  return nullptr;
}

// Control characters and invalid lengths of hostile names stay out of messages.
std::string printable(std::string_view s) {
  std::string out(s.substr(0, 64));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  return out;
}

}  // namespace

// A SAX handler: it knows what may come next, so that nothing is built for a header that is not one. Depth 1 is the
// table of tensors, 2 a tensor's fields or the metadata, 3 a tensor's shape or offsets.
class SafetensorsParser {
 public:
  explicit SafetensorsParser(SafetensorsFile& file) : file_(file) {}
  void run();

  using Json = nlohmann::json;
  bool null() { unexpected("null"); }
  bool boolean(bool) { unexpected("a boolean"); }
  bool number_integer(Json::number_integer_t) { unexpected("a negative number"); }
  bool number_float(Json::number_float_t, const std::string&) {
    unexpected("a fraction or a number that is too large");
  }
  bool binary(Json::binary_t&) { unexpected("binary data"); }
  bool number_unsigned(Json::number_unsigned_t n);
  bool string(std::string& s);
  bool start_object(std::size_t);
  bool key(std::string& k);
  bool end_object();
  bool start_array(std::size_t);
  bool end_array();
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    bad("the header is not valid JSON (near its byte ", position, ")");
  }

 private:
  enum class Field { none, type, shape, offsets };

  template <class... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(Code::bad_file, "safetensors: ", file_.name_, ": ", args...);
  }
  [[noreturn]] void unexpected(const char* what) const {
    bad(tensor_name_.empty() ? std::string() : str("tensor '", printable(tensor_name_), "': "), what,
        " where the header cannot have it");
  }
  void finish_tensor();
  void place_tensors(const std::byte* data, std::size_t room);

  SafetensorsFile& file_;
  unsigned depth_ = 0;
  bool in_metadata_ = false, metadata_seen_ = false;
  std::string tensor_name_, metadata_key_;
  Field field_ = Field::none;
  bool in_array_ = false;
  const TypeRow* type_ = nullptr;
  bool has_shape_ = false;
  std::vector<std::uint64_t> shape_, offsets_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;  // of each tensor
};

bool SafetensorsParser::start_object(std::size_t) {
  if (depth_ == 0) {
    depth_ = 1;
    return true;
  }
  if (depth_ != 1) unexpected("an object");
  depth_ = 2;
  type_ = nullptr;
  has_shape_ = false;
  shape_.clear();
  offsets_.clear();
  return true;
}

bool SafetensorsParser::key(std::string& k) {
  if (k.size() > kMaxName) bad("a name of ", k.size(), " bytes is over the limit of ", kMaxName);
  if (depth_ == 1) {
    in_metadata_ = k == kMetadata;
    if (in_metadata_ && std::exchange(metadata_seen_, true)) bad("'", kMetadata, "' appears twice");
    if (k.empty()) bad("a tensor without a name");
    tensor_name_ = in_metadata_ ? std::string() : k;
    return true;
  }
  if (in_metadata_) {
    metadata_key_ = std::move(k);
    return true;
  }
  field_ = k == "dtype"          ? Field::type
           : k == "shape"        ? Field::shape
           : k == "data_offsets" ? Field::offsets
                                 : Field::none;
  if (field_ == Field::none) bad("tensor '", printable(tensor_name_), "' has an unknown field '", printable(k), "'");
  if ((field_ == Field::type && type_) || (field_ == Field::shape && has_shape_) ||
      (field_ == Field::offsets && !offsets_.empty()))
    bad("tensor '", printable(tensor_name_), "' has '", k, "' twice");
  return true;
}

bool SafetensorsParser::string(std::string& s) {
  if (depth_ == 2 && in_metadata_) {
    if (file_.metadata_.size() == kMaxMetadata) bad("more than ", kMaxMetadata, " strings of metadata");
    file_.metadata_.emplace_back(std::move(metadata_key_), std::move(s));
    metadata_key_.clear();
    return true;
  }
  if (depth_ != 2 || field_ != Field::type) unexpected("a string");
  type_ = type_row(s);
  LQ_CHECK(type_, Code::unsupported, "safetensors: ", file_.name_, ": tensor '", printable(tensor_name_),
           "' has type '", printable(s), "', which this build does not know");
  field_ = Field::none;
  return true;
}

bool SafetensorsParser::start_array(std::size_t) {
  if (depth_ != 2 || in_metadata_ || in_array_ || (field_ != Field::shape && field_ != Field::offsets))
    unexpected("an array");
  in_array_ = true;
  return true;
}

bool SafetensorsParser::number_unsigned(Json::number_unsigned_t n) {
  if (!in_array_) unexpected("a number");
  auto& out = field_ == Field::shape ? shape_ : offsets_;
  const std::size_t most = field_ == Field::shape ? Shape::kMaxRank : 2;
  if (out.size() == most && field_ == Field::shape)
    fail(Code::unsupported, "safetensors: ", file_.name_, ": tensor '", printable(tensor_name_), "' has more than ",
         Shape::kMaxRank, " dimensions");
  if (out.size() == most) bad("tensor '", printable(tensor_name_), "' has more than two offsets");
  out.push_back(n);
  return true;
}

bool SafetensorsParser::end_array() {
  in_array_ = false;
  if (field_ == Field::shape) has_shape_ = true;
  if (field_ == Field::offsets && offsets_.size() != 2)
    bad("tensor '", printable(tensor_name_), "' has ", offsets_.size(), " offsets, expected two");
  field_ = Field::none;
  return true;
}

bool SafetensorsParser::end_object() {
  if (depth_ == 2 && !in_metadata_) finish_tensor();
  tensor_name_.clear();
  in_metadata_ = false;
  --depth_;
  return true;
}

void SafetensorsParser::finish_tensor() {
  const std::string name = printable(tensor_name_);
  if (!type_ || !has_shape_ || offsets_.empty())
    bad("tensor '", name, "' lacks ", !type_ ? "dtype" : !has_shape_ ? "shape" : "data_offsets");
  if (file_.tensors_.size() == kMaxTensors) bad("more than ", kMaxTensors, " tensors");
  SafetensorsTensor t;
  std::uint64_t bytes = type_->bytes;
  for (const std::uint64_t d : shape_) {
    if (__builtin_mul_overflow(bytes, d, &bytes) || d > INT64_MAX || bytes > INT64_MAX)
      bad("tensor '", name, "': a dimension of ", d, " makes the size overflow");
    t.shape.push_back(static_cast<std::size_t>(d));
  }
  if (offsets_[0] > offsets_[1] || offsets_[1] - offsets_[0] != bytes)
    bad("tensor '", name, "' lies from ", offsets_[0], " to ", offsets_[1], ", but its shape and type make ", bytes,
        " bytes");
  t.name = std::move(tensor_name_);
  t.type_name = type_->name;
  t.type = type_->type;
  t.nbytes = static_cast<std::size_t>(bytes);
  file_.tensors_.push_back(std::move(t));
  ranges_.emplace_back(offsets_[0], offsets_[1]);
}

// The data must be covered exactly: a hole could hide anything, an overlap is a lie about sizes.
void SafetensorsParser::place_tensors(const std::byte* data, std::size_t room) {
  std::vector<std::uint32_t> order(ranges_.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return ranges_[a] < ranges_[b]; });
  std::uint64_t at = 0;
  for (const std::uint32_t i : order) {
    SafetensorsTensor& t = file_.tensors_[i];
    if (ranges_[i].second > room)
      bad("tensor '", printable(t.name), "' ends at byte ", ranges_[i].second, " of ", room, " bytes of data");
    if (ranges_[i].first != at)
      bad("tensor '", printable(t.name), "' begins at byte ", ranges_[i].first, ", expected ", at,
          " (the data must have no holes or overlaps)");
    t.data = data + ranges_[i].first;
    at = ranges_[i].second;
  }
  if (at != room) bad("the tensors end at byte ", at, " of ", room, " bytes of data");
}

void SafetensorsParser::run() {
  const std::byte* begin = file_.storage_->data();
  const std::size_t size = file_.storage_->size();
  if (size < 8) bad("a file of ", size, " bytes has no header");
  std::uint64_t length;
  std::memcpy(&length, begin, 8);
  if (length > kMaxHeader || length > size - 8)
    bad("a header of ", length, " bytes, but ", size - 8, " are left (the limit is ", kMaxHeader, ")");
  const char* text = reinterpret_cast<const char*>(begin) + 8;
  if (length == 0 || text[0] != '{') bad("the header does not begin with '{'");
  Json::sax_parse(text, text + length, this);
  file_.by_name_.resize(file_.tensors_.size());
  std::iota(file_.by_name_.begin(), file_.by_name_.end(), 0u);
  const auto& tensors = file_.tensors_;
  std::sort(file_.by_name_.begin(), file_.by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return tensors[a].name < tensors[b].name; });
  for (std::size_t i = 1; i < tensors.size(); ++i)
    if (tensors[file_.by_name_[i]].name == tensors[file_.by_name_[i - 1]].name)
      bad("tensor '", printable(tensors[file_.by_name_[i]].name), "' appears twice");
  place_tensors(begin + 8 + length, size - 8 - static_cast<std::size_t>(length));
}

SafetensorsFile::SafetensorsFile(Storage storage, std::string name)
    : name_(std::move(name)), storage_(std::make_shared<Storage>(std::move(storage))) {
  SafetensorsParser(*this).run();
}

SafetensorsFile SafetensorsFile::open(const std::string& path, Mode mode) {
  return SafetensorsFile(mode == Mode::map ? Storage::map_file(path) : Storage::read_file(default_allocator(), path),
                         path);
}

SafetensorsFile SafetensorsFile::from_memory(const void* data, std::size_t size, const std::string& name) {
  LQ_CHECK(data || size == 0, Code::invalid_argument, "safetensors: ", name, ": no data");
  return SafetensorsFile(Storage::borrow(data, size), name);
}

const SafetensorsTensor* SafetensorsFile::find_tensor(std::string_view name) const noexcept {
  const auto it = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                   [&](std::uint32_t i, std::string_view w) { return tensors_[i].name < w; });
  return it != by_name_.end() && tensors_[*it].name == name ? &tensors_[*it] : nullptr;
}

const std::string* SafetensorsFile::find(std::string_view key) const noexcept {
  for (const auto& [k, v] : metadata_)
    if (k == key) return &v;
  return nullptr;
}

void SafetensorsFile::drop_pages(std::span<const std::byte> bytes) const noexcept {
  storage_->drop_pages(static_cast<std::size_t>(bytes.data() - storage_->data()), bytes.size());
}

void read_floats(const SafetensorsTensor& t, float* out) {
  const std::size_t n = t.shape.count();
  if (t.type == DType::F32) {
    if (n) std::memcpy(out, t.data, n * sizeof(float));
    return;
  }
  LQ_CHECK(t.type == DType::F16 || t.type == DType::BF16, Code::unsupported, "safetensors: tensor '", printable(t.name),
           "' has type ", t.type_name, ", expected F32, F16 or BF16");
  for (std::size_t i = 0; i < n; ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, t.data + 2 * i, 2);
    out[i] = t.type == DType::F16 ? to_float(f16{bits}) : to_float(bf16{bits});
  }
}

}  // namespace lq
