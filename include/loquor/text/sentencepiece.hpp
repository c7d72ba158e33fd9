// Byte-pair encoding as SentencePiece does it (Kudo and Richardson 2018): the row "llama" of tokenizers.def.
//
// A text is not cut into words first: spaces are characters, a space is put in front, and the adjacent pair that makes
// the token with the highest score (the leftmost of equals) is joined until none makes one. Characters without a token
// are spelt in byte tokens. Files made from a tokenizer.json have merges as well, which then decide instead of scores:
// Hugging Face's tokenizers and SentencePiece differ where two ways of making one token overlap.
// Thread contract: as Tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/text/merge_table.hpp"
#include "loquor/text/space_prefix.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

class SentencePieceTokenizer final : public Tokenizer {
 public:
  // Throws as Tokenizer::create.
  explicit SentencePieceTokenizer(const TokenizerData& data);

 protected:
  void encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const override;

 private:
  class Merger;
  // How early a pair is joined (kNone: never), and the token it makes, which may be -1 for merges still to be looked
  // up.
  struct Join {
    std::uint32_t rank = MergeTable::kNone;
    std::int32_t id = -1;
  };
  Join join(std::string_view both, std::int32_t left, std::int32_t right) const noexcept;
  void rank_by_scores(const TokenizerData& data);
  bool tokens_cross_words() const noexcept;
  void append_token(std::string_view bytes, std::int32_t id, std::vector<std::int32_t>& out) const;

  SpacePrefix prefix_;
  std::optional<MergeTable> merges_;
  std::vector<std::uint32_t> ranks_;  // of each token, by its score: equal scores have equal ranks
  std::int32_t byte_ids_[256];        // -1 where the vocabulary has no byte token
  std::size_t longest_ = 0;           // bytes of a token
  bool by_words_ = false;             // no token reaches over the beginning of a word
};

std::shared_ptr<const Tokenizer> make_sentencepiece(const TokenizerData& data);

}  // namespace lq
