// The token table: bytes and kind of each id, and the way back from bytes to id. Shared by all tokenizer kinds.
// Thread contract: immutable after build().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/text/word_key.hpp"

namespace lq {

// GGUF tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

inline bool is_special_kind(TokenKind kind) noexcept {
  return kind == TokenKind::control || kind == TokenKind::unknown;
}

// How a vocabulary spells the bytes of a token.
enum class Spelling : std::uint8_t {
  byte_level,  // normal tokens in the GPT-2 byte alphabet (openai/gpt-2, encoder.py: bytes_to_unicode)
  word_start,  // U+2581 in front of a token is a space, elsewhere itself (WordPiece)
  metaspace    // each U+2581 of a normal token is a space (SentencePiece)
};

class Vocab {
 public:
  static constexpr std::size_t kMaxTokens = (std::size_t{1} << 20) - 1;
  static constexpr std::size_t kMaxTokenBytes = (std::size_t{1} << 16) - 1;  // of one token's text
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;             // of all texts

  // Tokens of kinds other than normal are literal, and kind `byte` is "<0xHH>". With Spelling::byte_level a normal
  // token with a character outside the alphabet is taken literally and is no target for find(). `types` is empty or one
  // a token. Throws Error{bad_file|limit} naming the token.
  static Vocab build(std::span<const std::string_view> texts, std::span<const std::int32_t> types, Spelling spelling);

  std::size_t size() const noexcept { return kinds_.size(); }
  Spelling spelling() const noexcept { return spelling_; }
  bool contains(std::int32_t id) const noexcept { return id >= 0 && static_cast<std::size_t>(id) < kinds_.size(); }
  // For the next three the id must be contained.
  std::string_view bytes(std::int32_t id) const noexcept {
    const std::size_t i = static_cast<std::size_t>(id);
    return {arena_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
  }
  TokenKind kind(std::int32_t id) const noexcept {
    return static_cast<TokenKind>(kinds_[static_cast<std::size_t>(id)] & kKindMask);
  }
  std::string text(std::int32_t id) const;  // as the file spells it

  // The token that plain text with these bytes may become, the lowest id if several: normal tokens first, then
  // user-defined ones that the byte alphabet would spell the same. -1 if there is none. Control, unknown, unused and
  // byte tokens are never found here.
  std::int32_t find(std::string_view bytes) const noexcept { return find(WordKey::of(bytes), bytes); }
  // The same for a key already made of these bytes.
  LQ_ALWAYS_INLINE std::int32_t find(const WordKey& key, std::string_view bytes) const noexcept {
    const std::uint64_t hash = key.hash();
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t slot = hash & mask_;; slot = (slot + 1) & mask_) {
      const std::uint32_t entry = table_[slot];
      if (entry == kEmpty) return -1;
      if ((entry & ~kIdMask) != tag) continue;
      const std::uint32_t id = entry & kIdMask;
      if (keys_[id] != key) continue;
      if (LQ_LIKELY(key.is_exact()) || this->bytes(static_cast<std::int32_t>(id)) == bytes) {
        return static_cast<std::int32_t>(id);
      }
    }
  }
  // True if `id` is a token that find() can return for these bytes (a cheaper test than finding it).
  bool is_word(std::int32_t id, const WordKey& key, std::string_view bytes) const noexcept {
    const std::size_t i = static_cast<std::size_t>(id);
    return i < keys_.size() && (kinds_[i] & kWord) && keys_[i] == key && this->bytes(id) == bytes;
  }
  // Any kind, by its spelling in the file; the lowest id.
  std::optional<std::int32_t> find_text(std::string_view text) const;

 private:
  static constexpr std::uint8_t kKindMask = 7, kAlphabet = 8, kWord = 16;
  static constexpr std::uint32_t kIdMask = (1u << 20) - 1, kEmpty = ~0u;
  static constexpr std::size_t kMaxProbes = 512;  // honest vocabularies stay far below
  // The hash's high bits, above an entry's 20 bits of id; an empty entry's id is no token's (kMaxTokens).
  static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32) & ~kIdMask; }

  void add(std::string_view text, std::int32_t type);
  void build_index();
  void insert_word(std::size_t id);

  Spelling spelling_ = Spelling::byte_level;
  std::string arena_;                   // token bytes, one after another, then WordKey::kReadable zeros
  std::vector<std::uint32_t> offsets_;  // size() + 1
  std::vector<std::uint8_t> kinds_;     // TokenKind | kAlphabet (spelt as spelling_ says) | kWord (in table_)
  std::vector<WordKey> keys_;           // of bytes(id)
  std::vector<std::uint32_t> table_;    // open addressing: tag and id
  std::size_t mask_ = 0;                // table_.size() - 1
  std::vector<std::int32_t> literals_;  // ids without kWord, sorted by bytes then id
};

// U+2581, in UTF-8.
inline constexpr std::string_view kMetaspace = "\xe2\x96\x81";

// GPT-2's byte alphabet. Decoding writes at most text.size() bytes and returns how many, or npos if `text` holds
// anything outside the alphabet (then what was written is of no use).
std::size_t decode_byte_alphabet(std::string_view text, char* to) noexcept;
std::string encode_byte_alphabet(std::string_view bytes);
// U+2581 becomes a space; writes at most text.size() bytes and returns how many.
std::size_t decode_metaspaces(std::string_view text, char* to) noexcept;

}  // namespace lq
