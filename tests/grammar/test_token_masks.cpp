#include "loquor/grammar/token_masks.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "loquor/core/random.hpp"
#include "loquor/grammar/grammar.hpp"

namespace {

// All bytes, some words, and what random cuts of the grammars' texts give.
std::vector<std::string> vocabulary() {
  std::set<std::string> words;
  for (int b = 0; b < 256; ++b) words.insert(std::string(1, static_cast<char>(b)));
  const std::string text =
      "{\"name\": \"Ann\", \"age\": 12, \"tags\": [\"a\", \"b\\n\"], \"x\":{}}\n  } ],[ [1.5e3,null,true,false]\n "
      "a=1+2*(b-3)\n"
      "()(())()()((( ))) \", \"}, \"],\"é日本\\u00e9aaaaabbbbcdé";
  lq::Random random(3);
  for (int i = 0; i < 900; ++i) words.insert(text.substr(random.next() % text.size(), 1 + random.next() % 9));
  std::vector<std::string> out(words.begin(), words.end());
  out.push_back("");     // a control token
  out.push_back("{\"");  // the same bytes twice
  out.push_back("{\"");
  return out;
}

const std::vector<std::string>& words() {
  static const std::vector<std::string> all = vocabulary();
  return all;
}

std::shared_ptr<const lq::TokenTrie> trie() {
  return lq::TokenTrie::build(std::vector<std::string_view>(words().begin(), words().end()));
}

const char* const kGrammars[] = {
    "root ::= object\nvalue ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? \"}\" ws\n"
    "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\" ws\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\bfnrt/] | \"u\" [0-9a-fA-F]{4}))* \"\\\"\" ws\n"
    "number ::= \"-\"? ([0-9] | [1-9] [0-9]{0,15}) (\".\" [0-9]+)? ([eE] [-+]? [0-9]{1,3})? ws\nws ::= | \" \" | "
    "\"\\n\" [ \\t]{0,20}",
    "root ::= expr \"\\n\"\nexpr ::= expr [-+*/] expr | \"(\" expr \")\" | [a-z0-9]+ | \" \" expr",
    "root ::= s\ns ::= \"(\" s \")\" s | \" \"*",
    "root ::= [a-c]{3,300} \"é\" .*",
    "root ::= a* b\na ::= [^b] | \"b\" [b-d]\nb ::= \"d\" | \"\\\"\"",
};

std::vector<std::size_t> allowed_by_trying(const lq::Matcher& matcher) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < words().size(); ++i) {
    lq::Matcher copy = matcher;
    if (!words()[i].empty() && copy.push(words()[i])) out.push_back(i);
  }
  return out;
}

}  // namespace

TEST_CASE("the trie holds every token once, in the order of a walk", "[grammar]") {
  const auto t = trie();
  std::vector<std::string> found(words().size());
  std::string path;
  for (std::size_t i = 0; i < t->nodes.size(); ++i) {
    const auto& node = t->nodes[i];
    REQUIRE(node.depth <= path.size() + 1);
    path.resize(node.depth - 1u);
    path += static_cast<char>(node.byte);
    REQUIRE(node.end > i);
    for (std::int32_t id = node.token; id >= 0; id = t->same[static_cast<std::size_t>(id)])
      found[static_cast<std::size_t>(id)] = path;
  }
  CHECK(found == words());
}

TEST_CASE("masks allow exactly the tokens that the matcher would take", "[grammar]") {
  for (const char* text : kGrammars) {
    const auto grammar = lq::Grammar::from_gbnf(text);
    const lq::TokenMasks masks(grammar->automaton(), trie(), 200'000);  // so small that it is emptied now and then
    for (std::uint64_t seed = 0; seed < 6; ++seed) {
      CAPTURE(text, seed);
      lq::Random random(seed);
      lq::Matcher matcher(grammar->automaton());
      for (int step = 0; step < 40; ++step) {
        const std::size_t rows = matcher.rows();
        const auto mask = masks.mask(matcher);
        REQUIRE(matcher.rows() == rows);
        const auto expected = allowed_by_trying(matcher);
        std::vector<std::size_t> got;
        for (std::size_t i = 0; i < words().size(); ++i)
          if (mask->allows(static_cast<std::int32_t>(i))) got.push_back(i);
        REQUIRE(got == expected);
        REQUIRE(mask->count == got.size());
        CHECK((mask->only >= 0) == (got.size() == 1));
        CHECK(matcher.can_go_on() == !got.empty());
        if (got.empty()) break;
        REQUIRE(matcher.push(words()[got[random.next() % got.size()]]));
        if (step % 7 == 6) matcher.truncate(matcher.rows() - std::min<std::size_t>(matcher.rows(), random.next() % 8));
      }
    }
  }
}

TEST_CASE("rows after which the same may follow have one key", "[grammar]") {
  const auto grammar = lq::Grammar::from_gbnf(kGrammars[0]);
  const auto key_after = [&](const char* text) {
    lq::Matcher m(grammar->automaton());
    REQUIRE(m.push(text));
    return m.key();
  };
  CHECK(key_after("{\"a\":[1,2,3") == key_after("{\"bcd\":[7"));
  CHECK_FALSE(key_after("{\"a\":[1,[2") == key_after("{\"a\":[1"));
  CHECK_FALSE(key_after("{\"a\":1") == key_after("{\"a\":[1"));
}

TEST_CASE("one grammar serves several threads", "[grammar]") {
  const auto grammar = lq::Grammar::from_gbnf(kGrammars[0]);
  const lq::TokenMasks masks(grammar->automaton(), trie());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      lq::Random random(t);
      for (int run = 0; run < 5; ++run) {
        lq::Matcher matcher(grammar->automaton());
        for (int step = 0; step < 60; ++step) {
          const auto mask = masks.mask(matcher);
          std::vector<std::size_t> got;
          for (std::size_t i = 0; i < words().size(); ++i)
            if (mask->allows(static_cast<std::int32_t>(i))) got.push_back(i);
          if (got.empty()) break;
          if (!matcher.push(words()[got[random.next() % got.size()]])) ++wrong[t];
        }
      }
    });
  for (auto& t : threads) t.join();
  CHECK(wrong == std::vector<int>(4));
  CHECK(masks.cached_bytes() > 0);
}
