#include "loquor/formats/gguf.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "gguf_scalar.hpp"
#include "loquor/core/status.hpp"

namespace lq {

using gguf::load;
using gguf::scalar_bytes;

namespace {

constexpr std::size_t kMaxKeys = 1 << 16;
constexpr std::size_t kMaxTensors = 1 << 20;
constexpr std::size_t kMaxKeyBytes = 65535;  // the specification's bound
constexpr std::size_t kMaxTensorName = 256;  // the specification says 64
constexpr std::size_t kMaxDepth = 4;         // arrays of arrays
constexpr std::size_t kMaxAlignment = 1 << 16;
// The smallest entries there can be, for bounding counts by the bytes left.
constexpr std::size_t kMinEntry = 8 + 1 + 4 + 1;
constexpr std::size_t kMinTensor = 8 + 1 + 4 + 8 + 4 + 8;

// Control characters and invalid lengths of hostile names stay out of messages.
std::string printable(std::string_view s) {
  std::string out(s.substr(0, 64));
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 32 || static_cast<unsigned char>(c) > 126) c = '?';
  return out;
}

template <class Items, class Name>
std::vector<std::uint32_t> sorted_index(const Items& items, const Name& name) {
  std::vector<std::uint32_t> index(items.size());
  std::iota(index.begin(), index.end(), 0u);
  std::sort(index.begin(), index.end(),
            [&](std::uint32_t a, std::uint32_t b) { return name(items[a]) < name(items[b]); });
  return index;
}

template <class Items, class Name>
const typename Items::value_type* find_sorted(const Items& items, const std::vector<std::uint32_t>& index,
                                              const Name& name, std::string_view wanted) noexcept {
  const auto it = std::lower_bound(index.begin(), index.end(), wanted,
                                   [&](std::uint32_t i, std::string_view w) { return name(items[i]) < w; });
  return it != index.end() && name(items[*it]) == wanted ? &items[*it] : nullptr;
}

std::string_view key_of(const GgufFile::Entry& e) noexcept { return e.key; }
std::string_view name_of(const GgufTensor& t) noexcept { return t.name; }

}  // namespace

const char* gguf_type_name(GgufType type) noexcept {
  constexpr const char* kNames[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                    "bool", "string", "array", "u64", "i64", "f64"};
  const auto i = static_cast<std::size_t>(type);
  return i < std::size(kNames) ? kNames[i] : "unknown";
}

// Walks the header once. `at_` never passes `end_`.
class GgufParser {
 public:
  // `placed`: where the tensors are, if not behind the header.
  GgufParser(GgufFile& file, const std::span<const std::byte* const>* placed)
      : file_(file),
        placed_(placed),
        begin_(file.storage_->data()),
        at_(begin_),
        end_(begin_ + file.storage_->size()) {}
  void run();

 private:
  template <class... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(Code::bad_file, "gguf: ", file_.name_, ": ", args...);
  }
  // The key or tensor being read, for messages about what lies inside it.
  std::string within() const { return what_.empty() ? std::string() : str(what_kind_, " '", printable(what_), "': "); }
  void enter(const char* kind, std::string_view name) noexcept {
    what_kind_ = kind;
    what_ = name;
  }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  template <class T>
  T read(const char* what) {
    if (left() < sizeof(T)) bad(within(), "the file ends in ", what, " (at byte ", at_ - begin_, ")");
    const T v = load<T>(at_);
    at_ += sizeof(T);
    return v;
  }
  std::size_t read_count(const char* what, std::size_t min_bytes, std::size_t limit);
  std::string_view read_string(const char* what, std::size_t limit);
  void skip_array(std::string_view key, GgufType element, std::uint64_t count, std::size_t depth);
  void read_entry();
  void read_alignment();
  void read_tensor(std::vector<std::uint64_t>& offsets);
  void place_tensors(const std::vector<std::uint64_t>& offsets);

  GgufFile& file_;
  const std::span<const std::byte* const>* placed_;
  const std::byte *begin_, *at_, *end_;
  const char* what_kind_ = "";
  std::string_view what_;
};

std::size_t GgufParser::read_count(const char* what, std::size_t min_bytes, std::size_t limit) {
  const auto n = read<std::uint64_t>(what);
  if (n > left() / min_bytes) bad("the header counts ", n, " ", what, ", more than the file has room for");
  if (n > limit) bad("the header counts ", n, " ", what, ", over the limit of ", limit);
  return static_cast<std::size_t>(n);
}

std::string_view GgufParser::read_string(const char* what, std::size_t limit) {
  const auto n = read<std::uint64_t>(what);
  if (n > left()) bad(within(), what, " of ", n, " bytes at byte ", at_ - begin_, " goes past the end of the file");
  if (n > limit) bad(within(), what, " of ", n, " bytes is over the limit of ", limit);
  const std::string_view s(reinterpret_cast<const char*>(at_), static_cast<std::size_t>(n));
  at_ += n;
  return s;
}

