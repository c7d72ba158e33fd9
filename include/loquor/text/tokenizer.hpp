// Text <-> token ids: the interface of every tokenizer kind (rows of tokenizers.def) and the streaming decoder.
// Not here: reading a file's metadata (formats/models fill TokenizerData) and chat templates (generate/).
// Thread contract: a Tokenizer is immutable and shareable between threads; a StreamDecoder has one user at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/text/vocab.hpp"

namespace lq {

// What a model file says about its tokenizer. The views point into memory that `keep_alive` holds (a mapped file, say)
// or that outlives Tokenizer::create; the tokenizer copies what it needs and keeps neither the views nor `keep_alive`.
struct TokenizerData {
  std::string model;                     // tokenizer.ggml.model: a row of tokenizers.def ("gpt2" = byte-level BPE)
  std::string pre;                       // tokenizer.ggml.pre: a row of pretokenizers.def ("smollm", "llama-bpe", ...)
  std::vector<std::string_view> tokens;  // tokenizer.ggml.tokens, id = index; bytes in the GPT-2 alphabet for "gpt2"
  std::vector<float> scores;             // empty, or one a token; unused by byte-level BPE and WordPiece
  std::vector<std::int32_t> types;       // empty (all normal), or one TokenKind value a token
  std::vector<std::string_view> merges;  // "left right", best first
  std::optional<std::int32_t> bos, eos, eot, eom, unk, sep, pad;
  std::optional<bool> add_bos, add_eos;          // absent: as the pre-tokenizer's row says
  std::optional<bool> lowercase, strip_accents;  // of WordPiece; absent: both, or as lowercase
  std::optional<bool> add_space_prefix;          // of SentencePiece kinds; absent: true
  // When that space is added: "" to every stretch of text between special tokens, "missing" to those that don't begin
  // with one, "first" of these only to what begins the text, "words" to each word between white space, which is
  // dropped.
  std::string space_prefix;
  bool remove_extra_whitespaces = false;  // of Unigram: spaces at a text's ends go, of several one remains
  std::string_view charsmap;              // of Unigram: SentencePiece's precompiled_charsmap
  bool charsmap_graphemes = false;        // applied as Hugging Face's tokenizers do, which differs on combining marks
  // Added tokens that take the white space before or after them along, and those that must be words of their own.
  std::vector<std::int32_t> lstrip, rstrip, single_word;
  std::shared_ptr<const void> keep_alive;
};

// A byte range [begin, end) of a text.
struct TextRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

struct EncodeOptions {
  bool add_special = false;    // bos/eos where the model asks for them
  bool parse_special = false;  // text spelling a control token ("<|im_end|>") becomes that token; else it stays text
  // With parse_special: ranges of the text (sorted, disjoint) in which control tokens are not looked for, nor across
  // their edges: a chat template's own words are trusted, what the messages hold is not.
  std::span<const TextRange> untrusted = {};
};

class Tokenizer {
 public:
  // Texts longer than this are refused with Error{limit}: positions are kept in 32 bits.
  static constexpr std::size_t kMaxText = (std::size_t{1} << 31) - 1;

  // Throws Error{unsupported} for a model or pre of no row (the message lists the rows), Error{bad_file} for metadata
  // that contradict themselves, Error{limit} for absurd sizes.
  static std::shared_ptr<const Tokenizer> create(const TokenizerData& data);
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // Any bytes, including NUL and invalid UTF-8. Linear in the text's length. decode(encode(text)) == text wherever the
  // vocabulary has a token for each byte of the text. Some lack a few: SmolLM2 has none for the bytes 04 06 13 14 16 1D
  // C0 C1 F1 F2 F5-FF. Such a byte becomes the unknown token, or, where that is a control token (text must never turn
  // into one) or there is none, U+FFFD as the vocabulary spells it. (Hugging Face and llama.cpp drop the byte.)
  // Text is not normalised: tokenizer.json of Qwen2 asks for NFC, but GGUF files can't say so and llama.cpp doesn't.
  // Throws Error{invalid_argument} for ranges out of order, Error{limit}, and Error{unsupported} for a byte that can't
  // be spelled in any of these ways.
  std::vector<std::int32_t> encode(std::string_view text, EncodeOptions options = {}) const;
  // The same, appended to `out`; on an exception `out` is as it was.
  void encode_append(std::string_view text, const EncodeOptions& options, std::vector<std::int32_t>& out) const;

