#include "hf_tokenizer.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "hf_json.hpp"
#include "loquor/core/status.hpp"
#include "loquor/core/storage.hpp"
#include "loquor/text/vocab.hpp"

namespace lq {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr std::string_view kCl100k =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
constexpr std::string_view kQwen2 =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

class Writer {
 public:
  Writer(const std::string& folder, const HfConfig& config, GgufWriter& out)
      : folder_(folder), config_(config), out_(out), file_(HfConfig::open((folder_ / "tokenizer.json").string())) {
    const Json& j = file_.root().json;
    if (!j.contains("model") || !j["model"].is_object()) bad("has no object 'model'");
    model_ = &j["model"];
    if (const fs::path path = folder_ / "tokenizer_config.json"; exists(path))
      settings_ = HfConfig::open(path.string());
  }
  void run();

 private:
  template <class... Args>
  [[noreturn]] void bad(const Args&... args) const {
    fail(Code::bad_file, "'", file_.name(), "' ", args...);
  }
  static bool exists(const fs::path& path) {
    std::error_code error;
    return fs::exists(path, error);
  }
  void set(std::string_view key, const std::string& value) { out_.add_string(str("tokenizer.ggml.", key), value); }
  void read_vocab();
  void read_added();
  void put_token(std::int64_t id, const std::string& text, TokenKind kind);
  void bpe();
  void wordpiece();
  std::string pre() const;
  void write_merges();
  void write_special_ids();
  void write_template();
  std::optional<std::int32_t> special(const char* role) const;
  bool has_part(const char* what, const char* type) const;

