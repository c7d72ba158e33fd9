#include "loquor/text/wordpiece.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxWordChars = 100;  // longer words are unknown, in BERT's code and in Hugging Face's

std::size_t count_chars(std::string_view s) noexcept {
  return static_cast<std::size_t>(std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Texts begin with [CLS] and end with [SEP] unless the file says otherwise.
TokenizerData with_defaults(TokenizerData d) {
  if (!d.eos) d.eos = d.sep;
  if (!d.add_bos) d.add_bos = d.bos.has_value();
  if (!d.add_eos) d.add_eos = d.eos.has_value();
  return d;
}

}  // namespace

WordPieceTokenizer::WordPieceTokenizer(const TokenizerData& data)
    : Tokenizer(with_defaults(data), Vocab::build(data.tokens, data.types, Spelling::word_start)) {
  LQ_CHECK(unk_, Code::bad_file, "tokenizer.ggml.unknown_token_id is missing, which a WordPiece vocabulary needs");
  rules_.lowercase = data.lowercase.value_or(true);
  rules_.strip_accents = data.strip_accents.value_or(rules_.lowercase);
  for (std::int32_t id = 0; vocab_.contains(id); ++id) longest_ = std::max(longest_, vocab_.bytes(id).size());
}

// `buffer` is scratch space.
void WordPieceTokenizer::encode_word(std::string_view word, std::string& buffer, std::vector<std::int32_t>& out) const {
  const std::size_t before = out.size();
  buffer.assign(1, ' ');
  buffer.append(word);
  const auto boundary = [&](std::size_t i) { return i == buffer.size() || (buffer[i] & 0xc0) != 0x80; };
  for (std::size_t at = 0; at < buffer.size();) {
    std::size_t end = std::min(buffer.size(), at + longest_);
    std::int32_t id = -1;
    for (const std::size_t least = at == 0 ? 2 : at + 1; end >= least; --end)
      if (boundary(end) && (id = vocab_.find(std::string_view(buffer).substr(at, end - at))) >= 0) break;
    if (id < 0) {
      out.resize(before);
      out.push_back(*unk_);
      return;
    }
    out.push_back(id);
    at = end;
  }
}

void WordPieceTokenizer::encode_plain(std::string_view text, bool, std::vector<std::int32_t>& out) const {
  std::string buffer;
  for_each_bert_word(text, rules_, [&](std::string_view word) {
    if (word.size() > kMaxWordChars && count_chars(word) > kMaxWordChars)
      out.push_back(*unk_);
    else
      encode_word(word, buffer, out);
  });
}

std::shared_ptr<const Tokenizer> make_wordpiece(const TokenizerData& data) {
  return std::make_shared<WordPieceTokenizer>(data);
}

}  // namespace lq
