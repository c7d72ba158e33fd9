// What BERT tokenizers do to a text before they look words up: cleaning, splitting into words and punctuation, removing
// accents and lowering case, one character at a time (Devlin et al. 2018; Hugging Face tokenizers, bert.rs).
// Private to text/ and its tests. Thread contract: constant data and pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lq {

enum class BertClass : std::uint8_t {
  word = 0,
  removed = 1,  // control characters, U+0000, U+FFFD
  space = 2,
  ideograph = 3,  // a word of its own
  punctuation = 4
};

namespace detail {
struct BertRange {
  std::uint32_t first, last;
  std::uint8_t cls;
};
struct CharMapping {
  std::uint32_t from;
  std::uint16_t at;  // of kMappedTo
  std::uint8_t count;
};
extern const BertRange kBertClasses[];
extern const std::size_t kBertClassesCount;
extern const CharMapping kStripAccents[];  // without the Hangul syllables
extern const std::size_t kStripAccentsCount;
extern const CharMapping kLowercase[];
extern const std::size_t kLowercaseCount;
extern const char32_t kMappedTo[];
extern const std::size_t kMappedToCount;
}  // namespace detail

BertClass bert_class(std::uint32_t code_point) noexcept;

void append_utf8(std::uint32_t code_point, std::string& out);

struct WordRules {
  bool lowercase = true;
  bool strip_accents = true;
};

// Appends the character's normal form: canonically decomposed without its marks, then in lower case, as the rules say.
void append_normalized(std::uint32_t code_point, WordRules rules, std::string& out);

// Calls word(std::string_view) for each word and punctuation mark of the text, normalised. A byte that is no part of
// well-formed UTF-8 is left out, as U+FFFD is.
template <class Word>
void for_each_bert_word(std::string_view text, WordRules rules, const Word& word);

}  // namespace lq

#include "loquor/text/unicode.hpp"

namespace lq {

template <class Word>
void for_each_bert_word(std::string_view text, WordRules rules, const Word& word) {
  std::string current, form;
  const auto end_word = [&] {
    if (!current.empty()) word(std::string_view(current));
    current.clear();
  };
  const char* p = text.data();
  const char* const end = p + text.size();
  while (p < end) {
    const CodePoint c = decode_utf8(p, static_cast<std::size_t>(end - p));
    p += c.length ? c.length : 1;
    const BertClass cls = c.length ? bert_class(c.value) : BertClass::removed;
    if (cls == BertClass::removed) continue;
    if (cls == BertClass::space || cls == BertClass::ideograph) end_word();
    if (cls == BertClass::space) continue;
    form.clear();
    append_normalized(c.value, rules, form);
    // What a character becomes may be of another class: U+037E is a Greek question mark, and decomposes to ';'.
    for (const char *q = form.data(), *form_end = q + form.size(); q < form_end;) {
      const CodePoint f = decode_utf8(q, static_cast<std::size_t>(form_end - q));
      const bool alone = bert_class(f.value) == BertClass::punctuation;
      if (alone) end_word();
      current.append(q, f.length);
      if (alone) end_word();
      q += f.length;
    }
    if (cls == BertClass::ideograph) end_word();
  }
  end_word();
}

}  // namespace lq
