#include "loquor/text/vocab.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "loquor/core/status.hpp"

namespace lq {

namespace {

// GPT-2 writes a byte that is printable in Latin-1 as that character, and the n-th of the others as U+0100 + n.
struct ByteAlphabet {
  std::uint16_t code[256];   // byte -> code point, below 0x144
  std::int16_t byte[0x144];  // code point -> byte or -1
};

constexpr ByteAlphabet make_byte_alphabet() {
  ByteAlphabet a{};
  for (auto& b : a.byte) b = -1;
  std::uint16_t other = 0x100;
  for (unsigned b = 0; b < 256; ++b) {
    const bool printable = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
    a.code[b] = printable ? static_cast<std::uint16_t>(b) : other++;
    a.byte[a.code[b]] = static_cast<std::int16_t>(b);
  }
  return a;
}

constexpr ByteAlphabet kAlphabetTable = make_byte_alphabet();

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// Appends and returns true, or appends nothing and returns false.
bool append_decoded(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + text.size());
  const std::size_t n = decode_byte_alphabet(text, out.data() + before);
  out.resize(n == std::string_view::npos ? before : before + n);
  return n != std::string_view::npos;
}

// Appends and returns true if the text has a U+2581 that stands for a space and no space of its own; else does nothing.
bool append_spaced(std::string_view text, Spelling spelling, std::string& out) {
  if (text.find(' ') != text.npos) return false;
  std::size_t at = text.find(kMetaspace);
  if (at == text.npos || (spelling == Spelling::word_start && at != 0)) return false;
  for (; at != text.npos; at = spelling == Spelling::metaspace ? text.find(kMetaspace) : text.npos) {
    out.append(text.substr(0, at)).push_back(' ');
    text.remove_prefix(at + kMetaspace.size());
  }
  out.append(text);
  return true;
}

// The way back.
std::string metaspaced(std::string_view bytes, Spelling spelling) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == ' ' && (i == 0 || spelling == Spelling::metaspace))
      out.append(kMetaspace);
    else
      out.push_back(bytes[i]);
  }
  return out;
}

// "<0x0A>" -> 10; -1 for anything else.
int parse_byte_token(std::string_view text) noexcept {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return -1;
  const int high = hex_digit(text[3]), low = hex_digit(text[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

}  // namespace

WordKey WordKey::of_long(std::string_view bytes) noexcept {
  std::uint64_t a = 0xa0761d6478bd642fu ^ bytes.size(), b = 0xe7037ed1a0b428dbu;
  for (std::size_t i = 0; i + 8 < bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    a = fold(a ^ word, 0x8ebc6af09c88c6e3u);
    b = (b ^ word) * 0x9fb21c651e98df25u;
    b ^= b >> 32;
  }
  std::uint64_t tail;
  std::memcpy(&tail, bytes.data() + bytes.size() - 8, 8);
  return {fold(a ^ tail, 0x589965cc75374cc3u), (fold(b ^ tail, 0x1d8e4e27c47d124fu) | (std::uint64_t{0xff} << 56))};
}

std::size_t decode_byte_alphabet(std::string_view text, char* to) noexcept {
  char* const start = to;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const unsigned char b = static_cast<unsigned char>(text[i]);
    int value = -1;
    if (LQ_LIKELY(b < 0x80)) {
      value = kAlphabetTable.byte[b];
    } else if (b >= 0xc2 && b <= 0xc5 && i + 1 < text.size() && (text[i + 1] & 0xc0) == 0x80) {
      const unsigned code = (b & 0x1fu) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fu);
      if (code < 0x144) value = kAlphabetTable.byte[code];
    }
    if (LQ_UNLIKELY(value < 0)) return std::string_view::npos;
    *to++ = static_cast<char>(value);
  }
  return static_cast<std::size_t>(to - start);
}

std::size_t decode_metaspaces(std::string_view text, char* to) noexcept {
  char* const start = to;
  while (!text.empty()) {
    const bool space = text.starts_with(kMetaspace);
    *to++ = space ? ' ' : text[0];
    text.remove_prefix(space ? kMetaspace.size() : 1);
  }
  return static_cast<std::size_t>(to - start);
}

std::string encode_byte_alphabet(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const unsigned code = kAlphabetTable.code[static_cast<unsigned char>(c)];
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
    } else {
      out.push_back(static_cast<char>(0xc0 | code >> 6));
      out.push_back(static_cast<char>(0x80 | (code & 0x3f)));
    }
  }
  return out;
}

Vocab Vocab::build(std::span<const std::string_view> texts, std::span<const std::int32_t> types, Spelling spelling) {
  LQ_CHECK(!texts.empty(), Code::bad_file, "tokenizer.ggml.tokens is empty");
  LQ_CHECK(texts.size() <= kMaxTokens, Code::limit, "tokenizer.ggml.tokens has ", texts.size(), " entries, more than ",
           kMaxTokens);
  LQ_CHECK(types.empty() || types.size() == texts.size(), Code::bad_file, "tokenizer.ggml.token_type has ",
           types.size(), " entries for ", texts.size(), " tokens");
  std::size_t total = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    LQ_CHECK(texts[i].size() <= kMaxTokenBytes, Code::limit, "tokenizer.ggml.tokens[", i, "] is ", texts[i].size(),
             " bytes long, more than ", kMaxTokenBytes);
    LQ_CHECK(types.empty() || (types[i] >= 1 && types[i] <= 6), Code::bad_file, "tokenizer.ggml.token_type[", i,
             "] is ", types.empty() ? 0 : types[i], ", not one of 1 to 6");
    total += texts[i].size();
  }
  LQ_CHECK(total <= kMaxBytes, Code::limit, "tokenizer.ggml.tokens hold ", total, " bytes, more than ", kMaxBytes);
  Vocab v;
  v.spelling_ = spelling;
  v.arena_.reserve(total + WordKey::kReadable);
  v.offsets_.reserve(texts.size() + 1);
  v.kinds_.reserve(texts.size());
  v.offsets_.push_back(0);
  for (std::size_t i = 0; i < texts.size(); ++i) v.add(texts[i], types.empty() ? 1 : types[i]);
  v.arena_.append(WordKey::kReadable, '\0');
  v.build_index();
  return v;
}

