#include <pthread.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/matcher.hpp"

namespace {

struct Case {
  const char* schema;
  std::vector<std::string> yes, no;
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    CAPTURE(c.schema);
    const auto grammar = lq::Grammar::from_json_schema(c.schema);
    for (const auto& t : c.yes) {
      CAPTURE(t);
      CHECK(grammar->accepts(t));
    }
    for (const auto& t : c.no) {
      CAPTURE(t);
      CHECK_FALSE(grammar->accepts(t));
    }
  }
}

std::string refusal(const std::string& schema, lq::Code code) {
  try {
    lq::Grammar::from_json_schema(schema);
  } catch (const lq::Error& e) {
    CHECK(e.code() == code);
    return e.what();
  }
  return "it was accepted";
}

}  // namespace

TEST_CASE("scalars of JSON Schema", "[grammar]") {
  check({
      {R"({"type":"null"})", {"null"}, {"true", "0"}},
      {R"({"type":["boolean","integer"]})", {"true", "false", "-12", "0", "7.0"}, {"01", "1.5", "\"a\"", "1.", "--1"}},
      {R"({"type":"number"})", {"1", "-0.5", "1e5", "2.5E-3", "1e+22"}, {".5", "1.50", "+1", "1e", "NaN"}},
      {R"({"enum":["a",1,null,[1,{"b":2}],{"x":[]}]})",
       {"\"a\"", "1", "1.0", "null", "[1,{\"b\":2}]", "[1, {\"b\": 2}]", "{\"x\":[]}"},
       {"\"b\"", "2", "[1]", "{}"}},
      {R"({"const":"é\n\"x\"\u001f"})",
       {R"("é\n\"x\"\u001f")", R"("\u00e9\n\"x\"\u001F")"},
       {R"("e\n\"x\"\u001f")", R"("é\n\"\u0078\"\u001f")"}},
      {R"({"type":"string"})",
       {R"("")", R"("a\\b\"c\n")", R"("日本 \ud83d\ude00")"},
       {R"("a)", "\"\n\"", R"("\q")", R"("\ud83d")", R"('a')"}},
  });
}

TEST_CASE("numbers keep within their ranges and multiples", "[grammar]") {
  check({
      {R"({"type":"integer","minimum":-3,"maximum":120})",
       {"-3", "0", "-0", "9", "10", "99", "100", "120", "-1", "120.0"},
       {"-4", "121", "1000", "-10", "1.5"}},
      {R"({"minimum":1.25,"exclusiveMaximum":10.5})",
       {"1.25", "1.3", "2", "10", "10.49", "9.999"},
       {"1.2", "1", "10.5", "10.51", "11", "-2", "0"}},
      {R"({"exclusiveMinimum":-0.5,"maximum":-0.05})",
       {"-0.4", "-0.05", "-0.1", "-0.499"},
       {"-0.5", "-0.04", "0", "-1", "0.1"}},
      {R"({"exclusiveMinimum":0})", {"0.1", "1", "1000"}, {"0", "-0", "-1", "0.0"}},
      {R"({"maximum":0})", {"0", "-0", "-1", "-0.5", "0.0"}, {"0.1", "1"}},
      {R"({"type":"integer","multipleOf":7})", {"0", "7", "-14", "49", "700"}, {"1", "8", "-6", "7.5"}},
      {R"({"multipleOf":0.25})", {"0.25", "1", "2.5", "-3.75", "10"}, {"0.3", "0.125", "2.55"}},
      {R"({"type":"integer","minimum":10,"maximum":20,"multipleOf":6})", {"12", "18"}, {"6", "24", "11"}},
      {R"({"type":"integer","minimum":1e3,"maximum":12345678901234567890})",
       {"1000", "12345678901234567890"},
       {"999", "12345678901234567891"}},
  });
  // Against arithmetic: every range with ends in quarters, every number in eighths.
  for (int lo = -9; lo <= 9; lo += 3)
    for (int hi = lo; hi <= 11; hi += 4) {
      const std::string schema = nlohmann::json({{"minimum", lo / 4.0}, {"exclusiveMaximum", hi / 4.0}}).dump();
      if (lo == hi) {
        CHECK(refusal(schema + " ", lq::Code::ok) == "it was accepted");  // other types remain
        continue;
      }
      const auto grammar = lq::Grammar::from_json_schema(schema);
      for (int x = -25; x <= 25; ++x) {
        CAPTURE(schema, x);
        CHECK(grammar->accepts(nlohmann::json(x / 8.0).dump()) == (2 * lo <= x && x < 2 * hi));
      }
    }
}

