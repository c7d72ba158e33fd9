// The token table: bytes and kind of each id, and the way back from bytes to id. Shared by all tokenizer kinds.
// Thread contract: immutable after build().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

// GGUF tokenizer.ggml.token_type.
enum class TokenKind : std::uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

inline bool is_special_kind(TokenKind kind) noexcept { return kind == TokenKind::control || kind == TokenKind::unknown; }

class Vocab {
 public:
  static constexpr std::size_t kMaxTokens = std::size_t{1} << 24;
  static constexpr std::size_t kMaxTokenBytes = std::size_t{1} << 16;  // of one token
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;       // of all tokens

  // `texts` spell normal tokens in the GPT-2 byte alphabet if `byte_level`; other kinds are literal, and kind `byte` is
  // "<0xHH>". A normal token with a character outside the alphabet is taken literally. `types` is empty or one a token.
  // Throws Error{bad_file|limit} naming the token.
  static Vocab build(std::span<const std::string_view> texts, std::span<const std::int32_t> types, bool byte_level);

  std::size_t size() const noexcept { return kinds_.size(); }
  bool contains(std::int32_t id) const noexcept { return id >= 0 && static_cast<std::size_t>(id) < kinds_.size(); }
  // The id must be contained.
  std::string_view bytes(std::int32_t id) const noexcept {
    const std::size_t i = static_cast<std::size_t>(id);
    return {arena_.data() + offsets_[i], offsets_[i + 1] - offsets_[i]};
  }
  TokenKind kind(std::int32_t id) const noexcept { return static_cast<TokenKind>(kinds_[static_cast<std::size_t>(id)] & 7); }
  // As the file spells it.
  std::string text(std::int32_t id) const;

  // The normal or user-defined token with exactly these bytes; -1 if there is none. These are the tokens that plain
  // text may become: control, unknown, unused and byte tokens are not found here.
  std::int32_t find_bytes(std::string_view bytes) const noexcept;
  // Any kind, by its spelling in the file.
  std::optional<std::int32_t> find_text(std::string_view text) const;

 private:
  void build_index();

  std::string arena_;                    // token bytes, one after another
  std::vector<std::uint32_t> offsets_;   // size() + 1
  std::vector<std::uint8_t> kinds_;      // TokenKind, plus kAlphabet for those decoded from the byte alphabet
  std::vector<std::int32_t> table_;      // open addressing, id or -1; power of two
};

}  // namespace lq
