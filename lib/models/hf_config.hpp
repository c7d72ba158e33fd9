// config.json of a Hugging Face checkpoint, and other JSON objects beside it. Private to lib/models.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

// Keys are paths: "rope_parameters.rope_theta". A null value is as good as none.
class HfConfig {
 public:
  // Throws Error{not_found|io|bad_file} naming the file.
  static HfConfig open(const std::string& path);
  static HfConfig parse(std::string_view text, const std::string& name);

  const std::string& name() const noexcept { return name_; }
  bool has(std::string_view key) const;
  // nullopt if there is no such key; Error{bad_file} for a value of another type.
  std::optional<double> number(std::string_view key) const;
  std::optional<std::size_t> count(std::string_view key) const;  // whole, not negative
  std::optional<std::string> text(std::string_view key) const;
  std::optional<bool> flag(std::string_view key) const;
  std::vector<double> numbers(std::string_view key) const;     // empty if absent
  std::vector<std::string> texts(std::string_view key) const;  // likewise
  // Error{bad_file} naming the key if it is absent.
  std::size_t required(std::string_view key) const;
  std::size_t size(std::string_view key) const;  // elements of an array or object, 0 if absent
  // Element i of an array of objects.
  HfConfig element(std::string_view key, std::size_t i) const;
  HfConfig object(std::string_view key) const;  // empty if absent

  struct Value;  // hf_json.hpp: for the readers of tokenizer.json and of the weights' index
  const Value& root() const noexcept { return *value_; }

 private:
  HfConfig() = default;
  const Value* find(std::string_view key) const;
  [[noreturn]] void wrong(std::string_view key, const char* expected) const;

  std::string name_;
  std::shared_ptr<const Value> value_;
};

}  // namespace lq
