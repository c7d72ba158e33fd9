#include "loquor/models/hf_folder.hpp"

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "encoder_family.hpp"
#include "family.hpp"
#include "hf_builder.hpp"
#include "hf_tokenizer.hpp"
#include "loquor/core/status.hpp"

namespace lq {

bool HfImport::takes(std::string_view model_type) const noexcept {
  std::string_view left = types;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(' '), left.size());
    if (left.substr(0, end) == model_type) return true;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return false;
}

namespace {

namespace fs = std::filesystem;

struct Chosen {
  std::string_view arch;
  const HfImport* import = nullptr;
  bool encoder = false;
};

Chosen choose(const HfConfig& config) {
  const std::string type = config.text("model_type").value_or("");
  std::string known;
  const auto offer = [&](std::string_view arch, const HfImport& import, bool encoder) -> Chosen {
    if (import.takes(type)) return {arch, &import, encoder};
    if (!import.types.empty()) known += (known.empty() ? "" : " ") + std::string(import.types);
    return {};
  };
  for (const Family* f : families())
    if (const Chosen c = offer(f->name, f->hf, false); c.import) return c;
  for (const EncoderFamily* f : encoder_families())
    if (const Chosen c = offer(f->name, f->hf, true); c.import) return c;
  fail(Code::unsupported, "'", config.name(), "': model type '", type.substr(0, 64),
       "' is not supported (known: ", known, ")");
}

// The safetensors files of the folder, in the order of their names.
std::vector<SafetensorsFile> open_weights(const fs::path& folder) {
  std::vector<std::string> paths;
  const fs::path index = folder / "model.safetensors.index.json";
  std::error_code error;
  if (fs::exists(index, error)) {
    std::set<std::string> names;
    const HfConfig json = HfConfig::open(index.string());
    for (const std::string& file : hf_index_files(json)) names.insert(file);
    for (const std::string& n : names) {
      LQ_CHECK(n.find('/') == n.npos, Code::bad_file, "'", json.name(),
               "' names a file outside the folder: ", n.substr(0, 64));
      paths.push_back((folder / n).string());
    }
  } else {
    paths.push_back((folder / "model.safetensors").string());
  }
  std::vector<SafetensorsFile> files;
  for (const std::string& path : paths) files.push_back(SafetensorsFile::open(path));
  return files;
}

// Matches '#' with digits; the numbers found, in order.
bool match(std::string_view pattern, std::string_view name, std::vector<std::size_t>& numbers) {
  numbers.clear();
  std::size_t at = 0;
  for (const char c : pattern) {
    if (c != '#') {
      if (at >= name.size() || name[at++] != c) return false;
      continue;
    }
    const std::size_t begin = at;
    std::size_t value = 0;
    for (; at < name.size() && at - begin < 6 && name[at] >= '0' && name[at] <= '9'; ++at)
      value = value * 10 + static_cast<std::size_t>(name[at] - '0');
    if (at == begin) return false;
    numbers.push_back(value);
  }
  return at == name.size();
}

std::string with_number(std::string_view pattern, const std::vector<std::size_t>& numbers) {
  std::string out(pattern);
  if (const std::size_t at = out.find('#'); at != out.npos && !numbers.empty())
    out.replace(at, 1, std::to_string(numbers[0]));
  return out;
}

// A tensor's name without the first of the prefixes that it has.
std::string_view strip(std::string_view name, std::string_view prefixes) {
  while (!prefixes.empty()) {
    const std::size_t end = std::min(prefixes.find(' '), prefixes.size());
    const std::string_view prefix = prefixes.substr(0, end);
    if (name.starts_with(prefix)) return name.substr(prefix.size());
    prefixes.remove_prefix(std::min(end + 1, prefixes.size()));
  }
  return name;
}

class Importer {
 public:
  Importer(const HfImport& import, const HfConfig& config, HfBuilder& builder)
      : import_(import), tied_(config.flag("tie_word_embeddings").value_or(false)), builder_(builder) {}

  void add(const SafetensorsFile& file) {
    for (const SafetensorsTensor& t : file.tensors()) add(t, file.name());
    builder_.hold(file.storage());
  }
  void finish() {
    for (auto& [name, parts] : stacks_) builder_.stack(parts, name);
  }