  fs::path folder_;
  const HfConfig& config_;
  GgufWriter& out_;
  HfConfig file_;
  std::optional<HfConfig> settings_;
  const Json* model_;
  std::vector<std::string> tokens_;
  std::vector<std::int32_t> types_;
};

void Writer::put_token(std::int64_t id, const std::string& text, TokenKind kind) {
  constexpr std::int64_t kMax = static_cast<std::int64_t>(Vocab::kMaxTokens);
  if (id < 0 || id >= kMax) bad("has a token of id ", id, ", expected 0 to ", kMax - 1);
  const auto at = static_cast<std::size_t>(id);
  if (at >= tokens_.size()) {
    tokens_.resize(at + 1);
    types_.resize(at + 1, static_cast<std::int32_t>(TokenKind::unused));
  }
  tokens_[at] = text;
  types_[at] = static_cast<std::int32_t>(kind);
}

void Writer::read_vocab() {
  const auto vocab = model_->find("vocab");
  if (vocab == model_->end() || !vocab->is_object() || vocab->empty()) bad("has no object 'model.vocab'");
  for (const auto& [text, id] : vocab->items()) {
    if (!id.is_number_integer()) bad("has a token without an id in 'model.vocab'");
    put_token(id.get<std::int64_t>(), text, TokenKind::normal);
  }
}

void Writer::read_added() {
  const Json& j = file_.root().json;
  const auto added = j.find("added_tokens");
  if (added == j.end() || !added->is_array()) return;
  for (const Json& t : *added) {
    if (!t.is_object() || !t.contains("id") || !t["id"].is_number_integer() || !t.contains("content") ||
        !t["content"].is_string())
      bad("has an added token without an id or content");
    const bool special = t.value("special", false);
    put_token(t["id"].get<std::int64_t>(), t["content"].get<std::string>(),
              special ? TokenKind::control : TokenKind::user_defined);
  }
}

// Whether the pre-tokenizer, normalizer, ... is or has a part of a type.
bool Writer::has_part(const char* what, const char* type) const {
  const Json& j = file_.root().json;
  const auto part = j.find(what);
  if (part == j.end() || !part->is_object()) return false;
  if (part->value("type", "") == type) return true;
  for (const char* list : {"pretokenizers", "normalizers", "decoders", "processors"})
    if (const auto inner = part->find(list); inner != part->end() && inner->is_array())
      for (const Json& p : *inner)
        if (p.is_object() && p.value("type", "") == type) return true;
  return false;
}

// The name of the pre-tokenizer, by its parts.
std::string Writer::pre() const {
  const Json& p = file_.root().json.at("pre_tokenizer");
  std::vector<const Json*> parts;
  if (p.value("type", "") == "Sequence" && p.contains("pretokenizers") && p["pretokenizers"].is_array())
    for (const Json& part : p["pretokenizers"]) parts.push_back(&part);
  else
    parts.push_back(&p);
  std::string shape;
  for (const Json* part : parts) {
    const std::string type = part->value("type", "");
    if (!shape.empty()) shape += ", ";
    if (type == "ByteLevel") {
      LQ_CHECK(!part->value("add_prefix_space", false), Code::unsupported, "'", file_.name(),
               "': a byte-level pre-tokenizer that adds a space in front is not supported");
      shape += part->value("use_regex", true) ? "gpt2" : "bytes";
    } else if (type == "Digits") {
      shape += part->value("individual_digits", false) ? "digits" : "numbers";
    } else if (type == "Split" && part->contains("pattern") && (*part)["pattern"].is_object()) {
      shape += (*part)["pattern"].value("Regex", "?");
    } else {
      shape += type;
    }
  }
  const bool whole_words = model_->value("ignore_merges", false);
  if (shape == "gpt2") return "gpt-2";
  if (shape == "digits, gpt2") return "smollm";
  if (shape == str(kCl100k, ", bytes")) return whole_words ? "llama-bpe" : "dbrx";
  if (shape == str(kQwen2, ", bytes")) return "qwen2";
  fail(Code::unsupported, "'", file_.name(), "': the pre-tokenizer ", shape.substr(0, 400), " is not supported");
}

void Writer::write_merges() {
  const auto merges = model_->find("merges");
  if (merges == model_->end() || !merges->is_array()) bad("has no array 'model.merges'");
  std::vector<std::string> out;
  out.reserve(merges->size());
  for (const Json& m : *merges) {
    if (m.is_string())
      out.push_back(m.get<std::string>());
    else if (m.is_array() && m.size() == 2 && m[0].is_string() && m[1].is_string())
      out.push_back(m[0].get<std::string>() + " " + m[1].get<std::string>());
    else
      bad("has a merge that is neither a string nor a pair of strings");
  }
  out_.add_strings("tokenizer.ggml.merges", out);
}

void Writer::bpe() {
  LQ_CHECK(has_part("pre_tokenizer", "ByteLevel"), Code::unsupported, "'", file_.name(),
           "': BPE without a byte-level pre-tokenizer is not supported yet");
  set("model", "gpt2");
  set("pre", pre());
  write_merges();
}

// GGUF marks the pieces that begin a word, WordPiece those that don't.
void Writer::wordpiece() {
  const std::string prefix = model_->value("continuing_subword_prefix", "##");
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    if (types_[i] != static_cast<std::int32_t>(TokenKind::normal)) continue;
    tokens_[i] = tokens_[i].starts_with(prefix) && tokens_[i].size() > prefix.size()
                     ? tokens_[i].substr(prefix.size())
                     : std::string(kMetaspace) + tokens_[i];
  }
  set("model", "bert");
  set("pre", "bert");
  const HfConfig normalizer = file_.object("normalizer");
  LQ_CHECK(normalizer.text("type").value_or("BertNormalizer") == "BertNormalizer", Code::unsupported, "'", file_.name(),
           "': the normalizer ", normalizer.text("type").value_or(""), " is not supported with WordPiece");
  const bool lowercase = normalizer.flag("lowercase").value_or(false);
  out_.add_bool("tokenizer.ggml.normalizer.lowercase", lowercase);
  out_.add_bool("tokenizer.ggml.normalizer.strip_accents", normalizer.flag("strip_accents").value_or(lowercase));
}

// A token named in tokenizer_config.json, as a string or as an object.
std::optional<std::int32_t> Writer::special(const char* role) const {
  if (!settings_) return std::nullopt;
  const Json& j = settings_->root().json;
  const auto it = j.find(role);
  if (it == j.end()) return std::nullopt;
  std::string text;
  if (it->is_string()) text = it->get<std::string>();
  if (it->is_object()) text = it->value("content", "");
  const auto at = std::find(tokens_.begin(), tokens_.end(), text);
  if (text.empty() || at == tokens_.end()) return std::nullopt;
  return static_cast<std::int32_t>(at - tokens_.begin());
}

