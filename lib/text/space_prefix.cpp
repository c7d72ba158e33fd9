#include "loquor/text/space_prefix.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {

std::size_t first_word(std::string_view text) noexcept {
  std::size_t at = 0;
  while (at < text.size() && text[at] == ' ') ++at;
  return std::min(text.find(' ', at), text.size());
}

SpacePrefix::SpacePrefix(const TokenizerData& data)
    : trim_(data.remove_extra_whitespaces || data.space_prefix == "words"), any_white_(data.space_prefix == "words") {
  const std::string& s = data.space_prefix;
  LQ_CHECK(s.empty() || s == "missing" || s == "first" || s == "words", Code::unsupported, "tokenizer: space prefix '",
           s.substr(0, 64), "' is not known; known are missing, first and words");
  if (data.add_space_prefix.value_or(true))
    when_ = s.empty() ? When::always : s == "first" ? When::first : When::missing;
}

// A space for each run of white space, none at the end.
void SpacePrefix::append_one_by_one(std::string_view text, std::string& out) const {
  const std::size_t before = out.size();
  bool space = when_ != When::never;  // before the next character
  while (!text.empty()) {
    const CodePoint c = decode_utf8(text.data(), text.size());
    const std::size_t n = std::max<std::size_t>(1, c.length);
    const std::string_view bytes = text.substr(0, n);
    text.remove_prefix(n);
    if (bytes == " " || bytes == kMetaspace || (any_white_ && c.length && class_of(c.value) == CharClass::space)) {
      space = space || out.size() > before;
      continue;
    }
    if (space) out.push_back(' ');
    space = false;
    out.append(bytes);
  }
}

void SpacePrefix::append(std::string_view text, bool first, std::string& out) const {
  if (trim_) return append_one_by_one(text, out);
  const bool has_one = text.starts_with(' ') || text.starts_with(kMetaspace);
  if (when_ == When::always || (when_ == When::missing && !has_one) || (when_ == When::first && first && !has_one))
    out.push_back(' ');
  for (std::size_t at = text.find(kMetaspace); at != text.npos; at = text.find(kMetaspace)) {
    out.append(text.substr(0, at)).push_back(' ');
    text.remove_prefix(at + kMetaspace.size());
  }
  out.append(text);
}

}  // namespace lq
