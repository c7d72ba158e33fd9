#include "loquor/text/space_prefix.hpp"

#include "loquor/core/status.hpp"

namespace lq {

SpacePrefix::SpacePrefix(const TokenizerData& data) {
  const std::string& s = data.space_prefix;
  LQ_CHECK(s.empty() || s == "missing" || s == "first", Code::unsupported, "tokenizer: space prefix '", s.substr(0, 64),
           "' is not known; known are missing and first");
  if (data.add_space_prefix.value_or(true))
    when_ = s.empty() ? When::always : s == "missing" ? When::missing : When::first;
}

void SpacePrefix::append(std::string_view text, bool first, std::string& out) const {
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
