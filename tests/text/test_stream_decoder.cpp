#include <catch2/catch.hpp>

#include "golden_text.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/text/unicode.hpp"
#include "tiny_vocab.hpp"

using lq::StreamDecoder;

namespace {

bool is_utf8(std::string_view s) {
  while (!s.empty()) {
    const lq::CodePoint c = lq::decode_utf8(s.data(), s.size());
    if (c.length == 0) return false;
    s.remove_prefix(c.length);
  }
  return true;
}

// Feeds one byte a token; every byte of the tiny vocabulary is its own id.
std::string stream(const std::string& bytes, StreamDecoder::Mode mode) {
  StreamDecoder decoder(lq_test::TinyVocab().make(), mode);
  std::string all;
  for (const char b : bytes) {
    const std::string piece = decoder.feed(static_cast<unsigned char>(b));
    if (mode == StreamDecoder::Mode::text) CHECK(is_utf8(piece));
    CHECK(decoder.pending() <= 3);
    all += piece;
  }
  all += decoder.flush();
  CHECK(decoder.pending() == 0);
  return all;
}

}  // namespace

TEST_CASE("a stream of single bytes comes out as whole characters", "[text]") {
  StreamDecoder decoder(lq_test::TinyVocab().make());
  CHECK(decoder.feed('a') == "a");
  CHECK(decoder.feed(0xf0).empty());
  CHECK(decoder.feed(0x9f).empty());
  CHECK(decoder.feed(0x98).empty());
  CHECK(decoder.pending() == 3);
  CHECK(decoder.feed(0x80) == "😀");
  CHECK(decoder.feed(256).empty());  // a control token shows nothing and disturbs nothing
  CHECK(decoder.feed(257) == "<added>");
}

TEST_CASE("ill-formed bytes become one U+FFFD for each maximal subpart", "[text]") {
  const std::string r = "\xef\xbf\xbd";
  const auto text = [](const std::string& s) { return stream(s, StreamDecoder::Mode::text); };
  CHECK(text("\x80") == r);
  CHECK(text("\xc3(") == r + "(");
  CHECK(text("\xe2\x82") == r);
  CHECK(text("\xe2\x82x") == r + "x");
  CHECK(text("\xed\xa0\x80") == r + r + r);  // a lone surrogate
  CHECK(text("\xf0\x9f\x98") == r);
  CHECK(text("\xf0\x9f\x98\xf0\x9f\x98\x80") == r + "😀");
  CHECK(text("\xc0\xaf\xe0\x80\xaf") == r + r + r + r + r);
  CHECK(text("\xf4\x90\x80\x80") == r + r + r + r);
  CHECK(text("\xff") == r);
  // The example of Unicode 3.9, table 3-8.
  CHECK(text("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64") == "a" + r + r + r + "b" + r + "c" + r + r + "d");
}

TEST_CASE("byte streams give back every byte and text streams are always UTF-8", "[text]") {
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const lq::Random random(3);
  for (std::uint64_t i = 0; i < 60; ++i) {
    std::string bytes = lq_test::golden_chunk(i, corpus).substr(0, 300);
    CHECK(stream(bytes, StreamDecoder::Mode::bytes) == bytes);
    for (std::uint64_t k = 0; k < 40; ++k)
      bytes[random.at(100 * i + k) % bytes.size()] = static_cast<char>(random.at(~(100 * i + k)));
    CHECK(stream(bytes, StreamDecoder::Mode::bytes) == bytes);
    CHECK(is_utf8(stream(bytes, StreamDecoder::Mode::text)));
  }
}

TEST_CASE("pieces of a stream do not depend on how tokens split well-formed text", "[text]") {
  lq_test::TinyVocab v({"ð Ł", "ðŁ ĺ", "à ¤", "Ġ à", "Ã ©", "© a"});
  const auto t = v.make();
  const std::string text = "é 😀😀 हिन्दी éa é é";
  StreamDecoder decoder(t);
  std::string all;
  for (const std::int32_t id : t->encode(text)) all += decoder.feed(id);
  CHECK(all + decoder.flush() == text);
}

TEST_CASE("a refused id leaves the stream as it was", "[text]") {
  StreamDecoder decoder(lq_test::TinyVocab().make());
  decoder.feed(0xc3);
  CHECK_THROWS_AS(decoder.feed(9999), lq::Error);
  CHECK_THROWS_AS(decoder.feed(-1), lq::Error);
  CHECK(decoder.feed(0xa9) == "é");
  CHECK_THROWS_AS(StreamDecoder(nullptr), lq::Error);
}
