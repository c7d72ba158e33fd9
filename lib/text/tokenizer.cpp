#include "loquor/text/tokenizer.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "loquor/core/registry.hpp"
#include "loquor/core/status.hpp"
#include "loquor/text/bpe.hpp"
#include "loquor/text/sentencepiece.hpp"
#include "loquor/text/special_trie.hpp"
#include "loquor/text/unicode.hpp"
#include "loquor/text/unigram.hpp"
#include "loquor/text/wordpiece.hpp"

namespace lq {

struct Tokenizer::Specials {
  SpecialTrie added;  // user-defined tokens, looked for in every text
  SpecialTrie all;    // and control and unknown tokens
};

namespace {

struct KindRow {
  std::string_view name;
  std::shared_ptr<const Tokenizer> (*make)(const TokenizerData&);
};

// Control tokens that end a turn or a text in published models, whether or not the file names them as eos or eot.
constexpr std::string_view kEndNames[] = {
    "<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|eom_id|>",    "<|end_of_text|>",
    "<|end|>",       "<|return|>", "<|call|>",   "<end_of_turn>", "<eos>",
    "</s>",          "<EOT>",      "<|eot|>",    "<|eom|>",       "<｜end▁of▁sentence｜>",
};

// How added tokens are looked for.
constexpr std::uint8_t kStripLeft = 1, kStripRight = 2, kSingleWord = 4;

// The character that ends at `at` (> 0), or begins there.
CharClass class_before(std::string_view text, std::size_t at, std::size_t* length = nullptr) noexcept {
  std::size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && (text[begin] & 0xc0) == 0x80) --begin;
  const CodePoint c = decode_utf8(text.data() + begin, at - begin);
  if (length) *length = at - begin;
  return c.length == at - begin ? class_of(c.value) : CharClass::other;
}
CharClass class_after(std::string_view text, std::size_t at, std::size_t* length = nullptr) noexcept {
  const CodePoint c = decode_utf8(text.data() + at, text.size() - at);
  if (length) *length = c.length;
  return c.length ? class_of(c.value) : CharClass::other;
}

// Letters, numbers and the underscore: \w but for marks and other connectors.
bool in_word(CharClass c, char byte) noexcept {
  return byte == '_' || c == CharClass::letter || c == CharClass::number || c == CharClass::newer_number;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) noexcept {
  return !(begin > 0 && in_word(class_before(text, begin), text[begin - 1])) &&
         !(end < text.size() && in_word(class_after(text, end), text[end]));
}

using OptionalId = std::optional<std::int32_t>;

OptionalId checked_id(const Vocab& vocab, const char* key, OptionalId id) {
  LQ_CHECK(!id || vocab.contains(*id), Code::bad_file, "tokenizer.ggml.", key, " is ", id.value_or(0),
           ", outside the vocabulary of ", vocab.size());
  return id;
}

}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::create(const TokenizerData& data) {
  static constexpr KindRow kRows[] = {
#define LQ_TOKENIZER(name, make) {name, make},
#include "loquor/text/tokenizers.def"
#undef LQ_TOKENIZER
  };
  const std::span<const KindRow> rows(kRows);
  const KindRow* row = find_row(rows, data.model);
  LQ_CHECK(row, Code::unsupported, "tokenizer.ggml.model '", data.model, "' is not known; known are ", row_names(rows));
  return row->make(data);
}

Tokenizer::Tokenizer(const TokenizerData& data, Vocab vocab)
    : vocab_(std::move(vocab)),
      bos_(checked_id(vocab_, "bos_token_id", data.bos)),
      eos_(checked_id(vocab_, "eos_token_id", data.eos)),
      eot_(checked_id(vocab_, "eot_token_id", data.eot)),
      unk_(checked_id(vocab_, "unknown_token_id", data.unk)),
      add_bos_(data.add_bos.value_or(false)),
      add_eos_(data.add_eos.value_or(false)),
      model_(data.model),
      pre_(data.pre) {
  LQ_CHECK(data.scores.empty() || data.scores.size() == data.tokens.size(), Code::bad_file,
           "tokenizer.ggml.scores has ", data.scores.size(), " entries for ", data.tokens.size(), " tokens");
  LQ_CHECK(!add_bos_ || bos_, Code::bad_file, "tokenizer.ggml.add_bos_token is set without a bos_token_id");
  LQ_CHECK(!add_eos_ || eos_, Code::bad_file, "tokenizer.ggml.add_eos_token is set without an eos_token_id");
  // Padding plays no part in inference, and published files exist whose pad id lies behind the last token.
  if (data.pad && vocab_.contains(*data.pad)) pad_ = data.pad;

  std::vector<std::pair<std::string_view, std::int32_t>> added, all;
  for (std::int32_t id = 0; vocab_.contains(id); ++id) {
    const TokenKind k = vocab_.kind(id);
    if (k == TokenKind::user_defined) added.emplace_back(vocab_.bytes(id), id);
    if (k == TokenKind::user_defined || is_special_kind(k)) all.emplace_back(vocab_.bytes(id), id);
    if (k == TokenKind::control && std::count(std::begin(kEndNames), std::end(kEndNames), vocab_.bytes(id))) {
      eog_.push_back(id);
    }
  }
  for (const OptionalId id : {eos_, eot_, checked_id(vocab_, "eom_token_id", data.eom)}) {
    if (id) eog_.push_back(*id);
  }
  std::sort(eog_.begin(), eog_.end());
  eog_.erase(std::unique(eog_.begin(), eog_.end()), eog_.end());
  set_rules(data.lstrip, kStripLeft);
  set_rules(data.rstrip, kStripRight);
  set_rules(data.single_word, kSingleWord);
  specials_ = std::make_shared<const Specials>(Specials{SpecialTrie::build(added), SpecialTrie::build(all)});
}

