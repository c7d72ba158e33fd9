#include "loquor/text/bpe.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <span>

#include "loquor/core/registry.hpp"
#include "loquor/core/status.hpp"
#include "loquor/text/merge_word.hpp"
#include "loquor/text/pretokenizer.hpp"

namespace lq {

struct BpeTokenizer::PreTokenizer {
  std::string_view name;
  EncodeFn encode;
  bool whole_words_first;
  bool add_bos;
};

// State of one encode_plain call: a block of ids not yet in `out`, and two caches of pieces already seen. `near_`
// answers most pieces from one cache line; `far_` has those of more tokens or bytes and refers to the text and to ids
// already made. Both end with the call: nothing of a text outlives it.
class BpeTokenizer::Run {
 public:
  Run(const BpeTokenizer& tokenizer, std::string_view text, std::vector<std::int32_t>& out)
      : tokenizer_(tokenizer),
        merger_(tokenizer.merges_),
        begin_(text.data()),
        end_(text.data() + text.size()),
        out_(out),
        base_(out.size()),
        capacity_(std::min(text.size() + kNearIds, kBlock)),
        block_(std::make_unique_for_overwrite<std::int32_t[]>(capacity_)) {
    // A guess of the ids to come; doubling keeps many short fragments linear.
    if (const std::size_t guess = base_ + text.size() / 4; guess > out.capacity()) {
      out.reserve(std::max(guess, 2 * out.capacity()));
    }
    // Short texts repeat too little to pay for large caches.
    near_.resize(std::clamp(std::bit_ceil(text.size() / 16), std::size_t{1}, kMaxNear));
    if (text.size() >= kFarFrom) far_.resize(std::clamp(std::bit_ceil(text.size() / 32), kMinFar, kMaxFar));
    near_mask_ = near_.size() - 1;
  }

  LQ_ALWAYS_INLINE void word(const char* p, std::size_t n) {
    const std::string_view bytes(p, n);
    const bool readable = end_ - p >= static_cast<std::ptrdiff_t>(WordKey::kReadable);
    const WordKey key = LQ_LIKELY(n <= WordKey::kExact && readable) ? WordKey::load(p, n) : WordKey::of(bytes);
    Near& near = near_[key.hash() & near_mask_];
    if (LQ_LIKELY(near.key == key)) {
      if (LQ_UNLIKELY(capacity_ - size_ < kNearIds)) flush();
      std::memcpy(block_.get() + size_, near.ids, sizeof near.ids);  // all of them: no branch on how many count
      size_ += near.count;
    } else {
      other(bytes, key, near);
    }
  }

  // Appends the block to `out`.
  LQ_NOINLINE void flush() {
    out_.insert(out_.end(), block_.get(), block_.get() + size_);
    size_ = 0;
  }

 private:
  using Ids = std::span<const std::int32_t>;
  static constexpr std::size_t kNearIds = 3;
  struct Near {
    WordKey key;  // no piece has the key of an empty entry
    std::int32_t ids[kNearIds];
    std::uint32_t count;
  };
  static_assert(sizeof(Near) == 32);
  struct Far {
    WordKey key;
    std::uint32_t text_at, text_size;  // of an earlier occurrence
    std::uint32_t ids_at, ids_size;    // and of its ids, counted from the call's first
  };
  static constexpr std::size_t kBlock = 8192;     // ids: small enough to stay in the first-level cache
  static constexpr std::size_t kMaxNear = 16384;  // 512 KiB
  static constexpr std::size_t kFarFrom = 512, kMinFar = 64, kMaxFar = 8192;

  std::size_t made() const noexcept { return out_.size() - base_ + size_; }

  void append(Ids ids) {
    if (capacity_ - size_ < ids.size()) flush();
    if (ids.size() > capacity_) {
      out_.insert(out_.end(), ids.begin(), ids.end());
    } else {
      std::copy(ids.begin(), ids.end(), block_.get() + size_);
      size_ += ids.size();
    }
  }

  // A piece that near_ doesn't have.
  LQ_NOINLINE void other(std::string_view bytes, const WordKey& key, Near& near) {
    const std::int32_t id = tokenizer_.vocab_.find(key, bytes);
    const bool whole = id >= 0 && tokenizer_.whole(id) == Whole::yes;
    const Ids ids = whole ? Ids(&id, 1) : several(bytes, key, id);
    if (ids.size() <= kNearIds && key.is_exact()) {
      near.key = key;
      near.count = static_cast<std::uint32_t>(ids.size());
      std::copy(ids.begin(), ids.end(), near.ids);
    }
    append(ids);
  }

  // A piece of several tokens, or of one whose wholeness isn't known yet (`id`, else -1). Valid until append().
  Ids several(std::string_view bytes, const WordKey& key, std::int32_t id) {
    Far* entry = far_.empty() ? nullptr : &far_[key.hash() & (far_.size() - 1)];
    if (entry && entry->key == key && entry->text_size == bytes.size() &&
        (key.is_exact() || std::string_view(begin_ + entry->text_at, entry->text_size) == bytes)) {
      const std::size_t flushed = out_.size() - base_, at = entry->ids_at;
      const std::int32_t* ids = at < flushed ? out_.data() + base_ + at : block_.get() + (at - flushed);
      piece_.assign(ids, ids + entry->ids_size);  // flushing moves what they lie in
      return piece_;
    }
    merge(bytes);
    if (id >= 0) tokenizer_.set_whole(id, piece_.size() == 1 && piece_[0] == id ? Whole::yes : Whole::no);
    if (entry && made() < ~std::uint32_t{0}) {
      *entry = {key, static_cast<std::uint32_t>(bytes.data() - begin_), static_cast<std::uint32_t>(bytes.size()),
                static_cast<std::uint32_t>(made()), static_cast<std::uint32_t>(piece_.size())};
    }
    return piece_;
  }