// Checks the elements of an array and moves past them.
void GgufParser::skip_array(std::string_view key, GgufType element, std::uint64_t count, std::size_t depth) {
  const std::size_t width = scalar_bytes(element);
  if (width) {
    if (count > left() / width)
      bad("key '", printable(key), "' has ", count, " elements, more than the file has room for");
    at_ += count * width;
    return;
  }
  if (count > left() / 8) bad("key '", printable(key), "' has ", count, " elements, more than the file has room for");
  for (std::uint64_t i = 0; i < count; ++i) {
    if (element == GgufType::string) {
      read_string("a string", static_cast<std::size_t>(-1));
      continue;
    }
    if (depth >= kMaxDepth) bad("key '", printable(key), "' nests arrays more than ", kMaxDepth, " deep");
    const auto inner = read<std::uint32_t>("an array's type");
    if (inner > static_cast<std::uint32_t>(GgufType::f64)) bad("key '", printable(key), "' has element type ", inner);
    skip_array(key, static_cast<GgufType>(inner), read<std::uint64_t>("an array's length"), depth + 1);
  }
}

void GgufParser::read_entry() {
  GgufFile::Entry e;
  enter("", {});
  e.key = read_string("a key", kMaxKeyBytes);
  enter("key", e.key);
  if (e.key.empty()) bad("an empty key at byte ", at_ - begin_);
  const auto type = read<std::uint32_t>("a value's type");
  if (type > static_cast<std::uint32_t>(GgufType::f64)) bad("key '", printable(e.key), "' has value type ", type);
  GgufValue& v = e.value;
  v.type_ = static_cast<GgufType>(type);
  if (v.type_ == GgufType::string) {
    const std::string_view s = read_string("a string", static_cast<std::size_t>(-1));
    v.count_ = s.size();
    v.bytes_ = {reinterpret_cast<const std::byte*>(s.data()), s.size()};
  } else if (v.type_ == GgufType::array) {
    const auto element = read<std::uint32_t>("an array's type");
    if (element > static_cast<std::uint32_t>(GgufType::f64))
      bad("key '", printable(e.key), "' has element type ", element);
    v.element_ = static_cast<GgufType>(element);
    const auto count = read<std::uint64_t>("an array's length");
    const std::byte* start = at_;
    skip_array(e.key, v.element_, count, 1);
    v.count_ = static_cast<std::size_t>(count);
    v.bytes_ = {start, at_};
  } else {
    const std::size_t n = scalar_bytes(v.type_);
    if (left() < n) bad("key '", printable(e.key), "' goes past the end of the file");
    if (v.type_ == GgufType::boolean && static_cast<unsigned>(*at_) > 1)
      bad("key '", printable(e.key), "' is a boolean of value ", static_cast<unsigned>(*at_));
    v.count_ = 1;
    v.bytes_ = {at_, n};
    at_ += n;
  }
  file_.metadata_.push_back(e);
}

void GgufParser::read_alignment() {
  const GgufValue* v = file_.find("general.alignment");
  if (!v) return;
  const auto n = v->as_uint();
  if (!n) bad("key 'general.alignment' has type ", gguf_type_name(v->type()), ", expected an unsigned integer");
  if (*n == 0 || (*n & (*n - 1)) || *n > kMaxAlignment)
    bad("key 'general.alignment' is ", *n, ", expected a power of two up to ", kMaxAlignment);
  file_.alignment_ = static_cast<std::size_t>(*n);
}

void GgufParser::read_tensor(std::vector<std::uint64_t>& offsets) {
  GgufTensor t;
  enter("", {});
  t.name = read_string("a tensor's name", kMaxTensorName);
  enter("tensor", t.name);
  if (t.name.empty()) bad("a tensor without a name at byte ", at_ - begin_);
  const auto rank = read<std::uint32_t>("a tensor's rank");
  if (rank == 0 || rank > Shape::kMaxRank)
    bad("tensor '", printable(t.name), "' has ", rank, " dimensions, expected 1 to 4");
  std::uint64_t dims[Shape::kMaxRank];
  std::uint64_t count = 1;
  for (std::uint32_t i = 0; i < rank; ++i) {
    dims[i] = read<std::uint64_t>("a tensor's shape");
    if (dims[i] == 0 || __builtin_mul_overflow(count, dims[i], &count) || count > INT64_MAX)
      bad("tensor '", printable(t.name), "': dimension ", i, " is ", dims[i],
          ", which is zero or makes the size overflow");
  }
  for (std::uint32_t i = rank; i-- > 0;) t.shape.push_back(static_cast<std::size_t>(dims[i]));
  const auto type = read<std::uint32_t>("a tensor's type");
  const TypeTraits* known = type <= INT32_MAX ? find_type(static_cast<std::int32_t>(type)) : nullptr;
  LQ_CHECK(known, Code::unsupported, "gguf: ", file_.name_, ": tensor '", printable(t.name), "' has type ", type, " (",
           gguf_element_name(type), "), which this build does not support");
  t.type = known->type;
  if (dims[0] % known->block_elems)
    bad("tensor '", printable(t.name), "' has rows of ", dims[0], " elements, not a multiple of ", known->block_elems);
  std::uint64_t bytes;
  if (__builtin_mul_overflow(count / known->block_elems, known->block_bytes, &bytes))
    bad("tensor '", printable(t.name), "' is too large");
  t.nbytes = static_cast<std::size_t>(bytes);
  offsets.push_back(read<std::uint64_t>("a tensor's offset"));
  file_.tensors_.push_back(t);
}

