// The space that SentencePiece's kin put in front of a text, so that its first word looks like any other. Private to
// text/.
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
  When when_ = When::never;
};

}  // namespace lq
