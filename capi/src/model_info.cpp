#include "model_info.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "loquor/generate/session.hpp"
#include "loquor/models/decoder.hpp"
#include "loquor/models/encoder.hpp"

namespace lq::capi {

namespace {

using Json = nlohmann::ordered_json;

// Arrays of more elements are described, not listed, in the JSON of a whole file.
constexpr std::size_t kLongArray = 16;

std::string string_or(const GgufFile& file, std::string_view key) {
  const GgufValue* value = file.find(key);
  return std::string(value ? value->as_string().value_or("") : "");
}

template <std::size_t N>
void copy_name(char (&out)[N], std::string_view text) {
  const std::size_t n = std::min(text.size(), N - 1);
  std::memcpy(out, text.data(), n);
  out[n] = '\0';
}

Json number(double value) {
  // JSON has no infinities and no NaN.
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  return value;
}

Json array_json(const GgufValue& value) {
  Json out = Json::array();
  if (const auto strings = value.as_strings()) {
    for (const std::string_view s : *strings) out.push_back(std::string(s));
  } else if (const auto ints = value.as_ints()) {
    for (const std::int64_t i : *ints) out.push_back(i);
  } else if (const auto doubles = value.as_doubles()) {
    for (const double d : *doubles) out.push_back(number(d));
  } else {
    return {{"type", gguf_type_name(value.element_type())}, {"length", value.size()}};
  }
  return out;
}

Json value_json(const GgufValue& value, std::size_t longest) {
  if (value.type() == GgufType::array) {
    if (value.size() <= longest) return array_json(value);
    return {{"type", gguf_type_name(value.element_type())}, {"length", value.size()}};
  }
  if (const auto s = value.as_string()) return std::string(*s);
  if (const auto b = value.as_bool()) return *b;
  if (const auto u = value.as_uint()) return *u;
  if (const auto i = value.as_int()) return *i;
  return number(value.as_double().value_or(0));
}

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json tensor_types(const GgufFile& file) {
  Json types = Json::object();
  for (const GgufTensor& t : file.tensors()) {
    Json& row = types[std::string(name(t.type))];
    if (row.is_null()) row = {{"tensors", 0}, {"bytes", 0}};
    row["tensors"] = row["tensors"].get<std::uint64_t>() + 1;
    row["bytes"] = row["bytes"].get<std::uint64_t>() + t.nbytes;
  }
  return types;
}

Json tensor_list(const GgufFile& file) {
  Json list = Json::array();
  for (const GgufTensor& t : file.tensors()) {
    Json shape = Json::array();
    for (std::size_t i = 0; i < t.shape.rank(); ++i) shape.push_back(t.shape[i]);
    list.push_back({{"name", std::string(t.name)}, {"type", std::string(name(t.type))}, {"shape", shape}});
  }
  return list;
}

void add_encoder(lq_model_info& info, const GgufFile& file) {
  const EncoderSpec spec = Encoder::read_spec(file);
  info.n_vocab = static_cast<std::uint32_t>(spec.n_vocab);
  info.n_layer = static_cast<std::uint32_t>(spec.n_layer);
  info.d_model = static_cast<std::uint32_t>(spec.d_model);
  info.n_head = info.n_kv_head = static_cast<std::uint32_t>(spec.n_head);
  info.head_dim = static_cast<std::uint32_t>(spec.head_dim);
  info.d_ff = static_cast<std::uint32_t>(spec.d_ff);
  info.n_ctx_train = info.n_ctx = static_cast<std::uint32_t>(spec.n_ctx);
  info.weight_bytes = Encoder::weight_bytes(file);
}

void add_dimensions(lq_model_info& info, const GgufFile& file, std::size_t n_ctx, DType kv_type) {
  if (Encoder::knows(info.architecture)) return add_encoder(info, file);
  const DecoderSpec spec = Decoder::read_spec(file);
  SessionOptions session;
  session.n_ctx = n_ctx;
  session.kv_type = kv_type;
  const SessionMemory memory = Session::memory_needed(spec, session);
  info.n_vocab = static_cast<std::uint32_t>(spec.n_vocab);
  info.n_layer = static_cast<std::uint32_t>(spec.n_layer);
  info.d_model = static_cast<std::uint32_t>(spec.d_model);
  info.n_head = static_cast<std::uint32_t>(spec.n_head);
  info.n_kv_head = static_cast<std::uint32_t>(spec.n_kv_head);
  info.head_dim = static_cast<std::uint32_t>(spec.head_dim);
  info.d_ff = static_cast<std::uint32_t>(spec.d_ff);
  info.n_ctx_train = static_cast<std::uint32_t>(spec.n_ctx_train);
  info.n_ctx = static_cast<std::uint32_t>(n_ctx ? n_ctx : spec.n_ctx_train);
  info.weight_bytes = Decoder::weight_bytes(file);
  info.kv_bytes = memory.kv_bytes;
  info.workspace_bytes = memory.workspace_bytes;
}

}  // namespace

lq_model_info model_info(const GgufFile& file, std::size_t n_ctx, DType kv_type) {
  lq_model_info info = LQ_MODEL_INFO_INIT;
  copy_name(info.architecture, string_or(file, "general.architecture"));
  copy_name(info.name, string_or(file, "general.name"));
  info.file_bytes = file.file_size();
  info.has_chat_template = file.find("tokenizer.chat_template") != nullptr;
  for (const GgufTensor& t : file.tensors()) info.n_params += t.shape.count();
  if (file.tensors().empty()) {
    info.vocab_only = 1;
    if (const GgufValue* tokens = file.find("tokenizer.ggml.tokens"))
      info.n_vocab = static_cast<std::uint32_t>(tokens->size());
  } else {
    add_dimensions(info, file, n_ctx, kv_type);
  }
  return info;
}

std::string model_info_json(const GgufFile& file, const std::string& path, std::size_t n_ctx, DType kv_type) {
  const lq_model_info i = model_info(file, n_ctx, kv_type);
  Json metadata = Json::object();
  for (const GgufFile::Entry& e : file.metadata()) metadata[std::string(e.key)] = value_json(e.value, kLongArray);
  return dump({{"path", path},
               {"architecture", i.architecture},
               {"name", i.name},
               {"tokenizer", string_or(file, "tokenizer.ggml.model") + "/" + string_or(file, "tokenizer.ggml.pre")},
               {"vocab_only", i.vocab_only != 0},
               {"n_vocab", i.n_vocab},
               {"n_layer", i.n_layer},
               {"d_model", i.d_model},
               {"n_head", i.n_head},
               {"n_kv_head", i.n_kv_head},
               {"head_dim", i.head_dim},
               {"d_ff", i.d_ff},
               {"n_ctx_train", i.n_ctx_train},
               {"n_ctx", i.n_ctx},
               {"kv_type", std::string(name(kv_type))},
               {"has_chat_template", i.has_chat_template != 0},
               {"n_params", i.n_params},
               {"file_bytes", i.file_bytes},
               {"weight_bytes", i.weight_bytes},
               {"kv_bytes", i.kv_bytes},
               {"workspace_bytes", i.workspace_bytes},
               {"memory_bytes", i.weight_bytes + i.kv_bytes + i.workspace_bytes},
               {"tensor_types", tensor_types(file)},
               {"tensors", tensor_list(file)},
               {"metadata", metadata}});
}

std::string metadata_text(const GgufValue& value) {
  if (const auto s = value.as_string()) return std::string(*s);
  const Json json = value_json(value, SIZE_MAX);
  return json.is_string() ? json.get<std::string>() : dump(json);
}

lq_catalogue_entry catalogue_entry(const CatalogEntry& entry) {
  lq_catalogue_entry c = LQ_CATALOGUE_ENTRY_INIT;
  std::error_code error;
  c.cached = std::filesystem::file_size(cached_path(entry), error) == entry.bytes && !error;
  c.name = entry.name.data();
  c.title = entry.title.data();
  c.file = entry.file.data();
  c.source = entry.source.data();
  c.licence = entry.licence.data();
  c.sha256 = entry.sha256.data();
  c.bytes = entry.bytes;
  return c;
}

}  // namespace lq::capi
