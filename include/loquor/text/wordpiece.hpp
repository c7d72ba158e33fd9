// WordPiece, the tokenizer of BERT: words and punctuation marks, each cut greedily into the longest pieces that the
// vocabulary has (Schuster and Nakajima 2012; Devlin et al. 2018). The vocabulary is spelt as in GGUF files: pieces
// that begin a word have U+2581 in front, others nothing.
#pragma once

#include <string>

#include "loquor/text/normalizer.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

class WordPieceTokenizer final : public Tokenizer {
 public:
  // Throws as Tokenizer::create.
  explicit WordPieceTokenizer(const TokenizerData& data);

 protected:
  void encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const override;

 private:
  void encode_word(std::string_view word, std::string& buffer, std::vector<std::int32_t>& out) const;

  WordRules rules_;
  std::size_t longest_ = 0;  // bytes of a piece, with the space before the first of a word
};

std::shared_ptr<const Tokenizer> make_wordpiece(const TokenizerData& data);

}  // namespace lq