void Vocab::add(std::string_view text, std::int32_t type) {
  const bool byte_level = spelling_ == Spelling::byte_level;
  const TokenKind kind = static_cast<TokenKind>(type);
  std::uint8_t flags = static_cast<std::uint8_t>(type);
  const int byte_value = kind == TokenKind::byte ? parse_byte_token(text) : -1;
  if (kind == TokenKind::normal && byte_level && append_decoded(text, arena_)) {
    flags |= kAlphabet | kWord;
  } else if (kind == TokenKind::normal && !byte_level && append_spaced(text, spelling_, arena_)) {
    flags |= kAlphabet | kWord;
  } else if (byte_value >= 0) {
    arena_.push_back(static_cast<char>(byte_value));
  } else {
    arena_.append(text);
    const auto same_in_alphabet = [](char c) { return c >= 0x21 && c <= 0x7e; };
    const bool plain = kind == TokenKind::normal || kind == TokenKind::user_defined;
    if (plain && (!byte_level || std::all_of(text.begin(), text.end(), same_in_alphabet))) flags |= kWord;
  }
  if (text.empty()) flags &= static_cast<std::uint8_t>(~kWord);
  offsets_.push_back(static_cast<std::uint32_t>(arena_.size()));
  kinds_.push_back(flags);
}

void Vocab::build_index() {
  keys_.resize(kinds_.size());
  for (std::size_t id = 0; id < kinds_.size(); ++id) {
    keys_[id] = WordKey::of_readable(arena_.data() + offsets_[id], offsets_[id + 1] - offsets_[id]);
  }
  // At most 5/8 full, so that a miss ends after two or three probes.
  const std::size_t capacity = std::bit_ceil(std::max<std::size_t>(kinds_.size() * 8 / 5 + 1, 16));
  table_.assign(capacity, kEmpty);
  mask_ = capacity - 1;
  for (std::size_t id = 0; id < kinds_.size(); ++id) {
    if ((kinds_[id] & kWord) && kind(static_cast<std::int32_t>(id)) == TokenKind::normal) insert_word(id);
  }
  for (std::size_t id = 0; id < kinds_.size(); ++id) {
    if ((kinds_[id] & kWord) && kind(static_cast<std::int32_t>(id)) != TokenKind::normal) insert_word(id);
    if (!(kinds_[id] & kWord)) literals_.push_back(static_cast<std::int32_t>(id));
  }
  std::sort(literals_.begin(), literals_.end(), [this](std::int32_t a, std::int32_t b) {
    const int order = bytes(a).compare(bytes(b));
    return order != 0 ? order < 0 : a < b;
  });
}

void Vocab::insert_word(std::size_t id) {
  const std::string_view word = bytes(static_cast<std::int32_t>(id));
  if (find(keys_[id], word) >= 0) {
    kinds_[id] &= static_cast<std::uint8_t>(~kWord);
    return;
  }
  const std::uint64_t hash = keys_[id].hash();
  std::size_t slot = hash & mask_, probes = 0;
  for (; table_[slot] != kEmpty; slot = (slot + 1) & mask_) {
    LQ_CHECK(++probes <= kMaxProbes, Code::bad_file, "tokenizer.ggml.tokens[", id, "]: more than ", kMaxProbes,
             " tokens share a hash, as only a file made to be slow has");
  }
  table_[slot] = tag_of(hash) | static_cast<std::uint32_t>(id);
}

std::string Vocab::text(std::int32_t id) const {
  const std::string_view b = bytes(id);
  if (kinds_[static_cast<std::size_t>(id)] & kAlphabet)
    return spelling_ == Spelling::byte_level ? encode_byte_alphabet(b) : metaspaced(b, spelling_);
  if (kind(id) == TokenKind::byte && b.size() == 1) {
    const char* digits = "0123456789ABCDEF";
    const unsigned char c = static_cast<unsigned char>(b[0]);
    return {'<', '0', 'x', digits[c >> 4], digits[c & 15], '>'};
  }
  return std::string(b);
}

std::optional<std::int32_t> Vocab::find_text(std::string_view wanted) const {
  std::int32_t best = -1;
  const auto offer = [&](std::int32_t id) {
    if (id >= 0 && (best < 0 || id < best) && text(id) == wanted) best = id;
  };
  const auto offer_literals = [&](std::string_view spelled) {
    const auto less = [this](std::int32_t id, std::string_view s) { return bytes(id) < s; };
    for (auto it = std::lower_bound(literals_.begin(), literals_.end(), spelled, less);
         it != literals_.end() && bytes(*it) == spelled; ++it) {
      offer(*it);
    }
  };
  std::string decoded;
  if (spelling_ == Spelling::byte_level ? append_decoded(wanted, decoded) : append_spaced(wanted, spelling_, decoded))
    offer(find(decoded));
  offer(find(wanted));
  offer_literals(wanted);
  if (const int b = parse_byte_token(wanted); b >= 0)
    offer_literals(std::string_view(std::string(1, static_cast<char>(b))));
  return best < 0 ? std::nullopt : std::optional<std::int32_t>(best);
}

}  // namespace lq