 private:
  void add(const SafetensorsTensor& t, const std::string& file) {
    const std::string_view name = strip(t.name, import_.prefixes);
    std::vector<std::size_t> numbers;
    for (const HfRule& rule : import_.rules) {
      if (!match(rule.from, name, numbers)) continue;
      const std::string to = with_number(rule.to, numbers);
      if (rule.transform == HfTransform::skip || (tied_ && to == "output.weight")) return;
      if (rule.transform != HfTransform::stack) return builder_.add(t, rule, to);
      constexpr std::size_t kMaxExperts = 1 << 12;
      LQ_CHECK(numbers.size() == 2 && numbers[1] < kMaxExperts, Code::bad_file, "model: expert of tensor '", t.name,
               "' is out of range");
      auto& parts = stacks_[to];
      if (parts.size() <= numbers[1]) parts.resize(numbers[1] + 1);
      parts[numbers[1]] = &t;
      return;
    }
    fail(Code::unsupported, "'", file, "': tensor '", t.name.substr(0, 128), "' is of no use to this model type here");
  }

  const HfImport& import_;
  bool tied_;
  HfBuilder& builder_;
  std::map<std::string, std::vector<const SafetensorsTensor*>> stacks_;
};

// What sentence-transformers keeps beside the model: how vectors are made of hidden states, and how long texts may be.
void write_pooling(const fs::path& folder, HfBuilder& builder) {
  std::error_code error;
  std::size_t pooling = 1;
  if (const fs::path path = folder / "1_Pooling" / "config.json"; fs::exists(path, error)) {
    const HfConfig c = HfConfig::open(path.string());
    const std::string mode = c.text("pooling_mode").value_or("");
    const auto on = [&](const char* flag, const char* name) { return mode == name || c.flag(flag).value_or(false); };
    if (on("pooling_mode_cls_token", "cls"))
      pooling = 2;
    else if (on("pooling_mode_lasttoken", "lasttoken"))
      pooling = 3;
    else
      LQ_CHECK(on("pooling_mode_mean_tokens", "mean"), Code::unsupported, "'", c.name(),
               "': only mean, cls and lasttoken pooling are supported");
  }
  builder.u32("pooling_type", pooling);
  if (const fs::path path = folder / "sentence_bert_config.json"; fs::exists(path, error))
    if (const auto n = HfConfig::open(path.string()).count("max_seq_length")) builder.u32("embedding.max_length", *n);
}

}  // namespace

const HfRule* find_rule(const HfImport& import, std::string_view tensor, std::string& to) {
  std::vector<std::size_t> numbers;
  for (const HfRule& rule : import.rules) {
    if (!match(rule.from, strip(tensor, import.prefixes), numbers)) continue;
    to = with_number(rule.to, numbers);
    return &rule;
  }
  return nullptr;
}

bool is_hf_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::exists(fs::path(path) / "config.json", error);
}

GgufFile open_hf_folder(const std::string& path) {
  const fs::path folder(path);
  const HfConfig config = HfConfig::open((folder / "config.json").string());
  const Chosen chosen = choose(config);
  HfBuilder builder{std::string(chosen.arch)};
  std::string name = config.text("_name_or_path").value_or("");
  if (name.empty() || name.starts_with('/') || name.starts_with('.'))
    name = fs::absolute(folder).lexically_normal().filename().string();
  builder.writer().add_string("general.name", name);
  chosen.import->write_keys(config, builder);
  if (chosen.encoder) write_pooling(folder, builder);
  const std::vector<SafetensorsFile> files = open_weights(folder);
  Importer importer(*chosen.import, config, builder);
  for (const SafetensorsFile& file : files) importer.add(file);
  importer.finish();
  write_hf_tokenizer(path, config, builder.writer());
  return builder.finish(path);
}

GgufFile open_model_source(const std::string& path, GgufFile::Mode mode) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return GgufFile::open(path, mode);
  LQ_CHECK(is_hf_folder(path), Code::bad_file, "'", path, "' is a folder without config.json");
  return open_hf_folder(path);
}

}  // namespace lq
