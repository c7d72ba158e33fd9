// SentencePiece's rules of normalisation: a trie of the strings to replace, each by the longest match (Kudo and
// Richardson 2018, section 3.5). Private to text/ and its tests. Thread contract: immutable after construction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

class Charsmap {
 public:
  Charsmap() = default;  // replaces nothing
  // The bytes of a `precompiled_charsmap`: the size of a double array (Darts), the array, and the replacements, each
  // ended by a zero. Throws Error{bad_file} if that doesn't hold.
  explicit Charsmap(std::string_view bytes);

  bool empty() const noexcept { return units_.empty(); }
  // Appends the text with everything replaced; a byte that is no part of well-formed UTF-8 stays.
  void append(std::string_view text, std::string& out) const;
  // The same as Hugging Face's tokenizers do it: a grapheme cluster of up to 5 bytes becomes what its shortest prefix
  // with a replacement does, longer ones are replaced character by character.
  void append_graphemes(std::string_view text, std::string& out) const;

 private:
  struct Match {
    std::size_t length = 0;  // 0: none
    std::string_view to;
  };
  Match match(std::string_view text, bool shortest) const noexcept;

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

}  // namespace lq
