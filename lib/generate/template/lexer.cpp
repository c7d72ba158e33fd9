#include "lexer.hpp"

#include <algorithm>

#include "loquor/core/status.hpp"

namespace lq::jinja {
namespace {

bool is_name_start(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

void append_utf8(std::string& out, unsigned code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

// One line end everywhere, and none at the very end (keep_trailing_newline is off).
std::string normalise(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n') continue;
    out += source[i] == '\r' ? '\n' : source[i];
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class Lexer {
 public:
  explicit Lexer(std::string source) : s_(std::move(source)) {}

  std::vector<Token> run() {
    while (at_ < s_.size()) text();
    push(Tok::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void wrong(const char* what) const { fail(Code::template_error, "template: line ", line_, ": ", what); }
  void push(Tok kind, std::string text) { tokens_.push_back({kind, line_, std::move(text)}); }
  bool looking_at(std::string_view what) const { return std::string_view(s_).substr(at_).starts_with(what); }
  void skip(std::size_t n) {
    line_ += static_cast<int>(std::count(s_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         s_.begin() + static_cast<std::ptrdiff_t>(at_ + n), '\n'));
    at_ += n;
  }
  std::size_t find(std::string_view what, const char* missing) const {
    const std::size_t at = s_.find(what, at_);
    if (at == std::string::npos) wrong(missing);
    return at;
  }

  void text();
  void data(std::size_t end, char sign, bool line_tag);
  void after_tag(char sign, bool trims);
  void comment();
  void raw();
  bool at_raw() const;
  void code(bool variable);
  void token();
  void string(char quote);
  void number();

  std::string s_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<Token> tokens_;
};

// Text up to the next delimiter, then that delimiter's whole tag.
void Lexer::text() {
  std::size_t open = at_;
  for (;; ++open) {
    open = s_.find('{', open);
    if (open == std::string::npos || open + 1 >= s_.size()) {
      open = s_.size();
      break;
    }
    const char next = s_[open + 1];
    if (next == '{' || next == '%' || next == '#') break;
  }
  if (open == s_.size()) {
    if (open > at_) push(Tok::data, s_.substr(at_));
    skip(open - at_);
    return;
  }
  const char kind = s_[open + 1];
  const char sign = open + 2 < s_.size() && (s_[open + 2] == '-' || s_[open + 2] == '+') ? s_[open + 2] : ' ';
  data(open, sign, kind != '{');
  skip(2 + (sign != ' '));
  if (kind == '#') return comment();
  if (kind == '%' && at_raw()) return raw();
  code(kind == '{');
}

// Emits the text before a tag. "-" strips white space before it; a block or comment alone on its line loses its indent.
void Lexer::data(std::size_t end, char sign, bool line_tag) {
  std::size_t keep = end;
  if (sign == '-') {
    while (keep > at_ && is_space(s_[keep - 1])) --keep;
  } else if (line_tag && sign != '+') {
    std::size_t start = end;
    while (start > at_ && is_space(s_[start - 1]) && s_[start - 1] != '\n') --start;
    if (start == 0 || s_[start - 1] == '\n') keep = start;
  }
  if (keep > at_) push(Tok::data, s_.substr(at_, keep - at_));
  skip(end - at_);
}

// What follows a tag's end: "-" strips all white space, otherwise blocks and comments swallow one line end.
void Lexer::after_tag(char sign, bool trims) {
  if (sign == '-') {
    std::size_t n = 0;
    while (at_ + n < s_.size() && is_space(s_[at_ + n])) ++n;
    skip(n);
  } else if (trims && sign != '+' && at_ < s_.size() && s_[at_] == '\n') {
    skip(1);
  }
}

void Lexer::comment() {
  const std::size_t end = find("#}", "a comment does not end");
  const char sign = end > at_ && (s_[end - 1] == '-' || s_[end - 1] == '+') ? s_[end - 1] : ' ';
  skip(end + 2 - at_);
  after_tag(sign, true);
}

bool Lexer::at_raw() const {
  std::size_t i = at_;
  while (i < s_.size() && is_space(s_[i])) ++i;
  if (s_.compare(i, 3, "raw") != 0) return false;
  i += 3;
  while (i < s_.size() && is_space(s_[i])) ++i;
  return s_.compare(i, 2, "%}") == 0 || s_.compare(i, 3, "-%}") == 0;
}

void Lexer::raw() {
  const std::size_t open = find("%}", "a raw block does not begin");
  const char sign = s_[open - 1] == '-' ? '-' : ' ';
  skip(open + 2 - at_);
  after_tag(sign, false);
  for (std::size_t from = at_;;) {
    const std::size_t tag = s_.find("{%", from);
    if (tag == std::string::npos) wrong("a raw block does not end");
    std::size_t i = tag + 2;
    const char before = i < s_.size() && (s_[i] == '-' || s_[i] == '+') ? s_[i++] : ' ';
    while (i < s_.size() && is_space(s_[i])) ++i;
    if (s_.compare(i, 6, "endraw") == 0) {
      i += 6;
      while (i < s_.size() && is_space(s_[i])) ++i;
      const char after = i < s_.size() && (s_[i] == '-' || s_[i] == '+') ? s_[i++] : ' ';
      if (s_.compare(i, 2, "%}") == 0) {
        data(tag, before, true);
        skip(i + 2 - at_);
        return after_tag(after, true);
      }
    }
    from = tag + 2;
  }
}

void Lexer::code(bool variable) {
  push(variable ? Tok::variable_begin : Tok::block_begin, "");
  const std::string_view close = variable ? "}}" : "%}";
  std::string open;  // brackets that are not closed yet: within them "}}" is two braces
  for (;;) {
    while (at_ < s_.size() && is_space(s_[at_])) skip(1);
    if (at_ >= s_.size()) wrong("a tag does not end");
    const char c = s_[at_];
    if (open.empty()) {
      const char sign =
          (c == '-' || c == '+') && std::string_view(s_).substr(at_ + 1).starts_with(close) && !(variable && c == '+')
              ? c
              : ' ';
      if (sign != ' ' || looking_at(close)) {
        skip(2 + (sign != ' '));
        push(variable ? Tok::variable_end : Tok::block_end, "");
        return after_tag(sign, !variable);
      }
    }
    if (c == '(' || c == '[' || c == '{') open += c;
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty() || open.back() != (c == ')' ? '(' : c == ']' ? '[' : '{')) wrong("brackets do not match");
      open.pop_back();
    }
    token();
  }
}

void Lexer::token() {
  const char c = s_[at_];
  if (is_name_start(c)) {
    std::size_t n = 1;
    while (at_ + n < s_.size() && (is_name_start(s_[at_ + n]) || is_digit(s_[at_ + n]))) ++n;
    push(Tok::name, s_.substr(at_, n));
    return skip(n);
  }
  if (is_digit(c)) return number();
  if (c == '"' || c == '\'') return string(c);
  for (std::string_view op : {"//", "**", "==", "!=", ">=", "<="})
    if (looking_at(op)) {
      push(Tok::op, std::string(op));
      return skip(2);
    }
  if (std::string_view("+-/*%~[](){}><=.:|,").find(c) == std::string_view::npos) wrong("an unexpected character");
  push(Tok::op, std::string(1, c));
  skip(1);
}

void Lexer::number() {
  std::string digits;
  std::size_t n = 0;
  const auto take = [&] {
    while (at_ + n < s_.size() &&
           (is_digit(s_[at_ + n]) || (s_[at_ + n] == '_' && n > 0 && is_digit(s_[at_ + n - 1])))) {
      if (s_[at_ + n] != '_') digits += s_[at_ + n];
      ++n;
    }
  };
  const auto digit_at = [&](std::size_t i) { return at_ + i < s_.size() && is_digit(s_[at_ + i]); };
  take();
  bool real = false;
  if (at_ + n < s_.size() && s_[at_ + n] == '.' && digit_at(n + 1)) {
    real = true;
    digits += s_[at_ + n++];
    take();
  }
  if (at_ + n < s_.size() && (s_[at_ + n] == 'e' || s_[at_ + n] == 'E')) {
    const std::size_t sign = at_ + n + 1 < s_.size() && (s_[at_ + n + 1] == '+' || s_[at_ + n + 1] == '-');
    if (digit_at(n + 1 + sign)) {
      real = true;
      digits += s_.substr(at_ + n, 1 + sign);
      n += 1 + sign;
      take();
    }
  }
  push(real ? Tok::floating : Tok::integer, digits);
  skip(n);
}

// Escapes as in Python; an unknown one keeps its backslash.
void Lexer::string(char quote) {
  std::string out;
  std::size_t i = at_ + 1;
  for (;; ++i) {
    if (i >= s_.size()) wrong("a string does not end");
    if (s_[i] == quote) break;
    if (s_[i] != '\\' || i + 1 >= s_.size()) {
      out += s_[i];
      continue;
    }
    const char c = s_[++i];
    static constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
    const std::size_t simple = kFrom.find(c);
    const std::size_t hex = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (simple != std::string_view::npos) {
      out += kTo[simple];
    } else if (hex && i + hex < s_.size()) {
      unsigned code = 0;
      for (std::size_t k = 1; k <= hex; ++k) {
        const char h = s_[i + k];
        if (!is_digit(h) && !(h >= 'a' && h <= 'f') && !(h >= 'A' && h <= 'F')) wrong("a bad escape in a string");
        code = code * 16 + static_cast<unsigned>(is_digit(h) ? h - '0' : (h | 32) - 'a' + 10);
      }
      if (code > 0x10ffff) wrong("a bad escape in a string");
      append_utf8(out, code);
      i += hex;
    } else if (c >= '0' && c <= '7') {
      unsigned code = 0;
      std::size_t k = 0;
      for (; k < 3 && i + k < s_.size() && s_[i + k] >= '0' && s_[i + k] <= '7'; ++k)
        code = code * 8 + static_cast<unsigned>(s_[i + k] - '0');
      append_utf8(out, code);
      i += k - 1;
    } else if (c != '\n') {
      out += '\\';
      out += c;
    }
  }
  push(Tok::string, std::move(out));
  skip(i + 1 - at_);
}

}  // namespace

std::vector<Token> tokenize(std::string_view source) { return Lexer(normalise(source)).run(); }

}  // namespace lq::jinja