  // Into piece_.
  void merge(std::string_view bytes) {
    piece_.resize(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      piece_[i] = tokenizer_.byte_ids_[static_cast<unsigned char>(bytes[i])];
    }
    piece_.resize(merger_.merge(bytes, piece_.data()));
    if (!tokenizer_.spells_all_bytes_ && std::count(piece_.begin(), piece_.end(), -1)) replace_unknown();
  }

  // Each -1 in piece_.
  LQ_NOINLINE void replace_unknown() {
    const std::vector<std::int32_t>& instead = tokenizer_.replacement_;
    LQ_CHECK(!instead.empty(), Code::unsupported,
             "tokenizer: the vocabulary has no token for a byte of the text, none for U+FFFD and no unknown token");
    std::vector<std::int32_t> replaced;
    replaced.reserve(piece_.size() * instead.size());
    for (const std::int32_t id : piece_) {
      if (id >= 0) {
        replaced.push_back(id);
      } else {
        replaced.insert(replaced.end(), instead.begin(), instead.end());
      }
    }
    piece_.swap(replaced);
  }

  const BpeTokenizer& tokenizer_;
  WordMerger merger_;
  const char* begin_;
  const char* end_;
  std::vector<std::int32_t>& out_;
  std::size_t base_;  // out_.size() before this call
  std::size_t capacity_, size_ = 0;
  std::unique_ptr<std::int32_t[]> block_;
  std::vector<std::int32_t> piece_;
  std::vector<Near> near_;
  std::size_t near_mask_ = 0;
  std::vector<Far> far_;
};

template <class Splitter>
void BpeTokenizer::encode_with(const BpeTokenizer& self, std::string_view text, std::vector<std::int32_t>& out) {
  Run run(self, text, out);
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* q = Splitter::next(p, end);
    run.word(p, static_cast<std::size_t>(q - p));
    p = q;
  }
  run.flush();
}

const BpeTokenizer::PreTokenizer& BpeTokenizer::find_pre(const std::string& pre) {
  static constexpr PreTokenizer kRows[] = {
#define LQ_PRETOKENIZER(name, splitter, whole_words_first, add_bos) \
  {name, &BpeTokenizer::encode_with<splitter>, whole_words_first, add_bos},
#include "loquor/text/pretokenizers.def"
#undef LQ_PRETOKENIZER
  };
  const std::span<const PreTokenizer> rows(kRows);
  const PreTokenizer* row = find_row(rows, pre);
  LQ_CHECK(row, Code::unsupported, "tokenizer.ggml.pre '", pre, "' is not known; known are ", row_names(rows));
  return *row;
}

BpeTokenizer::BpeTokenizer(const TokenizerData& data)
    : Tokenizer(data, Vocab::build(data.tokens, data.types, Spelling::byte_level)), merges_(data.merges, vocab_) {
  const PreTokenizer& pre = find_pre(data.pre);
  encode_ = pre.encode;
  whole_words_first_ = pre.whole_words_first;
  if (!data.add_bos) add_bos_ = pre.add_bos && bos_;
  for (int b = 0; b < 256; ++b) {
    const char c = static_cast<char>(b);
    byte_ids_[b] = vocab_.find(std::string_view(&c, 1));
  }
  spells_all_bytes_ = std::count(std::begin(byte_ids_), std::end(byte_ids_), -1) == 0;
  whole_ = std::make_unique<std::atomic<Whole>[]>(vocab_.size());
  if (whole_words_first_) {
    for (std::size_t i = 0; i < vocab_.size(); ++i) set_whole(static_cast<std::int32_t>(i), Whole::yes);
  }
  if (!spells_all_bytes_) find_replacement();
}

// A byte without a token becomes the unknown token, unless that is a control token (text must never turn into one);
// then U+FFFD as the vocabulary spells it, if it can.
void BpeTokenizer::find_replacement() {
  if (unk_ && vocab_.kind(*unk_) != TokenKind::control) {
    replacement_ = {*unk_};
    return;
  }
  std::int32_t ids[3] = {byte_ids_[0xef], byte_ids_[0xbf], byte_ids_[0xbd]};
  if (std::count(ids, ids + 3, -1)) return;
  const std::size_t n = WordMerger(merges_).merge("\xef\xbf\xbd", ids);
  replacement_.assign(ids, ids + n);
}

void BpeTokenizer::encode_plain(std::string_view text, bool, std::vector<std::int32_t>& out) const {
  if (!text.empty()) encode_(*this, text, out);
}

std::shared_ptr<const Tokenizer> make_bpe(const TokenizerData& data) { return std::make_shared<BpeTokenizer>(data); }

}  // namespace lq
