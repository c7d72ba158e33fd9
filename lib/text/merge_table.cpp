#include "loquor/text/merge_table.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "loquor/core/status.hpp"

namespace lq {

namespace {

std::size_t longest(std::span<const std::string_view> texts) noexcept {
  std::size_t most = 0;
  for (const std::string_view t : texts) most = std::max(most, t.size());
  return most;
}

// The word of the vocabulary at [p, p + n); kReadable bytes can be read there. `guess` is tried first.
std::int32_t find_word(const Vocab& vocab, const char* p, std::size_t n, std::int32_t guess) noexcept {
  const WordKey key = WordKey::of_readable(p, n);
  const std::string_view bytes(p, n);
  return vocab.is_word(guess, key, bytes) ? guess : vocab.find(key, bytes);
}

}  // namespace

MergeTable::MergeTable(std::span<const std::string_view> merges, const Vocab& vocab) {
  LQ_CHECK(merges.size() < kMaxMerges, Code::limit, "tokenizer.ggml.merges has ", merges.size(),
           " entries, not fewer than ", kMaxMerges);
  const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(merges.size() * 3 + 1, 16));
  table_.assign(capacity, kEmpty);
  mask_ = capacity - 1;
  shift_ = static_cast<unsigned>(64 - std::countr_zero(capacity));
  merges_.assign(merges.size(), {-1, -1, -1});
  byte_ranks_.assign(256 * 256, kNone);
  std::string buffer(longest(merges) + WordKey::kReadable, '\0');
  char* const joined = buffer.data();
  std::int32_t result = -1;
  const auto decode = vocab.spelling() == Spelling::byte_level ? decode_byte_alphabet : decode_metaspaces;
  for (std::size_t i = 0; i < merges.size(); ++i) {
    // A space separates the two; the alphabet itself has none, so the first after a character is the one.
    const std::size_t space = merges[i].find(' ', 1);
    LQ_CHECK(space != std::string_view::npos && space + 1 < merges[i].size(), Code::bad_file, "tokenizer.ggml.merges[",
             i, "] isn't two pieces with a space between");
    const std::size_t n = decode(merges[i].substr(0, space), joined);
    if (n == std::string_view::npos) continue;
    const std::size_t m = decode(merges[i].substr(space + 1), joined + n);
    if (m == std::string_view::npos) continue;
    // Merges are mostly listed in the order of the tokens they make, so the id after the last result is worth a guess.
    result = find_word(vocab, joined, n + m, result + 1);
    const std::int32_t left = find_word(vocab, joined, n, -1), right = find_word(vocab, joined + n, m, -1);
    if (result < 0 || left < 0 || right < 0) continue;
    merges_[i] = {left, right, result};
    insert(static_cast<std::uint32_t>(i));
    if (n == 1 && m == 1) {
      const auto byte = [joined](std::size_t at) { return static_cast<unsigned char>(joined[at]); };
      std::uint32_t& rank = byte_ranks_[static_cast<std::size_t>(byte(0)) << 8 | byte(1)];
      rank = std::min(rank, static_cast<std::uint32_t>(i));
    }
  }
}

void MergeTable::insert(std::uint32_t rank) {
  const Merge& merge = merges_[rank];
  if (this->rank(merge.left, merge.right) != kNone) return;
  const std::uint64_t hash = hash_of(merge.left, merge.right);
  std::size_t slot = hash >> shift_, probes = 0;
  for (; table_[slot] != kEmpty; slot = (slot + 1) & mask_) {
    LQ_CHECK(++probes <= kMaxProbes, Code::bad_file, "tokenizer.ggml.merges[", rank, "]: more than ", kMaxProbes,
             " merges share a hash, as only a file made to be slow has");
  }
  table_[slot] = tag_of(hash) | rank;
}

}  // namespace lq
