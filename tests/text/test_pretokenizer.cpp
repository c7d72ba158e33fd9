// Where pieces end, against Hugging Face `tokenizers`; the golden file names the script and the versions that made it.
#include "loquor/text/pretokenizer.hpp"

#include <catch2/catch.hpp>

#include "golden_text.hpp"

namespace {

template <class Splitter>
std::vector<std::int32_t> lengths(const std::string& text) {
  std::vector<std::int32_t> out;
  const char* const end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const char* next = Splitter::next(p, end);
    if (next <= p || next > end) FAIL("a piece of no length or beyond the text");
    out.push_back(static_cast<std::int32_t>(next - p));
    p = next;
  }
  return out;
}

std::string sweep(std::uint32_t block) {
  std::string out;
  for (std::uint32_t c = block * 0x1000; c < (block + 1) * 0x1000; ++c) {
    if (c >= 0xd800 && c < 0xe000) continue;
    const std::string s = lq_test::utf8(c);
    out += "x" + s + "y " + s + s + " '" + s + "a5" + s + " \n" + s + "  " + s + "!" + s + "\r";
  }
  return out;
}

template <class Splitter>
void check_rules(const std::string& name) {
  const auto goldens = lq_test::golden_json("pretokenizer_goldens.json");
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const auto& golden = goldens["rules"][name];
  REQUIRE(golden["cases"].size() == goldens["texts"].size());
  for (std::size_t i = 0; i < goldens["texts"].size(); ++i) {
    const std::string text = goldens["texts"][i];
    CAPTURE(name, text);
    CHECK(lengths<Splitter>(text) == golden["cases"][i].get<std::vector<std::int32_t>>());
  }
  REQUIRE(golden["chunks"].size() == 256);
  for (std::size_t i = 0; i < golden["chunks"].size(); i += lq_test::every_golden()) {
    CAPTURE(name, i);
    CHECK(lq_test::hash_of(lengths<Splitter>(lq_test::golden_chunk(i, corpus))) ==
          golden["chunks"][i].get<std::string>());
  }
  REQUIRE(golden["sweep"].size() == 0x20);
  for (std::uint32_t block = 0; block < 0x20; block += lq_test::every_golden()) {
    CAPTURE(name, block);
    CHECK(lq_test::hash_of(lengths<Splitter>(sweep(block))) == golden["sweep"][block].get<std::string>());
  }
}

}  // namespace

TEST_CASE("GPT-2's rules cut as the regular expression does", "[text]") { check_rules<lq::Gpt2Splitter>("gpt-2"); }
TEST_CASE("SmolLM's rules cut as the regular expression does", "[text]") {
  check_rules<lq::Gpt2DigitsSplitter>("smollm");
}
TEST_CASE("Llama 3's rules cut as the regular expression does", "[text]") {
  check_rules<lq::Llama3Splitter>("llama-bpe");
}
TEST_CASE("Qwen2's rules cut as the regular expression does", "[text]") { check_rules<lq::Qwen2Splitter>("qwen2"); }

TEST_CASE("bytes that are no UTF-8 are cut like symbols", "[text]") {
  using Lengths = std::vector<std::int32_t>;
  CHECK(lengths<lq::Gpt2Splitter>("a\xff\xfe b") == Lengths{1, 2, 2});
  CHECK(lengths<lq::Llama3Splitter>("a\xff\xfe b") == Lengths{1, 2, 2});
  CHECK(lengths<lq::Gpt2Splitter>("a\xc3") == Lengths{1, 1});
  CHECK(lengths<lq::Qwen2Splitter>("\xed\xa0\x80z") == Lengths{3, 1});
  CHECK(lengths<lq::Qwen2Splitter>("\xe2\x82z") == Lengths{2, 1});
  CHECK(lengths<lq::Qwen2Splitter>("\xffz") == Lengths{2});  // one symbol may begin a word
}