  // The bytes the tokens stand for, in order, without a first space that encoding has added. Control and unknown tokens
  // give nothing unless render_special.
  // Throws Error{invalid_argument} for an id outside the vocabulary.
  std::string decode(std::span<const std::int32_t> ids, bool render_special = false) const;
  // The bytes of one token whatever its kind; valid for the tokenizer's life. Throws as decode.
  std::string_view token_bytes(std::int32_t id) const;
  // The token as the vocabulary spells it ("Ġthe").
  std::string token_text(std::int32_t id) const;
  TokenKind kind(std::int32_t id) const;
  // True for a token that decode leaves out unless render_special.
  bool is_special(std::int32_t id) const { return is_special_kind(kind(id)); }
  // The id spelled so in the vocabulary (the lowest, if there are several).
  std::optional<std::int32_t> find(std::string_view token_text) const { return vocab_.find_text(token_text); }

  // The normal or user-defined token that stands for exactly these bytes.
  std::optional<std::int32_t> find_bytes(std::string_view bytes) const {
    const std::int32_t id = vocab_.find(bytes);
    return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
  }

  std::size_t vocab_size() const noexcept { return vocab_.size(); }
  const std::string& model() const noexcept { return model_; }
  const std::string& pre() const noexcept { return pre_; }
  std::optional<std::int32_t> bos() const noexcept { return bos_; }
  std::optional<std::int32_t> eos() const noexcept { return eos_; }
  std::optional<std::int32_t> eot() const noexcept { return eot_; }
  std::optional<std::int32_t> unk() const noexcept { return unk_; }
  std::optional<std::int32_t> pad() const noexcept { return pad_; }
  bool add_bos() const noexcept { return add_bos_; }
  bool add_eos() const noexcept { return add_eos_; }
  // eos, eot, eom, and control tokens by the well-known names of turn and text ends. False for ids out of range.
  bool is_end_of_generation(std::int32_t id) const noexcept;
  // All of them, ascending.
  std::span<const std::int32_t> end_of_generation() const noexcept { return eog_; }

 protected:
  Tokenizer(const TokenizerData& data, Vocab vocab);
  // Encodes text that holds no special token, appending to `out`. `first`: nothing came before it.
  virtual void encode_plain(std::string_view text, bool first, std::vector<std::int32_t>& out) const = 0;

  Vocab vocab_;
  std::optional<std::int32_t> bos_, eos_, eot_, unk_, pad_;
  bool add_bos_ = false;
  bool add_eos_ = false;
  bool strip_first_space_ = false;  // by decode(): encoding added it

 private:
  void set_rules(const std::vector<std::int32_t>& ids, std::uint8_t rule);
  void encode_fragments(std::string_view text, const EncodeOptions& options, std::vector<std::int32_t>& out) const;

  std::string model_, pre_;
  std::vector<std::int32_t> eog_;
  std::vector<std::uint8_t> rules_;  // of each token, how it is looked for; empty if none has any
  struct Specials;                   // the automata that find special tokens
  std::shared_ptr<const Specials> specials_;
};

// Turns a stream of ids into text that can be shown at once: it never returns half a UTF-8 character. Bytes that may
// still become a character are held back, until they do, can't any more, or flush() is called.
class StreamDecoder {
 public:
  enum class Mode {
    text,   // every returned piece is valid UTF-8: an ill-formed sequence becomes U+FFFD, one for each maximal subpart
            // (Unicode 3.9, table 3-11; as Python's errors="replace")
    bytes,  // ill-formed bytes pass through unchanged: the pieces concatenate to Tokenizer::decode of all ids
  };
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, Mode mode = Mode::text,
                         bool render_special = false);

  // The text that is certain after this token; often empty. Throws as Tokenizer::decode, then the state is unchanged.
  std::string feed(std::int32_t id);
  // What is still held: in text mode one U+FFFD for an unfinished character. The decoder is then as new.
  std::string flush();
  // Bytes held back now, at most 3.
  std::size_t pending() const noexcept { return held_.size(); }

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  Mode mode_;
  bool render_special_;
  std::string held_;
};

}  // namespace lq