void Tokenizer::set_rules(const std::vector<std::int32_t>& ids, std::uint8_t rule) {
  for (const std::int32_t id : ids) {
    checked_id(vocab_, "added tokens' rules", id);
    rules_.resize(vocab_.size());
    rules_[static_cast<std::size_t>(id)] |= rule;
  }
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<std::int32_t> out;
  encode_append(text, options, out);
  return out;
}

void Tokenizer::encode_append(std::string_view text, const EncodeOptions& options,
                              std::vector<std::int32_t>& out) const {
  LQ_CHECK(text.size() <= kMaxText, Code::limit, "encode: the text has ", text.size(), " bytes, more than ", kMaxText);
  std::size_t at = 0;
  for (const TextRange& r : options.untrusted) {
    LQ_CHECK(r.begin >= at && r.begin <= r.end && r.end <= text.size(), Code::invalid_argument, "encode: range [",
             r.begin, ", ", r.end, ") after ", at, " in a text of ", text.size(), " bytes");
    at = r.end;
  }
  const std::size_t before = out.size();
  try {
    if (options.add_special && add_bos_) out.push_back(*bos_);
    encode_fragments(text, options, out);
    if (options.add_special && add_eos_) out.push_back(*eos_);
  } catch (...) {
    out.resize(before);
    throw;
  }
}

void Tokenizer::encode_fragments(std::string_view text, const EncodeOptions& options,
                                 std::vector<std::int32_t>& out) const {
  std::size_t plain = 0;  // where text not yet encoded begins
  const auto scan = [&](const SpecialTrie& trie, std::size_t from, std::size_t to) {
    while (from < to) {
      const SpecialTrie::Match match = trie.find(text, from, to);
      if (match.id < 0) break;
      const std::uint8_t rules = rules_.empty() ? std::uint8_t{0} : rules_[static_cast<std::size_t>(match.id)];
      from = match.end;
      if ((rules & kSingleWord) && !stands_alone(text, match.begin, match.end)) continue;
      std::size_t begin = match.begin, n = 0;
      while ((rules & kStripLeft) && begin > plain && class_before(text, begin, &n) == CharClass::space) begin -= n;
      while ((rules & kStripRight) && from < to && class_after(text, from, &n) == CharClass::space) from += n;
      encode_plain(text.substr(plain, begin - plain), plain == 0, out);
      out.push_back(match.id);
      plain = from;
    }
  };
  if (options.parse_special) {
    std::size_t at = 0;
    for (const TextRange& r : options.untrusted) {
      scan(specials_->all, at, r.begin);
      scan(specials_->added, r.begin, r.end);
      at = r.end;
    }
    scan(specials_->all, at, text.size());
  } else {
    scan(specials_->added, 0, text.size());
  }
  encode_plain(text.substr(plain), plain == 0, out);
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  LQ_CHECK(vocab_.contains(id), Code::invalid_argument, "token id ", id, " is outside the vocabulary of ",
           vocab_.size());
  return vocab_.bytes(id);
}

std::string Tokenizer::token_text(std::int32_t id) const {
  token_bytes(id);
  return vocab_.text(id);
}

TokenKind Tokenizer::kind(std::int32_t id) const {
  token_bytes(id);
  return vocab_.kind(id);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, bool render_special) const {
  std::string out;
  out.reserve(ids.size() * 4);
  bool strip = strip_first_space_;
  for (const std::int32_t id : ids) {
    std::string_view bytes = token_bytes(id);
    const bool special = is_special_kind(vocab_.kind(id));
    if (special && !render_special) continue;
    if (strip && !special) {
      if (bytes.starts_with(' ')) bytes.remove_prefix(1);
      strip = false;
    }
    out.append(bytes);
  }
  return out;
}

bool Tokenizer::is_end_of_generation(std::int32_t id) const noexcept {
  return std::binary_search(eog_.begin(), eog_.end(), id);
}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, Mode mode, bool render_special)
    : tokenizer_(std::move(tokenizer)), mode_(mode), render_special_(render_special) {
  LQ_CHECK(tokenizer_, Code::invalid_argument, "StreamDecoder: no tokenizer");
}

namespace {
constexpr std::string_view kReplacement = "\xef\xbf\xbd";
}  // namespace

std::string StreamDecoder::feed(std::int32_t id) {
  const std::string_view bytes = tokenizer_->token_bytes(id);
  if (!render_special_ && tokenizer_->is_special(id)) return {};
  std::string all = held_;
  all.append(bytes);
  std::string out, rest;
  out.reserve(all.size());
  std::string_view left = all;
  while (!left.empty()) {
    const Utf8Head head = classify_utf8(left);
    if (head.kind == Utf8Head::unfinished) break;
    out.append(head.kind == Utf8Head::invalid && mode_ == Mode::text ? kReplacement : left.substr(0, head.length));
    left.remove_prefix(head.length);
  }
  rest.assign(left);
  held_.swap(rest);
  return out;
}

std::string StreamDecoder::flush() {
  std::string out;
  if (!held_.empty() && mode_ == Mode::text)
    out = kReplacement;
  else
    out.swap(held_);
  held_.clear();
  return out;
}

}  // namespace lq
