#include "adapter_file.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "family.hpp"
#include "hf_config.hpp"
#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/formats/safetensors.hpp"
#include "loquor/quant/rows.hpp"

namespace lq {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRank = 4096;

// One half of a pair, (rows, cols).
void put(LoraFile& out, const std::string& target, bool is_a, std::size_t rows, std::size_t cols,
         std::vector<float> values, const std::string& file) {
  LoraMatrix& m = out[target];
  const std::size_t rank = is_a ? rows : cols;
  LQ_CHECK(rank > 0 && rank <= kMaxRank && (!m.rank || m.rank == rank), Code::bad_file, "adapter: ", file, ": '",
           target, "' has rank ", rank, m.rank ? str(" and ", m.rank) : std::string());
  for (const float v : values)
    LQ_CHECK(std::isfinite(v), Code::bad_file, "adapter: ", file, ": '", target, "' holds a number that is not finite");
  m.rank = rank;
  (is_a ? m.in : m.out) = is_a ? cols : rows;
  (is_a ? m.a : m.b) = std::move(values);
}

void finish(LoraFile& all, const std::string& file, double alpha, bool rank_stabilised) {
  LQ_CHECK(!all.empty(), Code::bad_file, "adapter: ", file, " changes no matrix");
  LQ_CHECK(std::isfinite(alpha), Code::bad_file, "adapter: ", file, ": alpha is not finite");
  for (auto& [target, m] : all) {
    LQ_CHECK(!m.a.empty() && !m.b.empty(), Code::bad_file, "adapter: ", file, ": '", target, "' lacks its matrix ",
             m.a.empty() ? "A" : "B");
    const double rank = static_cast<double>(m.rank);
    const auto factor = static_cast<float>(alpha / (rank_stabilised ? std::sqrt(rank) : rank));
    for (float& v : m.b) v *= factor;
  }
}

LoraFile read_gguf(const std::string& path, const DecoderSpec& spec) {
  const GgufFile file = GgufFile::open(path, GgufFile::Mode::read);
  const auto text = [&](const char* key) {
    const GgufValue* v = file.find(key);
    return std::string(v ? v->as_string().value_or("") : "");
  };
  LQ_CHECK(text("general.type") == "adapter" && text("adapter.type") == "lora", Code::bad_file, "adapter: ", path,
           " is no LoRA adapter (general.type is '", text("general.type").substr(0, 32), "')");
  LQ_CHECK(text("general.architecture") == spec.arch, Code::mismatch, "adapter: ", path, " is for the architecture '",
           text("general.architecture").substr(0, 32), "', the model is of '", spec.arch, "'");
  const GgufValue* alpha = file.find("adapter.lora.alpha");
  LQ_CHECK(alpha && alpha->as_double(), Code::bad_file, "adapter: ", path, " has no key 'adapter.lora.alpha'");
  LoraFile out;
  for (const GgufTensor& t : file.tensors()) {
    const bool is_a = t.name.ends_with(".lora_a"), is_b = t.name.ends_with(".lora_b");
    LQ_CHECK((is_a || is_b) && t.shape.rank() == 2, Code::unsupported, "adapter: ", path, ": tensor '", t.name,
             "' is no matrix of a LoRA pair");
    std::vector<float> values(t.shape.count());
    const std::size_t bytes = t.nbytes / t.shape[0];
    for (std::size_t r = 0; r < t.shape[0]; ++r)
      decode_row(t.type, t.data + r * bytes, t.shape[1], values.data() + r * t.shape[1]);
    put(out, std::string(t.name.substr(0, t.name.size() - 7)), is_a, t.shape[0], t.shape[1], std::move(values), path);
  }
  finish(out, path, *alpha->as_double(), false);
  return out;
}

// Rows of B as GGUF files have those of W: rotary halves become neighbours.
std::vector<float> paired(const std::vector<float>& b, std::size_t rank, std::size_t heads) {
  const std::size_t rows = b.size() / rank, width = rows / heads;
  std::vector<float> out(b.size());
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t h = r / width, i = r % width, from = h * width + i % 2 * (width / 2) + i / 2;
    std::copy_n(b.data() + from * rank, rank, out.data() + r * rank);
  }
  return out;
}

