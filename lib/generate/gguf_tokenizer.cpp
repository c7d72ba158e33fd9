#include "gguf_tokenizer.hpp"

#include <limits>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::string_view kPrefix = "tokenizer.ggml.";

class Reader {
 public:
  explicit Reader(const GgufFile& file) : file_(file) {}

  const GgufValue* find(const char* key) const { return file_.find(str(kPrefix, key)); }
  [[noreturn]] void wrong(const char* key, const char* wanted) const {
    const GgufValue* v = find(key);
    fail(Code::bad_file, "'", file_.name(), "': key '", kPrefix, key, "' ", v ? "is of type " : "is missing",
         v ? gguf_type_name(v->type()) : "", ", expected ", wanted);
  }
  std::string string(const char* key, bool required) const {
    const GgufValue* v = find(key);
    if (!v && !required) return {};
    const auto s = v ? v->as_string() : std::nullopt;
    if (!s) wrong(key, "a string");
    return std::string(*s);
  }
  std::vector<std::string_view> strings(const char* key, bool required) const {
    const GgufValue* v = find(key);
    if (!v && !required) return {};
    auto s = v ? v->as_strings() : std::nullopt;
    if (!s) wrong(key, "an array of strings");
    return std::move(*s);
  }
  std::optional<std::int32_t> id(const char* key) const {
    const GgufValue* v = find(key);
    if (!v) return std::nullopt;
    const auto i = v->as_int();
    if (!i || *i < -1 || *i > std::numeric_limits<std::int32_t>::max()) wrong(key, "a token id");
    return *i < 0 ? std::nullopt : std::optional<std::int32_t>(static_cast<std::int32_t>(*i));
  }
  std::optional<bool> flag(const char* key) const {
    const GgufValue* v = find(key);
    if (!v) return std::nullopt;
    const auto b = v->as_bool();
    if (!b) wrong(key, "a boolean");
    return b;
  }
  std::vector<float> scores() const {
    std::vector<float> out;
    const GgufValue* v = find("scores");
    if (!v) return out;
    const auto values = v->as_doubles();
    if (!values) wrong("scores", "an array of numbers");
    return {values->begin(), values->end()};
  }
  std::string_view bytes(const char* key) const {
    const GgufValue* v = find(key);
    if (!v) return {};
    if (v->type() != GgufType::array || (v->element_type() != GgufType::u8 && v->element_type() != GgufType::i8))
      wrong(key, "an array of bytes");
    return {reinterpret_cast<const char*>(v->bytes().data()), v->bytes().size()};
  }
  std::vector<std::int32_t> ids(const char* key) const {
    const GgufValue* v = find(key);
    if (!v) return {};
    const auto values = v->as_ints();
    if (!values) wrong(key, "an array of token ids");
    std::vector<std::int32_t> out;
    for (const std::int64_t id : *values)
      out.push_back(id < 0 || id > std::numeric_limits<std::int32_t>::max() ? -1 : static_cast<std::int32_t>(id));
    return out;
  }
  std::vector<std::int32_t> types() const {
    std::vector<std::int32_t> out;
    const GgufValue* v = find("token_type");
    if (!v) return out;
    const auto values = v->as_ints();
    if (!values) wrong("token_type", "an array of integers");
    out.reserve(values->size());
    for (std::int64_t t : *values)
      out.push_back(t < 0 || t > 255 ? 255 : static_cast<std::int32_t>(t));  // 255: refused by name later
    return out;
  }

 private:
  const GgufFile& file_;
};

}  // namespace

TokenizerData read_tokenizer(const GgufFile& file) {
  const Reader r(file);
  TokenizerData d;
  d.model = r.string("model", true);
  d.pre = r.string("pre", false);
  d.tokens = r.strings("tokens", true);
  d.types = r.types();
  if (d.model != "gpt2" && d.model != "bert") d.scores = r.scores();  // the others have no use for them
  d.merges = r.strings("merges", false);
  d.bos = r.id("bos_token_id");
  if (!d.bos) d.bos = r.id("cls_token_id");
  d.eos = r.id("eos_token_id");
  d.eot = r.id("eot_token_id");
  d.eom = r.id("eom_token_id");
  d.unk = r.id("unknown_token_id");
  d.sep = r.id("seperator_token_id");  // spelt so in the files
  d.pad = r.id("padding_token_id");
  d.add_bos = r.flag("add_bos_token");
  d.add_eos = r.flag("add_eos_token");
  d.lowercase = r.flag("normalizer.lowercase");
  d.strip_accents = r.flag("normalizer.strip_accents");
  d.add_space_prefix = r.flag("add_space_prefix");
  d.space_prefix = r.string("space_prefix", false);
  d.remove_extra_whitespaces = r.flag("remove_extra_whitespaces").value_or(false);
  d.charsmap = r.bytes("precompiled_charsmap");
  d.charsmap_graphemes = r.flag("charsmap_graphemes").value_or(false);
  d.lstrip = r.ids("lstrip");
  d.rstrip = r.ids("rstrip");
  d.single_word = r.ids("single_word");
  d.keep_alive = file.storage();
  return d;
}

}  // namespace lq
