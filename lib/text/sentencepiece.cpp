#include "loquor/text/sentencepiece.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "loquor/core/status.hpp"
#include "loquor/text/rank_queue.hpp"
#include "loquor/text/unicode.hpp"

namespace lq {
// Joins the characters of one stretch of text. One user at a time.
class SentencePieceTokenizer::Merger {
 public:
  explicit Merger(const SentencePieceTokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void encode(std::string_view text, std::vector<std::int32_t>& out) {
    if (text.size() > kCached) return merge(text, out);
    const auto [it, fresh] = cache_.try_emplace(text);
    if (fresh) {
      const std::size_t before = out.size();
      merge(text, out);
      it->second.assign(out.begin() + static_cast<std::ptrdiff_t>(before), out.end());
      if (cache_.size() >= kMaxCache) cache_.clear();
      return;
    }
    out.insert(out.end(), it->second.begin(), it->second.end());
  }

 private:
  static constexpr std::size_t kCached = 32, kMaxCache = 1 << 14;  // bytes of a text, texts
  static constexpr std::size_t kShort = 48;  // characters: up to that, looking at all pairs is faster than a queue
  struct Symbol {
    std::string_view bytes;  // empty: joined to another
    std::int32_t id;
    std::uint32_t prev, next;  // the neighbours; size of all: none
  };

  void merge(std::string_view text, std::vector<std::int32_t>& out) {
    symbols_.clear();
    for (std::size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.data() + at, text.size() - at);
      const std::string_view bytes = text.substr(at, c.length ? c.length : 1);
      const auto i = static_cast<std::uint32_t>(symbols_.size());
      symbols_.push_back({bytes, tokenizer_.vocab_.find(bytes), i - 1, i + 1});
      at += bytes.size();
    }
    if (symbols_.size() <= kShort)
      join_short();
    else
      join_long();
    for (std::size_t i = 0; i < symbols_.size(); i = symbols_[i].next)
      tokenizer_.append_token(symbols_[i].bytes, symbols_[i].id, out);
  }

  Join join_at(std::size_t i) const noexcept {
    const std::size_t next = symbols_[i].next;
    if (next >= symbols_.size()) return {};
    const Symbol &a = symbols_[i], &b = symbols_[next];
    return tokenizer_.join({a.bytes.data(), a.bytes.size() + b.bytes.size()}, a.id, b.id);
  }

  void apply(std::size_t i, std::int32_t id) noexcept {
    Symbol& a = symbols_[i];
    Symbol& b = symbols_[a.next];
    a = {{a.bytes.data(), a.bytes.size() + b.bytes.size()}, id, a.prev, b.next};
    b.bytes = {};
    if (a.next < symbols_.size()) symbols_[a.next].prev = static_cast<std::uint32_t>(i);
  }

  void join_short() {
    Join joins[kShort];
    const std::size_t n = symbols_.size();
    for (std::size_t i = 0; i < n; ++i) joins[i] = join_at(i);
    for (;;) {
      std::size_t best = 0;
      for (std::size_t i = 1; i < n; ++i)
        if (joins[i].rank < joins[best].rank) best = i;
      if (n == 0 || joins[best].rank == MergeTable::kNone) return;
      joins[symbols_[best].next] = {};
      apply(best, joins[best].id);
      joins[best] = join_at(best);
      if (const std::size_t prev = symbols_[best].prev; prev < n) joins[prev] = join_at(prev);
    }
  }

  void join_long() {
    const auto push = [&](std::size_t i) {
      if (const Join j = join_at(i); j.rank != MergeTable::kNone) queue_.push(j.rank, static_cast<std::uint32_t>(i));
    };
    queue_.clear();
    for (std::size_t i = 0; i < symbols_.size(); ++i) push(i);
    while (!queue_.empty()) {
      const RankQueue::Item item = queue_.pop();
      // What was queued holds only if such a pair is still there.
      if (symbols_[item.position].bytes.empty()) continue;
      const Join j = join_at(item.position);
      if (j.rank != item.rank) continue;
      apply(item.position, j.id);
      if (const std::size_t prev = symbols_[item.position].prev; prev < symbols_.size()) push(prev);
      push(item.position);
    }
  }

