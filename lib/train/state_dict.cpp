#include "loquor/train/state_dict.hpp"

namespace lq {
namespace {

constexpr const char* kNetwork = "loquor.network";

const SafetensorsTensor* tensor_of(const SafetensorsFile& file, const std::string& name, bool bare) {
  const SafetensorsTensor* t = file.find_tensor(name);
  return t || !bare || !name.starts_with("0.") ? t : file.find_tensor(name.substr(2));
}

void load(const SafetensorsFile& file, nn::Parameters& parameters) {
  bool bare = true;  // all parameters are layer 0's
  for (const auto& p : parameters.all()) bare = bare && p->name.starts_with("0.");
  for (const auto& p : parameters.all()) {
    const SafetensorsTensor* t = tensor_of(file, p->name, bare);
    LQ_CHECK(t, Code::mismatch, "parameters: ", file.name(), " has no tensor '", p->name, "'");
    LQ_CHECK(t->shape == p->shape, Code::mismatch, "parameters: ", file.name(), ": tensor '", p->name, "' has ",
             t->shape.count(), " values of another shape, expected ", p->count);
    LQ_CHECK(t->type && !is_block_type(*t->type), Code::mismatch, "parameters: ", file.name(), ": tensor '", p->name,
             "' has type ", t->type_name);
  }
  for (const SafetensorsTensor& t : file.tensors())
    LQ_CHECK(t.name.starts_with("loquor/") || parameters.find(t.name) || (bare && parameters.find("0." + t.name)),
             Code::mismatch, "parameters: ", file.name(), ": nothing takes tensor '", t.name, "'");
  for (const auto& p : parameters.all()) read_floats(*tensor_of(file, p->name, bare), p->value);
}

}  // namespace

void save_parameters(const std::string& path, const nn::Parameters& parameters, const Metadata& metadata) {
  SafetensorsWriter w;
  w.add_metadata("format", "pt");
  for (const auto& [key, value] : metadata) w.add_metadata(key, value);
  for (const auto& p : parameters.all()) w.add_tensor(p->name, DType::F32, p->shape);
  w.begin(path);
  for (const auto& p : parameters.all()) w.write(p->value, p->count * sizeof(float));
  w.commit();
}

void load_parameters(const std::string& path, nn::Parameters& parameters) {
  load(SafetensorsFile::open(path), parameters);
}

void save_network(const std::string& path, const nn::Network& network) {
  save_parameters(path, network.parameters(), {{kNetwork, network.description()}});
}

std::unique_ptr<nn::Network> load_network(const Context& ctx, const std::string& path) {
  const SafetensorsFile file = SafetensorsFile::open(path);
  const std::string* description = file.find(kNetwork);
  LQ_CHECK(description, Code::bad_file, "network: ", path, " does not say what network it holds (", kNetwork, ")");
  auto net = std::make_unique<nn::Network>(ctx, *description, 0);
  load(file, net->parameters());
  return net;
}

}  // namespace lq
