#include "hf_config.hpp"

#include <cmath>

#include "hf_json.hpp"
#include "loquor/core/status.hpp"
#include "loquor/core/storage.hpp"

namespace lq {
namespace {

using Json = nlohmann::json;

// An array or object that is part of a larger one is copied: they are small.
const Json* look_up(const Json& root, std::string_view key) {
  const Json* at = &root;
  while (at && !key.empty()) {
    const std::size_t dot = key.find('.');
    const std::string part(key.substr(0, dot));
    key = dot == key.npos ? std::string_view() : key.substr(dot + 1);
    const auto it = at->is_object() ? at->find(part) : at->end();
    at = at->is_object() && it != at->end() ? &*it : nullptr;
  }
  return at && !at->is_null() ? at : nullptr;
}

}  // namespace

HfConfig HfConfig::parse(std::string_view text, const std::string& name) {
  HfConfig c;
  c.name_ = name;
  auto value = std::make_shared<Value>();
  value->json = Json::parse(text.begin(), text.end(), nullptr, false);
  LQ_CHECK(!value->json.is_discarded() && value->json.is_object(), Code::bad_file, "'", name, "' is no JSON object");
  c.value_ = std::move(value);
  return c;
}

HfConfig HfConfig::open(const std::string& path) {
  const Storage bytes = Storage::read_file(default_allocator(), path);
  return parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

void HfConfig::wrong(std::string_view key, const char* expected) const {
  const Json* j = look_up(value_->json, key);
  fail(Code::bad_file, "'", name_, "': key '", key, "' is ", j ? j->dump().substr(0, 64) : "missing", ", expected ",
       expected);
}

bool HfConfig::has(std::string_view key) const { return look_up(value_->json, key) != nullptr; }

std::optional<double> HfConfig::number(std::string_view key) const {
  const Json* j = look_up(value_->json, key);
  if (!j) return std::nullopt;
  if (!j->is_number()) wrong(key, "a number");
  return j->get<double>();
}

std::optional<std::size_t> HfConfig::count(std::string_view key) const {
  const auto n = number(key);
  if (!n) return std::nullopt;
  if (*n < 0 || *n > 1e15 || *n != std::floor(*n)) wrong(key, "a whole number");
  return static_cast<std::size_t>(*n);
}

std::size_t HfConfig::required(std::string_view key) const {
  const auto n = count(key);
  if (!n) wrong(key, "a whole number");
  return *n;
}

std::optional<std::string> HfConfig::text(std::string_view key) const {
  const Json* j = look_up(value_->json, key);
  if (!j) return std::nullopt;
  if (!j->is_string()) wrong(key, "a string");
  return j->get<std::string>();
}

std::optional<bool> HfConfig::flag(std::string_view key) const {
  const Json* j = look_up(value_->json, key);
  if (!j) return std::nullopt;
  if (!j->is_boolean()) wrong(key, "true or false");
  return j->get<bool>();
}

std::vector<double> HfConfig::numbers(std::string_view key) const {
  std::vector<double> out;
  const Json* j = look_up(value_->json, key);
  if (!j) return out;
  if (!j->is_array()) wrong(key, "an array of numbers");
  for (const Json& x : *j) {
    if (!x.is_number()) wrong(key, "an array of numbers");
    out.push_back(x.get<double>());
  }
  return out;
}

std::vector<std::string> HfConfig::texts(std::string_view key) const {
  std::vector<std::string> out;
  const Json* j = look_up(value_->json, key);
  if (!j) return out;
  if (!j->is_array()) wrong(key, "an array of strings");
  for (const Json& x : *j) {
    if (!x.is_string()) wrong(key, "an array of strings");
    out.push_back(x.get<std::string>());
  }
  return out;
}

std::size_t HfConfig::size(std::string_view key) const {
  const Json* j = look_up(value_->json, key);
  return j && j->is_structured() ? j->size() : 0;
}

HfConfig HfConfig::element(std::string_view key, std::size_t i) const {
  const Json* j = look_up(value_->json, key);
  if (!j || !j->is_array() || i >= j->size() || !(*j)[i].is_object()) wrong(key, "an array of objects");
  HfConfig c;
  c.name_ = name_;
  c.value_ = std::make_shared<Value>(Value{(*j)[i]});
  return c;
}

HfConfig HfConfig::object(std::string_view key) const {
  const Json* j = look_up(value_->json, key);
  if (j && !j->is_object()) wrong(key, "an object");
  HfConfig c;
  c.name_ = name_;
  c.value_ = std::make_shared<Value>(Value{j ? *j : Json::object()});
  return c;
}

}  // namespace lq
