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

// State of one encode_plain call: the ids so far, and two caches of pieces already seen. `near_` answers most pieces
// from one cache line; `far_` has those of more tokens or bytes and refers to the text and to ids already written.
// Both end with the call: nothing of a text outlives it.
class BpeTokenizer::Run {
 public:
  Run(const BpeTokenizer& tokenizer, std::string_view text)
      : tokenizer_(tokenizer), merger_(tokenizer.merges_), begin_(text.data()), end_(text.data() + text.size()) {
    reserve(text.size() / 4 + 16);
    // Short texts repeat too little to pay for large caches.
    near_.resize(std::clamp(std::bit_ceil(text.size() / 16), std::size_t{1}, kMaxNear));
    if (text.size() >= kFarFrom) far_.resize(std::clamp(std::bit_ceil(text.size() / 32), kMinFar, kMaxFar));
    near_mask_ = near_.size() - 1;
  }

  LQ_ALWAYS_INLINE void word(const char* p, std::size_t n) {
    const std::string_view bytes(p, n);
    const WordKey key = LQ_LIKELY(n <= WordKey::kExact && end_ - p >= 16) ? WordKey::load(p, n) : WordKey::of(bytes);
    Near& near = near_[key.hash() & near_mask_];
    if (LQ_LIKELY(near.key == key)) {
      if (LQ_UNLIKELY(capacity_ - size_ < kNearIds)) reserve(kNearIds);
      std::memcpy(ids_.get() + size_, near.ids, sizeof near.ids);  // all of them: no branch on how many count
      size_ += near.count;
    } else {
      other(bytes, key, near);
    }
  }

  void append_to(std::vector<std::int32_t>& out) const { out.insert(out.end(), ids_.get(), ids_.get() + size_); }

 private:
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
    std::uint32_t ids_at, ids_size;    // and of its ids
  };
  static constexpr std::size_t kMaxNear = 16384;  // 512 KiB
  static constexpr std::size_t kFarFrom = 512, kMinFar = 64, kMaxFar = 8192;

  LQ_NOINLINE void reserve(std::size_t more) {
    if (capacity_ - size_ >= more) return;
    const std::size_t wanted = std::max(size_ + more, capacity_ + capacity_ / 2);
    auto bigger = std::make_unique_for_overwrite<std::int32_t[]>(wanted);
    if (size_) std::memcpy(bigger.get(), ids_.get(), size_ * sizeof(std::int32_t));
    ids_ = std::move(bigger);
    capacity_ = wanted;
  }

  // A piece that near_ doesn't have.
  LQ_NOINLINE void other(std::string_view bytes, const WordKey& key, Near& near) {
    const std::size_t at = size_;
    const std::int32_t id = tokenizer_.vocab_.find(key, bytes);
    if (id >= 0 && tokenizer_.whole_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed) == Whole::yes) {
      reserve(1);
      ids_[size_++] = id;
    } else {
      several(bytes, key, id);
    }
    const std::size_t count = size_ - at;
    if (count > kNearIds || !key.is_exact()) return;
    near.key = key;
    near.count = static_cast<std::uint32_t>(count);
    std::copy_n(ids_.get() + at, count, near.ids);
  }

  // A piece of several tokens, or of one whose wholeness isn't known yet (`id`, else -1).
  void several(std::string_view bytes, const WordKey& key, std::int32_t id) {
    Far* entry = far_.empty() ? nullptr : &far_[key.hash() & (far_.size() - 1)];
    if (entry && entry->key == key && entry->text_size == bytes.size() &&
        (key.is_exact() || std::string_view(begin_ + entry->text_at, entry->text_size) == bytes)) {
      reserve(entry->ids_size);
      std::copy_n(ids_.get() + entry->ids_at, entry->ids_size, ids_.get() + size_);
      size_ += entry->ids_size;
      return;
    }
    const std::size_t at = size_;
    merge(bytes);
    if (id >= 0) {
      const bool whole = size_ - at == 1 && ids_[at] == id;
      tokenizer_.whole_[static_cast<std::size_t>(id)].store(whole ? Whole::yes : Whole::no, std::memory_order_relaxed);
      if (whole) return;
    }
    if (entry) {
      *entry = {key, static_cast<std::uint32_t>(bytes.data() - begin_), static_cast<std::uint32_t>(bytes.size()),
                static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(size_ - at)};
    }
  }

  void merge(std::string_view bytes) {
    reserve(bytes.size());
    std::int32_t* ids = ids_.get() + size_;
    for (std::size_t i = 0; i < bytes.size(); ++i) ids[i] = tokenizer_.byte_ids_[static_cast<unsigned char>(bytes[i])];
    const std::size_t n = merger_.merge(ids, bytes.size());
    if (LQ_LIKELY(tokenizer_.spells_all_bytes_)) {
      size_ += n;
    } else {
      replace_unknown(n);
    }
  }

  // The n ids behind the end, with each -1 replaced.
  LQ_NOINLINE void replace_unknown(std::size_t n) {
    const std::vector<std::int32_t>& instead = tokenizer_.replacement_;
    std::int32_t* ids = ids_.get() + size_;
    const std::size_t unknown = static_cast<std::size_t>(std::count(ids, ids + n, -1));
    if (unknown == 0) {
      size_ += n;
      return;
    }
    LQ_CHECK(!instead.empty(), Code::unsupported,
             "tokenizer: the vocabulary has no token for a byte of the text, none ", "for U+FFFD and no unknown token");
    const std::vector<std::int32_t> merged(ids, ids + n);
    reserve(n + unknown * (instead.size() - 1));
    for (const std::int32_t id : merged) {
      if (id >= 0)
        ids_[size_++] = id;
      else
        for (const std::int32_t r : instead) ids_[size_++] = r;
    }
  }

  const BpeTokenizer& tokenizer_;
  WordMerger merger_;
  const char* begin_;
  const char* end_;
  std::unique_ptr<std::int32_t[]> ids_;
  std::size_t size_ = 0, capacity_ = 0;
  std::vector<Near> near_;
  std::size_t near_mask_ = 0;
  std::vector<Far> far_;
};

template <class Splitter>
void BpeTokenizer::encode_with(const BpeTokenizer& self, std::string_view text, std::vector<std::int32_t>& out) {
  Run run(self, text);
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* q = Splitter::next(p, end);
    run.word(p, static_cast<std::size_t>(q - p));
    p = q;
  }
  run.append_to(out);
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
    : Tokenizer(data, Vocab::build(data.tokens, data.types, true)), merges_(data.merges, vocab_) {
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
    for (std::size_t i = 0; i < vocab_.size(); ++i) whole_[i].store(Whole::yes, std::memory_order_relaxed);
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
  const std::size_t n = WordMerger(merges_).merge(ids, 3);
  replacement_.assign(ids, ids + n);
}

void BpeTokenizer::encode_plain(std::string_view text, std::vector<std::int32_t>& out) const {
  if (!text.empty()) encode_(*this, text, out);
}

std::shared_ptr<const Tokenizer> make_bpe(const TokenizerData& data) { return std::make_shared<BpeTokenizer>(data); }

}  // namespace lq