TEST_CASE("strings keep their lengths, patterns and formats", "[grammar]") {
  check({
      {R"({"type":"string","minLength":2,"maxLength":3})",
       {R"("ab")", R"("日本語")", R"("\n\"")"},
       {R"("a")", R"("abcd")"}},
      {R"({"type":"string","pattern":"^[a-z]+[0-9]$","maxLength":4})",
       {R"("a1")", R"("abc1")"},
       {R"("abcd1")", R"("1")"}},
      {R"({"pattern":"b.d"})", {R"("abcde")", "1"}, {R"("bd")"}},
      {R"({"type":"string","format":"date"})",
       {R"("2024-02-29")", R"("2000-02-29")", R"("2023-12-31")"},
       {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("23-1-1")"}},
      {R"({"type":"string","format":"date-time"})",
       {R"("2024-02-29T23:59:59.5Z")", R"("2024-01-01T00:00:00+01:00")"},
       {R"("2024-02-30T00:00:00Z")", R"("2024-01-01 00:00:00Z")", R"("2024-01-01T24:00:00Z")"}},
      {R"({"type":"string","format":"uuid"})",
       {R"("2eb8aa08-aa98-11ea-b4aa-73b441d16380")"},
       {R"("2eb8aa08aa9811eab4aa73b441d16380")"}},
      {R"({"type":"string","format":"email"})",
       {R"("a.b+c@example.co.uk")", R"("\"a b\\\"@c\"@example.com")", R"("a@[127.0.0.1]")", R"("a@[IPv6:::1]")"},
       {R"("a..b@example.com")", R"("a@-b")", R"("@b")", R"("\"a\"b@c")", R"("a@[300.0.0.1]")"}},
      {R"({"type":"string","format":"time"})",
       {R"("23:59:59+01:00")", R"("23:59:60Z")"},
       {R"("23:58:60Z")", R"("23:59:60+01:00")", R"("23:59:61Z")"}},
      {R"({"type":"string","format":"ipv6"})",
       {R"("::")", R"("1:2::192.168.0.1")", R"("::ffff:1.2.3.4")", R"("1:2:3:4:5:6:7::")", R"("1:2:3:4:5:6:1.2.3.4")"},
       {R"("1:2:3:4:5:6:7")", R"("1::2::3")", R"("1:2:3:4:5::6:1.2.3.4")", R"("1:2:3:4:5:6:7:1.2.3.4")"}},
      {R"({"type":"string","format":"ipv4"})",
       {R"("127.0.0.1")", R"("255.255.255.255")"},
       {R"("256.1.1.1")", R"("1.1.1")", R"("01.1.1.1")"}},
      {R"({"type":"string","minLength":100,"maxLength":3000})",
       {'"' + std::string(100, 'x') + '"', '"' + std::string(3000, 'x') + '"'},
       {'"' + std::string(99, 'x') + '"', '"' + std::string(3001, 'x') + '"'}},
  });
}

TEST_CASE("arrays keep their lengths and the schemas of their items", "[grammar]") {
  check({
      {R"({"type":"array"})", {"[]", "[1, \"a\", [null]]", "[\n  1,\n  2\n]"}, {"[1,]", "[", "{}"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":3})",
       {"[1]", "[1,2,3]"},
       {"[]", "[1,2,3,4]", "[\"a\"]"}},
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":{"type":"null"}})",
       {"[]", "[\"a\"]", "[\"a\",true,null,null]"},
       {"[1]", "[\"a\",true,1]"}},
      {R"({"type":"array","prefixItems":[{"type":"string"},{"type":"boolean"}],"items":false,"minItems":2})",
       {"[\"a\",true]"},
       {"[\"a\"]", "[\"a\",true,null]"}},
      {R"({"type":"array","items":false})", {"[]"}, {"[1]"}},
      {R"({"type":"array","items":{"type":"integer"},"minItems":70,"maxItems":200})", {}, {"[1]"}},
  });
}

TEST_CASE("objects have declared properties in order, then the others", "[grammar]") {
  check({
      {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["b"]})",
       {R"({"b":"x"})", R"({"a":1,"b":"x"})", R"({"a": 1, "b": "x", "c": null})", "{\n  \"b\": \"x\"\n}"},
       {"{}", R"({"a":1})", R"({"b":1})", R"({"b":"x","a":1})", R"({"b":"x","b":"y"})", R"({"b":"x",})",
        R"({,"b":"x"})"}},
      {R"({"type":"object","properties":{"a":true,"b":false},"additionalProperties":false})",
       {"{}", R"({"a":[]})"},
       {R"({"b":1})", R"({"c":1})"}},
      {R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2})",
       {R"({"x":1})", R"({"x":1,"y":2})"},
       {"{}", R"({"x":1,"y":2,"z":3})", R"({"x":"a"})"}},
      {R"({"type":"object","properties":{"a":true,"b":true,"c":true},"minProperties":2,"additionalProperties":false})",
       {R"({"a":1,"c":1})", R"({"a":1,"b":1,"c":1})"},
       {R"({"a":1})", "{}"}},
      {R"({"type":"object","patternProperties":{"^x":{"type":"integer"},"y$":{"minimum":5}},"additionalProperties":false})",
       {R"({"x":1})", R"({"xy":6})", R"({"ay":"s"})"},
       {R"({"xy":4})", R"({"x":"a"})", R"({"z":1})"}},
      {R"({"type":"object","propertyNames":{"pattern":"^[a-z]{2}$"}})", {R"({"ab":1})"}, {R"({"a":1})", R"({"AB":1})"}},
      {R"({"type":"object","required":["z"],"properties":{"a":{"type":"null"}}})",
       {R"({"a":null,"z":1})", R"({"z":1,"q":2})"},
       {R"({"a":null})"}},
      {R"({"type":"object","properties":{"a":true},"dependentRequired":{"a":["b"]}})",
       {"{}", R"({"a":1,"b":2})", R"({"b":1})"},
       {R"({"a":1})"}},
      {R"({"type":"object","properties":{"é\"k":{"const":1}},"required":["é\"k"],"additionalProperties":false})",
       {R"({"é\"k":1})", R"({"\u00e9\"k":1})"},
       {R"({"e\"k":1})"}},
  });
}

