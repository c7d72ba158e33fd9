// SentencePiece's Unigram model (Kudo 2018): the row "t5" of tokenizers.def, as GGUF files call it; also that of XLM-R.
//
// A text is normalised by the file's table, its runs of spaces become one, and a space is put in front. Then the tokens
// are chosen whose scores (log probabilities) add up to most. A character that no token begins with is spelt in byte
// tokens, or becomes the unknown token, one for a run of such.
// Thread contract: as Tokenizer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/text/charsmap.hpp"
#include "loquor/text/space_prefix.hpp"
#include "loquor/text/tokenizer.hpp"
#include "loquor/text/word_trie.hpp"

namespace lq {

class UnigramTokenizer final : public Tokenizer {
 public:
  // Throws as Tokenizer::create.
  explicit UnigramTokenizer(const TokenizerData& data);

 protected:
  void encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const override;

 private:
  class Lattice;

  std::string_view stripped(std::string_view text) const noexcept;
  void read_scores(const TokenizerData& data);
  // The tokens of characters that no token has.
  void append_unknown(std::string_view bytes, std::vector<std::int32_t>& out) const;

  Charsmap charsmap_;
  bool by_graphemes_ = false;  // and in all else as Hugging Face's tokenizers do where they differ
  bool remove_extra_ = false;
  SpacePrefix prefix_;
  std::optional<WordTrie> trie_;
  std::vector<float> scores_;
  double unknown_score_ = 0;
  std::int32_t byte_ids_[256];  // -1 where the vocabulary has no byte token
  bool by_words_ = false;       // no token reaches over the beginning of a word
};

std::shared_ptr<const Tokenizer> make_unigram(const TokenizerData& data);

}  // namespace lq
