// What SentencePiece's kin do to the spaces of a text: one is put in front, so that the first word looks like any
// other, and of several one may remain. Private to text/.
#pragma once

#include <string>
#include <string_view>

#include "loquor/text/tokenizer.hpp"

namespace lq {

class SpacePrefix {
 public:
  SpacePrefix() = default;
  // Throws Error{unsupported} for a `space_prefix` that is not known.
  explicit SpacePrefix(const TokenizerData& data);

  bool any() const noexcept { return when_ != When::never; }
  // Appends the text with its prefix, if it gets one, and with spaces for every U+2581.
  void append(std::string_view text, bool first, std::string& out) const;

 private:
  enum class When { never, always, missing, first };
  void append_one_by_one(std::string_view text, std::string& out) const;

  When when_ = When::never;
  bool trim_ = false;       // spaces at the ends go, of several one remains
  bool any_white_ = false;  // and all white space counts as spaces
};

// Where the first word of `text` ends: before a space that follows something else.
std::size_t first_word(std::string_view text) noexcept;

}  // namespace lq