TEST_CASE("schemas combine", "[grammar]") {
  check({
      {R"({"allOf":[{"properties":{"a":{"minimum":2}}},{"properties":{"a":{"type":"integer"}},"required":["a"]},{"type":"object"}]})",
       {R"({"a":2})"},
       {R"({"a":1})", R"({"a":2.5})", "{}", "1"}},
      {R"({"anyOf":[{"type":"integer"},{"type":"string","minLength":2},{"type":"array","items":{"type":"null"}}]})",
       {"1", R"("ab")", "[null]"},
       {R"("a")", "[1]", "true"}},
      {R"({"oneOf":[{"type":"integer","minimum":2},{"type":"integer","maximum":5}]})", {"1", "6"}, {"3", "2", "5"}},
      {R"({"oneOf":[{"type":"object","properties":{"kind":{"const":"a"},"x":{"type":"integer"}},"required":["kind","x"]},
         {"type":"object","properties":{"kind":{"const":"b"},"y":{"type":"string"}},"required":["kind","y"]}]})",
       {R"({"kind":"a","x":1})", R"({"kind":"b","y":"s"})"},
       {R"({"kind":"a","y":"s"})", R"({"kind":"c","x":1})"}},
      {R"({"not":{"type":["string","object","array"]}})", {"1", "null", "true"}, {R"("a")", "{}", "[]"}},
      {R"({"type":"string","not":{"enum":["a","b"]}})", {R"("c")", R"("ab")"}, {R"("a")"}},
      {R"({"if":{"type":"integer"},"then":{"minimum":5},"else":{"type":"string"}})", {"5", R"("a")"}, {"4", "null"}},
      {R"({"$defs":{"t":{"type":"object","properties":{"v":{"type":"integer"},"c":{"type":"array","items":{"$ref":"#/$defs/t"}}},"required":["v"],"additionalProperties":false}},"$ref":"#/$defs/t"})",
       {R"({"v":1})", R"({"v":1,"c":[{"v":2,"c":[]},{"v":3}]})"},
       {R"({"v":1,"c":[{}]})"}},
      {R"({"type":"array","items":{"$ref":"#"}})", {"[]", "[[],[[]]]"}, {"[1]"}},
      {R"({"$defs":{"a b/c~d":{"$anchor":"here","type":"integer"}},"prefixItems":[{"$ref":"#/$defs/a%20b~1c~0d"},{"$ref":"#here"}],"type":"array"})",
       {"[1,2]"},
       {"[\"a\"]", "[1,\"a\"]"}},
      {"true", {"1", "{\"a\":[{}]}"}, {"", "x"}},
  });
}