// Offsets count from the first aligned byte after the header; tensors may not overlap.
void GgufParser::place_tensors(const std::vector<std::uint64_t>& offsets) {
  const std::size_t alignment = file_.alignment_;
  const std::size_t header = static_cast<std::size_t>(at_ - begin_);
  const std::size_t start = (header + alignment - 1) / alignment * alignment;
  const std::size_t size = file_.storage_->size();
  const std::size_t room = start <= size ? size - start : 0;
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    GgufTensor& t = file_.tensors_[i];
    if (offsets[i] % alignment)
      bad("tensor '", printable(t.name), "' is at offset ", offsets[i], ", not a multiple of ", alignment);
    if (offsets[i] > room || t.nbytes > room - offsets[i])
      bad("tensor '", printable(t.name), "' (", t.nbytes, " bytes at offset ", offsets[i],
          ") goes past the end of the data (", room, " bytes)");
    t.data = begin_ + start + offsets[i];
  }
  std::vector<std::uint32_t> order(offsets.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return offsets[a] < offsets[b]; });
  for (std::size_t i = 1; i < order.size(); ++i) {
    const GgufTensor &a = file_.tensors_[order[i - 1]], &b = file_.tensors_[order[i]];
    if (a.data + a.nbytes > b.data) bad("tensors '", printable(a.name), "' and '", printable(b.name), "' overlap");
  }
}

void GgufParser::run() {
  if (left() < 4 || std::memcmp(at_, "GGUF", 4) != 0) bad("not a GGUF file (it does not begin with 'GGUF')");
  at_ += 4;
  file_.version_ = read<std::uint32_t>("the header");
  LQ_CHECK(file_.version_ == 2 || file_.version_ == 3, Code::unsupported, "gguf: ", file_.name_, ": version ",
           file_.version_, (file_.version_ & 0xffff) == 0 ? " (big-endian?)" : "", ", expected 2 or 3");
  const std::size_t n_tensors = read_count("tensors", kMinTensor, kMaxTensors);
  const std::size_t n_keys = read_count("keys", kMinEntry, kMaxKeys);
  file_.metadata_.reserve(n_keys);
  for (std::size_t i = 0; i < n_keys; ++i) read_entry();
  file_.by_key_ = sorted_index(file_.metadata_, key_of);
  for (std::size_t i = 1; i < n_keys; ++i) {
    const std::string_view key = file_.metadata_[file_.by_key_[i]].key;
    if (key == file_.metadata_[file_.by_key_[i - 1]].key) bad("key '", printable(key), "' appears twice");
  }
  read_alignment();
  if (n_tensors > left() / kMinTensor)
    bad("the header counts ", n_tensors, " tensors, more than the file has room for");
  std::vector<std::uint64_t> offsets;
  offsets.reserve(n_tensors);
  file_.tensors_.reserve(n_tensors);
  for (std::size_t i = 0; i < n_tensors; ++i) read_tensor(offsets);
  file_.index_tensors();
  if (!placed_) return place_tensors(offsets);
  LQ_CHECK(placed_->size() == n_tensors, Code::internal, "gguf: ", file_.name_, ": ", placed_->size(), " places for ",
           n_tensors, " tensors");
  for (std::size_t i = 0; i < n_tensors; ++i) file_.tensors_[i].data = (*placed_)[i];
}

void GgufFile::index_tensors() {
  by_name_ = sorted_index(tensors_, name_of);
  for (std::size_t i = 1; i < tensors_.size(); ++i) {
    const std::string_view name = tensors_[by_name_[i]].name;
    LQ_CHECK(name != tensors_[by_name_[i - 1]].name, Code::bad_file, "gguf: ", name_, ": tensor '", printable(name),
             "' appears twice");
  }
}

GgufFile::GgufFile(Storage storage, std::string name, const std::span<const std::byte* const>* placed)
    : name_(std::move(name)), storage_(std::make_shared<Storage>(std::move(storage))) {
  GgufParser(*this, placed).run();
}

const GgufValue* GgufFile::find(std::string_view key) const noexcept {
  const Entry* e = find_sorted(metadata_, by_key_, key_of, key);
  return e ? &e->value : nullptr;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const noexcept {
  return find_sorted(tensors_, by_name_, name_of, name);
}

}  // namespace lq
