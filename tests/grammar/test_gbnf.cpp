#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/matcher.hpp"
#include "test_data.hpp"

namespace {

std::string read(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

lq::Code code_of(const std::string& text) {
  try {
    lq::Grammar::from_gbnf(text);
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

struct Case {
  const char* grammar;
  std::vector<std::string> yes, no;
};

}  // namespace

TEST_CASE("GBNF grammars accept their texts", "[grammar]") {
  const std::vector<Case> cases = {
      {"root ::= \"a\" | \"b\" root", {"a", "bba"}, {"", "b", "ab"}},
      {"root ::= (\"a\" |\n \"b\")+ # a comment\n", {"abba"}, {"", "c"}},
      {"root ::= x{2,3} y{2} z{1,}\nx ::= \"x\"\ny ::= \"y\"\nz ::= \"z\"",
       {"xxyyz", "xxxyyzz"},
       {"xyyz", "xxxxyyz", "xxyy"}},
      {"root ::= [^\\n\"\\]a-c]+", {"xyz", "d-"}, {"a", "\n", "]"}},
      {"root ::= . .", {"ab", "é日"}, {"a", "abc", "\xff\xff"}},
      {"root ::= \"\\x41\\u00e9\\U0001F600\\t\\\\\"", {"A\xc3\xa9\xf0\x9f\x98\x80\t\\"}, {"A"}},
      // Left recursion, which llama.cpp refuses; ambiguity; rules that may be empty in all places.
      {"root ::= root \"+\" root | [0-9]", {"1", "1+2+3"}, {"1+", "+1"}},
      {"root ::= a b a\na ::= | \"x\" a\nb ::= | \"y\" | b b", {"", "xyx", "yyy", "xxyyxx"}, {"z", "xyxy"}},
      {"root ::= s\ns ::= \"(\" s \")\" s |", {"", "()", "(())()"}, {"(", "())"}},
      {"root ::=\n  \"a\"\n\nunused ::= missing2\nmissing2 ::= \"b\"", {"a"}, {"b"}},
      {"root ::= \"<\" %json{\"type\":\"array\",\"items\":{\"enum\":[\"}\",\"\\\"\"]}} \">\" x*\nx ::= %json "
       "{\"const\":1} | \"-\"",
       {"<[]>", "<[\"}\", \"\\\"\"]>1-1"},
       {"<1>", "<[1]>"}},
      {"root ::= \"\" [a-] |", {"", "a", "-"}, {"b"}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.grammar);
    const auto grammar = lq::Grammar::from_gbnf(c.grammar);
    for (const auto& t : c.yes) CHECK(grammar->accepts(t));
    for (const auto& t : c.no) CHECK_FALSE(grammar->accepts(t));
  }
}

TEST_CASE("the published grammars compile and tell texts apart", "[grammar]") {
  const std::vector<std::tuple<const char*, std::vector<std::string>, std::vector<std::string>>> files = {
      {"arithmetic.gbnf", {"1+2*(b-3)=a\n", "x = 5\ny=x \n"}, {"a=\n", "1=2", "a=1+2\n"}},
      {"c.gbnf",
       {"int main(){return 0;}", "int f(int x){float y = x+2*( 3 );return y;}"},
       {"int main() { return 0; }", "int main({}"}},
      {"chess.gbnf", {"1. e4 e5\n2. Nf3 Nc6\n"}, {"1. z9 e5\n"}},
      {"json.gbnf", {"{\"a\": [1, 2.5e3, null, \"\\u00e9\"]}", "{}"}, {"[1]x", "{\"a\" 1}", "{'a':1}"}},
      {"json_arr.gbnf", {"[\n1,\n\"a\"]", "[\n]"}, {"[]", "[\n1,\n]"}},
      {"list.gbnf", {"- one\n- two\n"}, {"one\n", "-one\n"}},
      {"english.gbnf", {"Hello, World."}, {"日本"}},
      {"japanese.gbnf", {"日本"}, {}},
  };
  for (const auto& [name, yes, no] : files) {
    const std::string path = lq_test::data(std::string("grammars/") + name);
    LQ_NEED_FILE(path);
    CAPTURE(name);
    const auto grammar = lq::Grammar::from_gbnf(read(path));
    for (const auto& t : yes) {
      CAPTURE(t);
      CHECK(grammar->accepts(t));
    }
    for (const auto& t : no) {
      CAPTURE(t);
      CHECK_FALSE(grammar->accepts(t));
    }
  }
}

TEST_CASE("malformed grammars are refused, naming the place", "[grammar]") {
  for (const char* text : {"", "root", "root ::= \"a", "root ::= (\"a\"", "root ::= [a", "root ::= x",
                           "other ::= \"a\"", "root ::= *", "root ::= \"a\"{2,1}", "root ::= \"\\q\"", "root := \"a\"",
                           "root ::= \"a\"\nroot ::= \"b\"", "root ::= \"a\" )", "root ::= [z-a]", "root ::= \"a\"{",
                           "root ::= \"\xff\"", "root ::= root", "root ::= []", "root ::= \"a\" root"}) {
    CAPTURE(text);
    CHECK(code_of(text) == lq::Code::invalid_argument);
  }
  CHECK_THROWS_WITH(lq::Grammar::from_gbnf("root ::= \"a\"\nx ::= [a"), Catch::Contains("line 2"));
  CHECK_THROWS_WITH(lq::Grammar::from_gbnf("root ::= lost"), Catch::Contains("'lost'"));
  CHECK(code_of("root ::= <think>") == lq::Code::unsupported);
  CHECK(code_of("root ::= " + std::string(100'000, '(')) == lq::Code::limit);
  CHECK(code_of("root ::= \"a\"{99999999}") == lq::Code::limit);
  CHECK(code_of("root ::= ((([ab]{1000} \"x\"){1000}){1000}){1000} [ab]* [a] [ab]{25}") == lq::Code::limit);
}

TEST_CASE("long repetitions count exactly", "[grammar]") {
  const auto grammar = lq::Grammar::from_gbnf("root ::= \"<\" [a-z]{70,2500} \">\"");
  for (std::size_t n : {0, 69, 70, 71, 95, 96, 97, 101, 102, 133, 134, 2431, 2432, 2499, 2500, 2501, 2532, 5000}) {
    CAPTURE(n);
    CHECK(grammar->accepts("<" + std::string(n, 'k') + ">") == (n >= 70 && n <= 2500));
  }
  CHECK(grammar->automaton()->states.size() < 1000);
}

TEST_CASE("right recursion takes memory in proportion to the text", "[grammar]") {
  const auto grammar = lq::Grammar::from_gbnf("root ::= item | item \",\" root\nitem ::= [a-z]{1,100}");
  lq::Matcher matcher(grammar->automaton());
  const auto feed = [&](int n) {
    for (int i = 0; i < n; ++i) REQUIRE(matcher.push("ab,"));
  };
  feed(2000);
  const std::size_t before = matcher.bytes();
  feed(18'000);
  CHECK(matcher.bytes() < 16 * before);
  CHECK(matcher.end() - matcher.begin() < 10);
  CHECK(matcher.push("a"));
  CHECK(matcher.can_end());
}
