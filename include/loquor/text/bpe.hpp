// Byte-level byte-pair encoding (Sennrich et al. 2016; Radford et al. 2019): the row "gpt2" of tokenizers.def.
//
// A text is cut into pieces by the pre-tokenizer; a piece's bytes become tokens, and the adjacent pair with the lowest
// merge rank (the leftmost of equals) is joined until no pair merges. Most pieces of a text are single tokens, so each
// is first looked up whole; that its merges really make that one token is found out once and remembered.
// Thread contract: as Tokenizer.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "loquor/text/merge_table.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

class BpeTokenizer final : public Tokenizer {
 public:
  // Throws as Tokenizer::create.
  explicit BpeTokenizer(const TokenizerData& data);

 protected:
  void encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const override;

 private:
  class Run;  // one encode_plain call
  using EncodeFn = void (*)(const BpeTokenizer&, std::string_view, std::vector<std::int32_t>&);
  struct PreTokenizer;
  static const PreTokenizer& find_pre(const std::string& pre);
  template <class Splitter>
  static void encode_with(const BpeTokenizer& self, std::string_view text, std::vector<std::int32_t>& out);
  void find_replacement();

  MergeTable merges_;
  EncodeFn encode_ = nullptr;
  bool whole_words_first_ = false;
  std::int32_t byte_ids_[256];             // -1 where the vocabulary has no token for the byte
  std::vector<std::int32_t> replacement_;  // what such a byte becomes; empty if every byte has a token
  bool spells_all_bytes_ = false;

  // What is known of token id's bytes: do they encode to exactly that token? Facts about the vocabulary alone, found
  // when first needed; racing threads store the same value, so relaxed order is enough.
  enum class Whole : std::uint8_t { unknown, yes, no };
  Whole whole(std::int32_t id) const noexcept {
    return whole_[static_cast<std::size_t>(id)].load(std::memory_order_relaxed);
  }
  void set_whole(std::int32_t id, Whole value) const noexcept {
    whole_[static_cast<std::size_t>(id)].store(value, std::memory_order_relaxed);
  }
  std::unique_ptr<std::atomic<Whole>[]> whole_;
};

std::shared_ptr<const Tokenizer> make_bpe(const TokenizerData& data);

}  // namespace lq
