#include "loquor/text/merge_table.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "loquor/core/status.hpp"

namespace lq {

namespace {

// Finds words, trying first the id after the one found last: merges are mostly listed in the order of the tokens they
// make, and comparing one key is cheaper than a look-up.
class WordFinder {
 public:
  explicit WordFinder(const Vocab& vocab) : vocab_(vocab) {}
  std::int32_t operator()(std::string_view bytes) {
    const WordKey key = WordKey::of(bytes);
    const std::int32_t guess = last_ + 1;
    last_ = vocab_.is_word(guess, key, bytes) ? guess : vocab_.find(key, bytes);
    return last_;
  }

 private:
  const Vocab& vocab_;
  std::int32_t last_ = -1;
};

}  // namespace

MergeTable::MergeTable(std::span<const std::string_view> merges, const Vocab& vocab) {
  LQ_CHECK(merges.size() < kMaxMerges, Code::limit, "tokenizer.ggml.merges has ", merges.size(),
           " entries, not fewer than ", kMaxMerges);
  const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(merges.size() * 8 / 5 + 1, 16));
  table_.assign(capacity, kEmpty);
  mask_ = capacity - 1;
  shift_ = static_cast<unsigned>(64 - std::countr_zero(capacity));
  results_.assign(merges.size(), -1);
  WordFinder find_joined(vocab);
  std::string joined;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    // A space separates the two; the alphabet itself has none, so the first after a character is the one.
    const std::size_t space = merges[i].find(' ', 1);
    LQ_CHECK(space != std::string_view::npos && space + 1 < merges[i].size(), Code::bad_file, "tokenizer.ggml.merges[",
             i, "] isn't two pieces with a space between");
    joined.clear();
    if (!decode_byte_alphabet(merges[i].substr(0, space), joined)) continue;
    const std::size_t split = joined.size();
    if (!decode_byte_alphabet(merges[i].substr(space + 1), joined)) continue;
    const std::string_view all = joined;
    const std::int32_t result = find_joined(all);
    const std::int32_t left = vocab.find(all.substr(0, split)), right = vocab.find(all.substr(split));
    if (result < 0 || left < 0 || right < 0) continue;
    results_[i] = result;
    insert(pack(left, right), static_cast<std::uint32_t>(i));
  }
}

void MergeTable::insert(std::uint64_t pair, std::uint32_t rank) {
  std::size_t slot = slot_of(pair), probes = 0;
  for (; table_[slot] != kEmpty; slot = (slot + 1) & mask_) {
    if (table_[slot] >> 24 == pair) return;
    LQ_CHECK(++probes <= kMaxProbes, Code::bad_file, "tokenizer.ggml.merges[", rank, "]: more than ", kMaxProbes,
             " merges share a hash, as only a file made to be slow has");
  }
  table_[slot] = pair << 24 | rank;
}

}  // namespace lq
