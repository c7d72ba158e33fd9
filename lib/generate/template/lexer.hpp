// Splits a template into text and the tokens between its delimiters, applying Jinja's whitespace rules with
// trim_blocks and lstrip_blocks on, as chat templates expect.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lq::jinja {

enum class Tok : unsigned char {
  data,
  variable_begin,
  variable_end,
  block_begin,
  block_end,
  name,
  string,
  integer,
  floating,
  op,
  end
};

struct Token {
  Tok kind;
  int line;
  std::string text;
};

std::vector<Token> tokenize(std::string_view source);

}  // namespace lq::jinja
