// Reads a regular expression into an Expr. `^` and `$` become characters beyond Unicode, which stand before and after
// the text: so they may occur anywhere.
#pragma once

#include <string>
#include <string_view>

#include "loquor/grammar/rules.hpp"

namespace lq {

constexpr std::uint32_t kTextBegin = kLastCodePoint + 1, kTextEnd = kLastCodePoint + 2;

class RegexReader {
 public:
  explicit RegexReader(std::string_view pattern) : text_(pattern) {}
  Expr read();

 private:
  static constexpr int kDepth = 100;

  Expr alternatives(int depth);
  Expr branch(int depth);
  Expr atom(int depth);
  Expr group(int depth);
  bool quantify(Expr& e);
  bool counts(std::uint32_t& min, std::uint32_t& max);
  CharSet char_class();
  CharSet class_atom();
  CharSet escape(bool in_class);
  CharSet property(bool negated);
  std::uint32_t hex(std::size_t digits);
  std::uint32_t braced_hex();
  std::uint32_t number();

  bool done() const noexcept { return at_ == text_.size(); }
  char peek() const noexcept { return done() ? '\0' : text_[at_]; }
  bool take(std::string_view what);
  std::uint32_t code_point();
  [[noreturn]] void malformed(std::string_view why) const;
  [[noreturn]] void unsupported(std::string_view what) const;

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace lq