void Writer::write_special_ids() {
  const auto put = [&](const char* key, std::optional<std::int32_t> id) {
    if (id) out_.add_u32(str("tokenizer.ggml.", key), static_cast<std::uint32_t>(*id));
    return id;
  };
  const auto bos = put("bos_token_id", special("bos_token") ? special("bos_token") : special("cls_token"));
  const auto eos = put("eos_token_id", special("eos_token") ? special("eos_token") : special("sep_token"));
  put("unknown_token_id", special("unk_token"));
  put("padding_token_id", special("pad_token"));
  put("mask_token_id", special("mask_token"));
  // Generation may end with other tokens than texts do.
  if (const fs::path path = folder_ / "generation_config.json"; exists(path)) {
    const HfConfig c = HfConfig::open(path.string());
    if (c.size("eos_token_id") > 0)
      for (const double id : c.numbers("eos_token_id"))
        if (id >= 0 && id < static_cast<double>(tokens_.size()) && (!eos || id != *eos)) {
          put("eot_token_id", static_cast<std::int32_t>(id));
          break;
        }
  }
  // What encoding puts around a text.
  const Json& j = file_.root().json;
  bool first = false, last = false;
  const auto look = [&](const Json& p) {
    const auto single = p.find("single");
    if (single == p.end() || !single->is_array() || single->empty()) return;
    first = single->front().contains("SpecialToken");
    last = single->back().contains("SpecialToken");
  };
  if (const auto p = j.find("post_processor"); p != j.end() && p->is_object()) {
    look(*p);
    if (const auto list = p->find("processors"); list != p->end() && list->is_array())
      for (const Json& part : *list) look(part);
  }
  if (bos) out_.add_bool("tokenizer.ggml.add_bos_token", first);
  if (eos) out_.add_bool("tokenizer.ggml.add_eos_token", last);
}

void Writer::write_template() {
  std::string text;
  if (const fs::path path = folder_ / "chat_template.jinja"; exists(path)) {
    const Storage bytes = Storage::read_file(default_allocator(), path.string());
    text.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  } else if (settings_) {
    const Json& j = settings_->root().json;
    const auto it = j.find("chat_template");
    if (it != j.end() && it->is_string()) text = it->get<std::string>();
    if (it != j.end() && it->is_array())
      for (const Json& t : *it)
        if (t.is_object() && (text.empty() || t.value("name", "") == "default")) text = t.value("template", "");
  }
  if (!text.empty()) out_.add_string("tokenizer.chat_template", text);
}

void Writer::run() {
  read_vocab();
  read_added();
  const std::string kind = model_->value("type", "BPE");
  if (kind == "WordPiece")
    wordpiece();
  else if (kind == "BPE")
    bpe();
  else
    fail(Code::unsupported, "'", file_.name(), "': tokenizer model '", kind.substr(0, 64),
         "' is not supported (known: BPE, WordPiece)");
  if (const auto unk = special("unk_token"); unk && kind == "WordPiece")
    types_[static_cast<std::size_t>(*unk)] = static_cast<std::int32_t>(TokenKind::control);
  // Rows of the embedding without a token.
  const std::size_t rows = config_.count("vocab_size").value_or(0);
  for (std::size_t i = tokens_.size(); i < rows && rows <= Vocab::kMaxTokens; ++i) {
    tokens_.push_back(str("[PAD", i, "]"));
    types_.push_back(static_cast<std::int32_t>(TokenKind::unused));
  }
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    if (tokens_[i].empty() && types_[i] == static_cast<std::int32_t>(TokenKind::unused))
      tokens_[i] = str("[PAD", i, "]");
  out_.add_strings("tokenizer.ggml.tokens", tokens_);
  out_.add_i32s("tokenizer.ggml.token_type", types_);
  write_special_ids();
  write_template();
}

}  // namespace

void write_hf_tokenizer(const std::string& folder, const HfConfig& config, GgufWriter& writer) {
  try {
    Writer(folder, config, writer).run();
  } catch (const Json::exception& e) {  // a part of another type than the code above expects
    fail(Code::bad_file, "'", folder, "/tokenizer.json': ", e.what());
  }
}

std::vector<std::string> hf_index_files(const HfConfig& index) {
  std::vector<std::string> out;
  const Json& j = index.root().json;
  const auto map = j.find("weight_map");
  LQ_CHECK(map != j.end() && map->is_object(), Code::bad_file, "'", index.name(), "' has no object 'weight_map'");
  for (const auto& [tensor, file] : map->items()) {
    LQ_CHECK(file.is_string(), Code::bad_file, "'", index.name(), "': tensor '", tensor, "' names no file");
    out.push_back(file.get<std::string>());
  }
  return out;
}

}  // namespace lq
