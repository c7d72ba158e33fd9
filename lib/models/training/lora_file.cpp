// Adapters as files: PEFT's folders and llama.cpp's GGUF files.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "../adapter_file.hpp"
#include "../family.hpp"
#include "loquor/core/atomic_file.hpp"
#include "loquor/formats/gguf_writer.hpp"
#include "loquor/formats/safetensors.hpp"
#include "loquor/models/lora.hpp"

namespace lq {
namespace {

namespace fs = std::filesystem;

// "blk.3.attn_q.lora_b" -> "blk.3.attn_q.weight".
std::string matrix_of(const std::string& parameter) { return parameter.substr(0, parameter.size() - 7) + ".weight"; }
bool is_b(const nn::Parameter& p) { return p.name.ends_with("_b"); }

// The rule by which a checkpoint's matrix became this one, and the checkpoint's name for it.
const HfRule& rule_of(const HfImport& import, const std::string& target, std::string& hf_name) {
  const std::size_t dot = target.find('.', 4);
  const std::string layer = target.substr(4, dot - 4), general = "blk.#" + target.substr(dot);
  for (const HfRule& rule : import.rules) {
    if (rule.to != general) continue;
    hf_name = std::string(rule.from);
    hf_name.replace(hf_name.find('#'), 1, layer);
    hf_name = std::string(import.prefixes.substr(0, import.prefixes.find(' '))) + hf_name;
    return rule;
  }
  fail(Code::unsupported, "adapter: matrix '", target, "' has no name in checkpoints of its architecture");
}

// Rows of B in the order of checkpoints: the inverse of what reading them does.
std::vector<float> halved(const nn::Parameter& b, std::size_t heads) {
  const std::size_t rank = b.cols(), width = b.rows() / heads;
  std::vector<float> out(b.count);
  for (std::size_t r = 0; r < b.rows(); ++r) {
    const std::size_t h = r / width, i = r % width, to = h * width + i % 2 * (width / 2) + i / 2;
    std::memcpy(out.data() + to * rank, b.value + r * rank, rank * sizeof(float));
  }
  return out;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) >= 0x20) out += c;
  }
  return out + "\"";
}

void write_config(const fs::path& path, const LoraOptions& o, const std::vector<std::string>& modules,
                  const std::string& base) {
  std::string list;
  for (const std::string& m : modules) list += str(list.empty() ? "" : ", ", json_text(m));
  const std::string text = str(
      "{\n  \"peft_type\": \"LORA\",\n  \"task_type\": \"CAUSAL_LM\",\n  \"base_model_name_or_path\": ",
      json_text(base), ",\n  \"r\": ", o.rank, ",\n  \"lora_alpha\": ", static_cast<double>(o.alpha),
      ",\n  \"lora_dropout\": ", static_cast<double>(o.dropout), ",\n  \"target_modules\": [", list,
      "],\n  \"bias\": \"none\",\n  \"fan_in_fan_out\": false,\n  \"inference_mode\": true,\n  \"use_dora\": false,\n"
      "  \"use_rslora\": false,\n  \"modules_to_save\": null\n}\n");
  AtomicFile file(path.string());
  file.write(text.data(), text.size());
  file.commit();
}

}  // namespace

std::shared_ptr<const Adapter> LoraModel::adapter() const {
  LoraFile file;
  const float scale = options_.alpha / static_cast<float>(options_.rank);
  for (const auto& p : parameters_.all()) {
    LoraMatrix& m = file[matrix_of(p->name)];
    m.rank = options_.rank;
    (is_b(*p) ? m.out : m.in) = is_b(*p) ? p->rows() : p->cols();
    std::vector<float>& to = is_b(*p) ? m.b : m.a;
    to.assign(p->value, p->value + p->count);
    if (is_b(*p))
      for (float& v : to) v *= scale;
  }
  return AdapterBuilder::make(model_, file);
}

void LoraModel::load(const std::string& path) {
  const LoraFile file = read_lora(path, model_->spec());
  const float scale = options_.alpha / static_cast<float>(options_.rank);
  for (const auto& p : parameters_.all()) {
    const auto found = file.find(matrix_of(p->name));
    LQ_CHECK(found != file.end(), Code::mismatch, "training: ", path, " has nothing for '", matrix_of(p->name), "'");
    LQ_CHECK((is_b(*p) ? found->second.b : found->second.a).size() == p->count, Code::mismatch, "training: ", path,
             ": '", matrix_of(p->name), "' has rank ", found->second.rank, ", the training ", options_.rank);
  }
  LQ_CHECK(2 * file.size() == parameters_.all().size(), Code::mismatch, "training: ", path, " changes ", file.size(),
           " matrices, the training ", parameters_.all().size() / 2);
  for (const auto& p : parameters_.all()) {
    const LoraMatrix& m = file.at(matrix_of(p->name));
    for (std::size_t i = 0; i < p->count; ++i) p->value[i] = is_b(*p) ? m.b[i] / scale : m.a[i];
  }
}

void LoraModel::save_peft(const std::string& folder, const std::string& base) const {
  const DecoderSpec& s = model_->spec();
  const HfImport& import = find_family(s.arch).hf;
  std::error_code error;
  fs::create_directories(folder, error);
  LQ_CHECK(fs::is_directory(folder, error), Code::io, "adapter: cannot make the folder '", folder, "'");
  SafetensorsWriter w;
  w.add_metadata("format", "pt");
  std::vector<std::vector<float>> values;
  std::vector<std::string> modules;
  for (const auto& p : parameters_.all()) {
    std::string name;
    const HfRule& rule = rule_of(import, matrix_of(p->name), name);
    const bool q = rule.transform == HfTransform::pairs_q, k = rule.transform == HfTransform::pairs_k;
    LQ_CHECK(q || k || rule.transform == HfTransform::none, Code::unsupported, "adapter: '", p->name,
             "' is stored in another order by this architecture");
    name = name.substr(0, name.size() - 7);  // ".weight"
    const std::string module = name.substr(name.rfind('.') + 1);
    if (std::find(modules.begin(), modules.end(), module) == modules.end()) modules.push_back(module);
    w.add_tensor(str("base_model.model.", name, is_b(*p) ? ".lora_B.weight" : ".lora_A.weight"), DType::F32, p->shape);
    values.push_back(is_b(*p) && (q || k) ? halved(*p, q ? s.n_head : s.n_kv_head)
                                          : std::vector<float>(p->value, p->value + p->count));
  }
  const fs::path to(folder);
  w.begin((to / "adapter_model.safetensors").string());
  for (const auto& v : values) w.write(v.data(), v.size() * sizeof(float));
  w.commit();
  write_config(to / "adapter_config.json", options_, modules, base);
}

void LoraModel::save_gguf(const std::string& path) const {
  GgufWriter w;
  w.add_string("general.type", "adapter");
  w.add_string("general.architecture", model_->spec().arch);
  w.add_string("adapter.type", "lora");
  w.add_f32("adapter.lora.alpha", options_.alpha);
  const auto name = [](const nn::Parameter& p) { return matrix_of(p.name) + (is_b(p) ? ".lora_b" : ".lora_a"); };
  for (const auto& p : parameters_.all()) w.add_tensor(name(*p), DType::F32, p->shape);
  w.begin(path);
  for (const auto& p : parameters_.all()) w.write(p->value, p->count * sizeof(float));
  w.commit();
}

}  // namespace lq