void check_config(const HfConfig& c) {
  LQ_CHECK(c.text("peft_type").value_or("LORA") == "LORA", Code::unsupported, "adapter: '", c.name(),
           "': peft_type is '", c.text("peft_type").value_or("").substr(0, 32), "', expected LORA");
  for (const char* key : {"use_dora", "fan_in_fan_out", "lora_bias"})
    LQ_CHECK(!c.flag(key).value_or(false), Code::unsupported, "adapter: '", c.name(), "': ", key, " is not supported");
  for (const char* key : {"modules_to_save", "alpha_pattern", "trainable_token_indices"})
    LQ_CHECK(c.size(key) == 0, Code::unsupported, "adapter: '", c.name(), "': ", key, " is not supported");
  LQ_CHECK(c.text("bias").value_or("none") == "none", Code::unsupported, "adapter: '", c.name(),
           "': trained biases are not supported");
}

LoraFile read_peft(const std::string& folder, const DecoderSpec& spec) {
  const HfConfig config = HfConfig::open((fs::path(folder) / "adapter_config.json").string());
  check_config(config);
  const SafetensorsFile file =
      SafetensorsFile::open((fs::path(folder) / "adapter_model.safetensors").string(), SafetensorsFile::Mode::read);
  const HfImport& import = find_family(spec.arch).hf;
  LoraFile out;
  for (const SafetensorsTensor& t : file.tensors()) {
    std::string name(t.name);
    const bool is_a = name.ends_with(".lora_A.weight"), is_b = name.ends_with(".lora_B.weight");
    LQ_CHECK((is_a || is_b) && t.shape.rank() == 2, Code::unsupported, "adapter: ", file.name(), ": tensor '",
             name.substr(0, 128), "' is no matrix of a LoRA pair");
    name = name.substr(0, name.size() - 14) + ".weight";
    constexpr std::string_view kWrapper = "base_model.model.";
    if (name.starts_with(kWrapper)) name = name.substr(kWrapper.size());
    std::string target;
    const HfRule* rule = find_rule(import, name, target);
    LQ_CHECK(rule, Code::mismatch, "adapter: ", file.name(), ": the model has no matrix '", name.substr(0, 128), "'");
    const bool pairs = rule->transform == HfTransform::pairs_q || rule->transform == HfTransform::pairs_k;
    LQ_CHECK(pairs || rule->transform == HfTransform::none, Code::unsupported, "adapter: ", file.name(), ": '",
             name.substr(0, 128), "' is stored in another order by this architecture");
    std::vector<float> values(t.shape.count());
    read_floats(t, values.data());
    const std::size_t heads = rule->transform == HfTransform::pairs_q ? spec.n_head : spec.n_kv_head;
    LQ_CHECK(!is_b || !pairs || t.shape[0] == heads * spec.head_dim, Code::mismatch, "adapter: ", file.name(), ": '",
             name.substr(0, 128), "' has ", t.shape[0], " rows, the model ", heads * spec.head_dim);
    if (is_b && pairs) values = paired(values, t.shape[1], heads);
    put(out, target, is_a, t.shape[0], t.shape[1], std::move(values), file.name());
  }
  const double alpha = config.number("lora_alpha").value_or(8);
  finish(out, folder, alpha, config.flag("use_rslora").value_or(false));
  return out;
}

}  // namespace

LoraFile read_lora(const std::string& path, const DecoderSpec& spec) {
  std::error_code error;
  return fs::is_directory(path, error) ? read_peft(path, spec) : read_gguf(path, spec);
}

}  // namespace lq