TEST_CASE("options choose white space and closed objects", "[grammar]") {
  const char* schema = R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"integer"}}}})";
  const auto compact = lq::Grammar::from_json_schema(schema, {.compact = true});
  CHECK(compact->accepts(R"({"a":[1,2]})"));
  CHECK_FALSE(compact->accepts(R"({"a": [1,2]})"));
  const auto closed = lq::Grammar::from_json_schema(schema, {.closed = true});
  CHECK(closed->accepts(R"({"a": [1, 2]})"));
  CHECK_FALSE(closed->accepts(R"({"b": 1})"));
}

TEST_CASE("what is not understood is refused by name", "[grammar]") {
  for (const char* word :
       {"contains", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "minLenght", "dependencies"}) {
    CAPTURE(word);
    CHECK_THAT(refusal(std::string("{\"properties\":{\"a\":{\"") + word + "\":true}}}", lq::Code::unsupported),
               Catch::Contains(word) && Catch::Contains("#/properties/a"));
  }
  CHECK_THAT(refusal(R"({"uniqueItems":true})", lq::Code::unsupported), Catch::Contains("uniqueItems"));
  CHECK_THAT(refusal(R"({"format":"idn-email"})", lq::Code::unsupported), Catch::Contains("idn-email"));
  CHECK_THAT(refusal(R"({"$schema":"http://example.com/mine"})", lq::Code::unsupported), Catch::Contains("mine"));
  CHECK_THAT(refusal(R"({"$ref":"http://example.com/x.json"})", lq::Code::unsupported), Catch::Contains("example.com"));
  CHECK_THAT(refusal(R"({"oneOf":[{"required":["a"]},{"required":["b"]}]})", lq::Code::unsupported),
             Catch::Contains("oneOf"));
  CHECK_THAT(refusal(R"x({"pattern":"a(?=b)"})x", lq::Code::unsupported), Catch::Contains("look-ahead"));
  CHECK_THAT(refusal(R"({"$ref":"#"})", lq::Code::unsupported), Catch::Contains("itself"));
  CHECK_THAT(refusal(R"({"not":{"type":"array","minItems":1}})", lq::Code::unsupported), Catch::Contains("not"));
  CHECK_THAT(refusal(R"({"items":[{"type":"null"}]})", lq::Code::unsupported), Catch::Contains("prefixItems"));
}

TEST_CASE("malformed and impossible schemas are errors", "[grammar]") {
  for (
      const char* s :
      {"",
       "{",
       "[]",
       "1",
       R"({"type":"text"})",
       R"({"type":1})",
       R"({"minLength":-1})",
       R"({"minLength":"a"})",
       R"({"enum":[]})",
       R"({"required":"a"})",
       R"({"properties":[]})",
       R"({"properties":{"a":5}})",
       R"({"$ref":"#/$defs/x"})",
       R"({"$ref":7})",
       R"({"allOf":{}})",
       R"({"multipleOf":0})",
       R"({"pattern":"("})",
       "false",
       R"({"type":"integer","minimum":2,"maximum":1})",
       R"({"type":"object","required":["a"],"properties":{"a":false}})",
       R"({"$defs":{"n":{"type":"object","required":["n"],"properties":{"n":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"})",
       "{\"type\":\"\xff\"}"}) {
    CAPTURE(s);
    refusal(s, lq::Code::invalid_argument);
  }
}

namespace {

void* hostile(void*) {
  const auto limit = [](const std::string& s) { CHECK(refusal(s, lq::Code::limit) != "it was accepted"); };
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"items\":";
  limit(deep);
  deep.clear();
  for (int i = 0; i < 100; ++i) deep += "{\"anyOf\":[";
  limit(deep + "true" + [] {
    std::string s;
    for (int i = 0; i < 100; ++i) s += "]}";
    return s;
  }());
  limit(R"({"type":"string","pattern":"^(a|b)*a(a|b){30}$"})");
  limit(R"({"type":"string","pattern":"((a{500}){500}){500}"})");
  limit(R"({"multipleOf":0.0000001234567})");
  limit(R"({"minimum":1e300})");
  std::string overlapping = R"({"type":"object","patternProperties":{)";
  for (char c = 'a'; c < 'k'; ++c)
    overlapping += std::string(c == 'a' ? "" : ",") + "\"" + c + "\":{\"type\":\"null\"}";
  limit(overlapping + "}}");
  std::string product = R"({"allOf":[)";
  for (int i = 0; i < 12; ++i)
    product += std::string(i ? "," : "") +
               R"({"anyOf":[{"type":"object","required":["a"]},{"type":"object","required":["b"]}]})";
  limit(product + "]}");
  // As deep as is allowed.
  std::string nested = "true";
  for (int i = 0; i < 46; ++i) nested = "{\"anyOf\":[" + nested + "]}";
  CHECK(lq::Grammar::from_json_schema(nested)->accepts("1"));
  CHECK(lq::Grammar::from_gbnf("root ::= " + std::string(100, '(') + "\"a\"" + std::string(100, ')'))->accepts("a"));
  CHECK(lq::Grammar::from_regex(std::string(100, '(') + "a" + std::string(100, ')'))->accepts("a"));
  // Texts far deeper than any stack.
  CHECK(lq::Grammar::from_json_schema("true")->accepts(std::string(100'000, '[') + std::string(100'000, ']')));
  return nullptr;
}

}  // namespace

TEST_CASE("hostile schemas end soon, on a small stack", "[grammar]") {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
#ifdef __SANITIZE_ADDRESS__
  pthread_attr_setstacksize(&attributes, 2 << 20);  // its frames are many times as large
#else
  pthread_attr_setstacksize(&attributes, 128 << 10);
#endif
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, hostile, nullptr) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

TEST_CASE("changed schemas and grammars are read or refused, never worse", "[grammar]") {
  const std::vector<std::string> seeds = {
      R"({"type":"object","properties":{"a":{"type":"integer","minimum":-3},"b":{"pattern":"^[a-z]+$"}},"required":["a"],"anyOf":[{"$ref":"#/$defs/x"}],"$defs":{"x":{"maxProperties":3}}})",
      "root ::= (\"a\" | [b-d]{2,5} x)* # c\nx ::= \"\\u00e9\" | . root?\n", "^(?:a|[^b-d]{2,3}|\\d+\\.)*$"};
  const char* env = std::getenv("LQ_MUTATIONS");
  const int rounds = env ? std::atoi(env) : 1500;
  int accepted = 0;
  for (std::size_t which = 0; which < seeds.size(); ++which)
    for (int round = 0; round < rounds; ++round) {
      lq::Random random(static_cast<std::uint64_t>(round) * 3 + which);
      std::string text = seeds[which];
      for (std::uint64_t i = 0; i < 1 + random.next() % 4; ++i)
        text[random.next() % text.size()] = static_cast<char>(random.next());
      try {
        const auto g = which == 0   ? lq::Grammar::from_json_schema(text)
                       : which == 1 ? lq::Grammar::from_gbnf(text)
                                    : lq::Grammar::from_regex(text);
        lq::Matcher m(g->automaton());
        for (int i = 0; i < 20; ++i) m.push(static_cast<std::uint8_t>(random.next()));
        ++accepted;
      } catch (const lq::Error& e) {
        CHECK(std::string(e.what()).size() > 5);
      }
    }
  CHECK(accepted > rounds / 10);
}
