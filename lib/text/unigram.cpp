#include "loquor/text/unigram.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
namespace {

// Of a character without a token, below the least score (SentencePiece, kUnkPenalty).
constexpr double kUnknownPenalty = 10;

}  // namespace

// The best way through one stretch of text. One user at a time.
class UnigramTokenizer::Lattice {
 public:
  explicit Lattice(const UnigramTokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void encode(std::string_view text, std::vector<std::int32_t>& out) {
    if (text.size() > kCached) return search(text, out);
    const auto [it, fresh] = cache_.try_emplace(text);
    if (!fresh) return void(out.insert(out.end(), it->second.begin(), it->second.end()));
    const std::size_t before = out.size();
    search(text, out);
    it->second.assign(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
    if (cache_.size() >= kMaxCache) cache_.clear();
  }

 private:
  static constexpr std::size_t kCached = 32, kMaxCache = 1 << 14;  // bytes of a text, texts
  static constexpr std::int32_t kUnknown = -1;
  struct End {
    double score = 0;
    std::uint32_t start = kUnset;
    std::int32_t id = kUnknown;
  };
  static constexpr std::uint32_t kUnset = ~std::uint32_t{0};

  void offer(std::size_t start, std::size_t end, std::int32_t id, double score) {
    End& e = ends_[end];
    double sum = ends_[start].score + score;
    if (!tokenizer_.by_graphemes_) sum = static_cast<float>(sum);
    if (e.start == kUnset || sum > e.score) e = {sum, static_cast<std::uint32_t>(start), id};
  }

  void search(std::string_view text, std::vector<std::int32_t>& out) {
    ends_.assign(text.size() + 1, End{});
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t n = std::max<std::size_t>(1, decode_utf8(text.data() + at, text.size() - at).length);
      bool alone = false;
      tokenizer_.trie_->prefixes(text.substr(at), [&](std::size_t length, std::int32_t id) {
        offer(at, at + length, id, tokenizer_.scores_[static_cast<std::size_t>(id)]);
        alone = alone || length == n;
      });
      if (!alone) offer(at, at + n, kUnknown, tokenizer_.unknown_score_);
      at += n;
    }
    steps_.clear();
    for (std::size_t end = text.size(); end > 0; end = ends_[end].start) steps_.push_back(end);
    append(text, out);
  }

  void append(std::string_view text, std::vector<std::int32_t>& out) {
    std::size_t unknown = 0, at = 0;  // bytes of unknown characters just before `at`
    const auto flush = [&] {
      if (unknown) tokenizer_.append_unknown(text.substr(at - unknown, unknown), out);
      unknown = 0;
    };
    for (auto end = steps_.rbegin(); end != steps_.rend(); ++end) {
      const End& e = ends_[*end];
      if (e.id == kUnknown) {
        unknown += *end - at;
      } else {
        flush();
        out.push_back(e.id);
      }
      at = *end;
    }
    flush();
  }

  const UnigramTokenizer& tokenizer_;
  std::vector<End> ends_;           // of each place: the best way there
  std::vector<std::size_t> steps_;  // the places on the best way, the last first
  std::unordered_map<std::string_view, std::vector<std::int32_t>> cache_;
};

UnigramTokenizer::UnigramTokenizer(const TokenizerData& data)
    : Tokenizer(data, Vocab::build(data.tokens, data.types, Spelling::metaspace)),
      charsmap_(data.charsmap),
      by_graphemes_(data.charsmap_graphemes),
      remove_extra_(data.remove_extra_whitespaces),
      prefix_(data) {
  LQ_CHECK(unk_, Code::bad_file, "tokenizer.ggml.unknown_token_id is missing, which a Unigram vocabulary needs");
  if (!data.add_eos) add_eos_ = eos_.has_value();
  strip_first_space_ = prefix_.any();
  read_scores(data);
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), -1);
  std::vector<WordTrie::Word> words;
  by_words_ = true;
  for (std::int32_t id = 0; vocab_.contains(id); ++id) {
    const std::string_view bytes = vocab_.bytes(id);
    const TokenKind kind = vocab_.kind(id);
    if (kind == TokenKind::byte && bytes.size() == 1) byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
    if (kind != TokenKind::normal && kind != TokenKind::user_defined) continue;
    words.emplace_back(bytes, id);
    by_words_ = by_words_ && first_word(bytes) == bytes.size();
  }
  trie_.emplace(std::move(words));
  // SentencePiece adds scores in single precision from the text's beginning, Hugging Face's tokenizers in double from
  // each word's: that decides between splits that are equally good.
  by_words_ = by_words_ && by_graphemes_;
}

void UnigramTokenizer::read_scores(const TokenizerData& data) {
  LQ_CHECK(data.scores.size() == data.tokens.size(), Code::bad_file, "tokenizer.ggml.scores has ", data.scores.size(),
           " entries for ", data.tokens.size(), " tokens");
  double least = 0;
  for (std::size_t i = 0; i < data.scores.size(); ++i) {
    LQ_CHECK(std::isfinite(data.scores[i]), Code::bad_file, "tokenizer.ggml.scores[", i, "] is ", data.scores[i]);
    least = i == 0 ? data.scores[i] : std::min<double>(least, data.scores[i]);
  }
  scores_ = data.scores;
  unknown_score_ = least - kUnknownPenalty;
  if (!by_graphemes_) unknown_score_ = static_cast<float>(unknown_score_);
}

void UnigramTokenizer::append_unknown(std::string_view bytes, std::vector<std::int32_t>& out) const {
  const std::size_t before = out.size();
  for (const char c : bytes) {
    const std::int32_t id = byte_ids_[static_cast<unsigned char>(c)];
    if (id < 0) {
      out.resize(before);
      return out.push_back(*unk_);
    }
    out.push_back(id);
  }
}

// Their normalizers strip all kinds of white space from the end.
std::string_view UnigramTokenizer::stripped(std::string_view text) const noexcept {
  while (by_graphemes_ && remove_extra_ && !text.empty()) {
    std::size_t n = 1;
    while (n < 4 && n < text.size() && (text[text.size() - n] & 0xc0) == 0x80) ++n;
    const CodePoint c = decode_utf8(text.data() + text.size() - n, n);
    if (c.length != n || class_of(c.value) != CharClass::space) break;
    text.remove_suffix(n);
  }
  return text;
}

void UnigramTokenizer::encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const {
  if (text.empty()) return;
  std::string normal, spaced;
  if (by_graphemes_)
    charsmap_.append_graphemes(text, normal);
  else
    charsmap_.append(text, normal);
  spaced.reserve(normal.size() + 1);
  prefix_.append(stripped(normal), first, spaced);
  LQ_CHECK(spaced.size() <= 2 * kMaxText, Code::limit, "encode: normalised, the text has ", spaced.size(), " bytes");
  Lattice lattice(*this);
  for (std::string_view left = spaced; !left.empty();) {
    const std::size_t n = by_words_ ? first_word(left) : left.size();
    lattice.encode(left.substr(0, n), out);
    left.remove_prefix(n);
  }
}

std::shared_ptr<const Tokenizer> make_unigram(const TokenizerData& data) {
  return std::make_shared<UnigramTokenizer>(data);
}

}  // namespace lq
