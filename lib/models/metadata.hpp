// Hyper-parameters from a GGUF file's metadata, each checked for type and range. Private to lib/models.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "loquor/formats/gguf.hpp"
#include "loquor/models/decoder.hpp"

namespace lq {

class Metadata {
 public:
  // Throws Error{bad_file} if general.architecture is missing.
  explicit Metadata(const GgufFile& file);

  const std::string& arch() const noexcept { return arch_; }

  // The key "<arch>.<name>". Throw Error{bad_file} naming the key, what was found and what was expected.
  std::size_t count(std::string_view name, std::size_t least, std::size_t most,
                    std::optional<std::size_t> absent = std::nullopt) const;
  double number(std::string_view name, double least, double most, std::optional<double> absent = std::nullopt) const;
  std::optional<std::string> text(std::string_view name) const;

  // Rows of the embedding, checked against "<arch>.vocab_size" and the tokenizer's list if they are there.
  std::size_t vocab_size(std::string_view embedding) const;
  std::optional<bool> flag(std::string_view name) const;
  // "<arch>.rope.*": base and scaling. A factor without a type is linear. Throws Error{unsupported} for kinds not
  // known, naming the kind.
  RopeSpec rope() const;

 private:
  std::string key(std::string_view name) const;

  const GgufFile& file_;
  std::string arch_;
};

}  // namespace lq
