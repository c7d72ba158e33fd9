#include "loquor/grammar/regex.hpp"

#include <catch2/catch.hpp>

#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"

namespace {

struct Case {
  const char* pattern;
  std::vector<std::string> yes, no;
};

lq::Code code_of(const std::string& pattern) {
  try {
    lq::dfa_of_match(pattern);
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

}  // namespace

// What JavaScript's new RegExp(pattern, "u").test(text) says (node 20).
TEST_CASE("a pattern is found where ECMAScript finds it", "[grammar]") {
  const std::vector<Case> cases = {
      {"a+", {"a", "xaay"}, {"", "b"}},
      {"^a+$", {"a", "aa"}, {"xa", "ax", ""}},
      {"^a|b$", {"ax", "xb"}, {"xa", "bx"}},
      {"(^|x)b", {"b", "axb"}, {"ab"}},
      {"^$", {""}, {"a"}},
      {"", {"", "a"}, {}},
      {"^[\\w.-]+@[\\w-]+\\.[a-z]{2,}$", {"a.b@c-d.org"}, {"a@b", "a b@c.de"}},
      {"^\\d{3}-\\d{2,3}$", {"123-45", "123-456"}, {"12-34", "123-4567"}},
      {"^[^\\d\\s]*$", {"abc", ""}, {"a1", "a b"}},
      {"^a.c$",
       {"abc", "aéc",
        "a\xf0\x9f\x98\x80"
        "c"},
       {"a\nc", "ac"}},
      {"^\\u0041\\x42\\u{1F600}$", {"AB\xf0\x9f\x98\x80"}, {"AB"}},
      {"^\\uD83D\\uDE00$", {"\xf0\x9f\x98\x80"}, {}},
      {"^[\\]\\-a]+$", {"]-a"}, {"b"}},
      {"^(?:ab)*?(?<n>c)$", {"ababc", "c"}, {"abab"}},
      {"^\\p{L}+$", {"Straße", "日本"}, {"a1"}},
      {"^[a-f\\d]+$", {"09af"}, {"g"}},
      {"^a{2,}$", {"aa", "aaa"}, {"a"}},
      {"^\\cJ\\t\\/$", {"\n\t/"}, {}},
      {"^[]$", {}, {"", "a"}},
      {"^[^]$", {"a", "\n"}, {""}},
  };
  for (const Case& c : cases) {
    const lq::Dfa dfa = lq::dfa_of_search(c.pattern);
    CAPTURE(c.pattern);
    for (const auto& t : c.yes) CHECK(dfa.accepts(t));
    for (const auto& t : c.no) CHECK_FALSE(dfa.accepts(t));
  }
}

TEST_CASE("a match is of the whole text, anchors or not", "[grammar]") {
  CHECK(lq::dfa_of_match("a|bc").accepts("bc"));
  CHECK_FALSE(lq::dfa_of_match("a|bc").accepts("abc"));
  CHECK(lq::dfa_of_match("^a$").accepts("a"));
  CHECK(lq::Grammar::from_regex("[0-9]{3}")->accepts("123"));
  CHECK_FALSE(lq::Grammar::from_regex("[0-9]{3}")->accepts("12"));
  CHECK(lq::Grammar::from_regex("(é|[日本])+")->accepts("é日本"));
}

TEST_CASE("what is not regular, or wrong, is refused by name", "[grammar]") {
  for (const char* p : {"a(?=b)", "(?<!a)b", "(a)\\1", "\\bword", "(?i)a", "\\p{Greek}", "a++", "\\k<n>"}) {
    CAPTURE(p);
    CHECK(code_of(p) == lq::Code::unsupported);
  }
  for (const char* p : {"(", ")", "[a", "a**", "*", "{2}", "a{3,2}", "[b-a]", "\\", "\\u{110000}", "\\x4", "a|*", "\\j",
                        "(?<n", "\xff"}) {
    CAPTURE(p);
    CHECK(code_of(p) == lq::Code::invalid_argument);
  }
  CHECK(code_of("((a{1000}){1000}){1000}") == lq::Code::limit);
  CHECK(code_of("a{1000000000000}") == lq::Code::limit);
  CHECK(code_of(std::string(100'000, '(')) == lq::Code::limit);
  CHECK(code_of("(a|b)*a(a|b){20}") == lq::Code::limit);
  CHECK_THROWS_WITH(lq::Grammar::from_regex("a[]"), Catch::Contains("no text matches"));
}