  const SentencePieceTokenizer& tokenizer_;
  std::vector<Symbol> symbols_;
  RankQueue queue_;
  std::unordered_map<std::string_view, std::vector<std::int32_t>> cache_;
};

SentencePieceTokenizer::SentencePieceTokenizer(const TokenizerData& data)
    : Tokenizer(data, Vocab::build(data.tokens, data.types, Spelling::metaspace)), prefix_(data) {
  if (!data.add_bos) add_bos_ = bos_.has_value();
  strip_first_space_ = prefix_.any();
  std::fill(std::begin(byte_ids_), std::end(byte_ids_), -1);
  for (std::int32_t id = 0; vocab_.contains(id); ++id) {
    const std::string_view bytes = vocab_.bytes(id);
    if (vocab_.kind(id) == TokenKind::byte && bytes.size() == 1)
      byte_ids_[static_cast<unsigned char>(bytes[0])] = id;
    else
      longest_ = std::max(longest_, bytes.size());
  }
  by_words_ = !tokens_cross_words();
  if (data.merges.empty())
    rank_by_scores(data);
  else
    merges_.emplace(data.merges, vocab_);
}

void SentencePieceTokenizer::rank_by_scores(const TokenizerData& data) {
  LQ_CHECK(data.scores.size() == data.tokens.size(), Code::bad_file, "tokenizer.ggml.scores has ", data.scores.size(),
           " entries for ", data.tokens.size(), " tokens");
  std::vector<float> distinct(data.scores);
  for (std::size_t i = 0; i < distinct.size(); ++i)
    LQ_CHECK(std::isfinite(distinct[i]), Code::bad_file, "tokenizer.ggml.scores[", i, "] is ", distinct[i]);
  std::sort(distinct.begin(), distinct.end(), std::greater<>());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  for (const float s : data.scores)
    ranks_.push_back(static_cast<std::uint32_t>(
        std::lower_bound(distinct.begin(), distinct.end(), s, std::greater<>()) - distinct.begin()));
}

// Whether any token has a space after something else.
bool SentencePieceTokenizer::tokens_cross_words() const noexcept {
  for (std::int32_t id = 0; vocab_.contains(id); ++id) {
    const std::string_view bytes = vocab_.bytes(id);
    if (vocab_.kind(id) != TokenKind::normal && vocab_.kind(id) != TokenKind::user_defined) continue;
    if (first_word(bytes) != bytes.size()) return true;
  }
  return false;
}

SentencePieceTokenizer::Join SentencePieceTokenizer::join(std::string_view both, std::int32_t left,
                                                          std::int32_t right) const noexcept {
  if (merges_) {
    const std::uint32_t rank = merges_->rank(left, right);
    return rank == MergeTable::kNone ? Join{} : Join{rank, merges_->result(rank)};
  }
  if (both.size() > longest_) return {};
  const std::int32_t id = vocab_.find(both);
  return id < 0 ? Join{} : Join{ranks_[static_cast<std::size_t>(id)], id};
}

void SentencePieceTokenizer::append_token(std::string_view bytes, std::int32_t id,
                                          std::vector<std::int32_t>& out) const {
  if (id >= 0) return out.push_back(id);
  for (const char c : bytes) {
    const std::int32_t byte = byte_ids_[static_cast<unsigned char>(c)];
    const bool text = byte < 0 && unk_ && vocab_.kind(*unk_) != TokenKind::control;
    LQ_CHECK(byte >= 0 || text, Code::unsupported,
             "tokenizer: the vocabulary has no token for a byte of the text and no unknown token");
    out.push_back(byte >= 0 ? byte : *unk_);
    if (byte < 0) return;  // one for the whole character
  }
}

void SentencePieceTokenizer::encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const {
  if (text.empty()) return;
  std::string spaced;
  spaced.reserve(text.size() + 1);
  prefix_.append(text, first, spaced);
  Merger merger(*this);
  for (std::string_view left = spaced; !left.empty();) {
    const std::size_t n = by_words_ ? first_word(left) : left.size();
    merger.encode(left.substr(0, n), out);
    left.remove_prefix(n);
  }
}

std::shared_ptr<const Tokenizer> make_sentencepiece(const TokenizerData& data) {
  return std::make_shared<SentencePieceTokenizer>(data);
}

}  // namespace lq
