#include <catch2/catch.hpp>
#include <thread>

#include "gguf_vocab.hpp"
#include "golden_text.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "test_data.hpp"
#include "tiny_vocab.hpp"

using lq::Code;
using lq_test::TinyVocab;
using Ids = std::vector<std::int32_t>;

namespace {

std::string random_bytes(std::uint64_t seed, std::size_t n) {
  const lq::Random random(seed);
  std::string out(n, '\0');
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<char>(random.at(i));
  return out;
}

template <class Fn>
Code code_of(const Fn& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    CHECK(std::string(e.what()).size() > 10);
    return e.code();
  }
  return Code::ok;
}

}  // namespace

TEST_CASE("merges are applied lowest rank first and leftmost among equals", "[text]") {
  TinyVocab v({"b c", "a b", "a a", "aa a"});
  const auto t = v.make();
  const std::int32_t bc = 258, ab = 259, aa = 260, aaa = 261;
  CHECK(t->encode("abc") == Ids{'a', bc});
  CHECK(t->encode("abab") == Ids{ab, ab});
  CHECK(t->encode("aaaaa") == Ids{aa, aaa});
  CHECK(t->encode("aaaab") == Ids{aaa, ab});
  CHECK(t->encode("aab bc") == Ids{'a', ab, ' ', bc});
}

TEST_CASE("long pieces are merged as short ones are", "[text]") {
  // The queue of long pieces against a plain reading of the definition, on words of two letters.
  const std::vector<std::string> merges = {"a b", "b a", "ab a", "a a", "ab ab", "aba b", "b b", "aa b"};
  TinyVocab v(merges);
  const auto t = v.make();
  const lq::Random random(7);
  for (std::uint64_t round = 0; round < 200; ++round) {
    std::string word;
    std::vector<std::string> parts;
    for (std::uint64_t i = 0, n = 30 + random.at(round) % 60; i < n; ++i) {
      word += random.at(1000 * round + i) % 3 ? 'a' : 'b';
      parts.push_back(word.substr(i));
    }
    for (bool again = true; again;) {
      again = false;
      for (std::size_t m = 0; m < merges.size() && !again; ++m) {
        for (std::size_t i = 0; i + 1 < parts.size() && !again; ++i) {
          if (parts[i] + " " + parts[i + 1] != merges[m]) continue;
          parts[i] += parts[i + 1];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
          again = true;
        }
      }
    }
    Ids expected;
    for (const std::string& p : parts) expected.push_back(*t->find(p));
    CAPTURE(word);
    CHECK(t->encode(word) == expected);
  }
}

TEST_CASE("any bytes survive encoding and decoding", "[text]") {
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "qwen2"}) {
    TinyVocab v({"Ã ©", "Ġ a", "e r", "à ¤", "àĮ ¤", "ì ł"});
    v.data.pre = pre;
    const auto t = v.make();
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const std::string text = random_bytes(seed, 37 * seed);
      CHECK(t->decode(t->encode(text)) == text);
    }
    using namespace std::string_literals;
    for (const std::string& text : {""s, "\0"s, "a\0b\0\0"s, "\xed\xa0\x80"s, "\xed\xa0\x80\xed\xb0\x80 x"s, "\xc3"s,
                                    " \xf0\x9f\x98"s, "\xff\xfe"s, "\xc0\x80"s, "\xf4\x90\x80\x80"s, "\xe2\x80"s}) {
      CHECK(t->decode(t->encode(text)) == text);
    }
  }
}

TEST_CASE("any bytes survive the real vocabularies that spell all bytes", "[text]") {
  for (const char* name : {"gpt-2", "llama-bpe", "qwen2"}) {
    const std::string path = lq_test::data("tokenizers/ggml-vocab-" + std::string(name) + ".gguf");
    LQ_NEED_FILE(path);
    const auto t = lq::Tokenizer::create(lq_test::read_tokenizer(path));
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const std::string text = random_bytes(seed, 5000);
      CHECK(t->decode(t->encode(text)) == text);
      CHECK(t->decode(t->encode(text, {.parse_special = true}), true) == text);
    }
  }
}

TEST_CASE("text that spells a control token stays text unless asked", "[text]") {
  const auto t = TinyVocab().make();
  const std::string text = "a<|end|><added><|end|";
  const Ids plain = t->encode(text), special = t->encode(text, {.parse_special = true});
  CHECK(std::count(plain.begin(), plain.end(), 256) == 0);
  CHECK(std::count(plain.begin(), plain.end(), 257) == 1);  // user-defined tokens always count
  CHECK(special == Ids{'a', 256, 257, '<', '|', 'e', 'n', 'd', '|'});
  CHECK(t->decode(plain) == text);
  CHECK(t->decode(special) == "a<added><|end|");
  CHECK(t->decode(special, true) == text);
}

TEST_CASE("a control token that merges would spell is never made from text", "[text]") {
  TinyVocab v;
  v.add("xy", 3);
  v.data.merges.push_back("x y");
  CHECK(v.make()->encode("xy") == Ids{'x', 'y'});
}

TEST_CASE("control tokens are not looked for in untrusted ranges", "[text]") {
  const auto t = TinyVocab().make();
  const std::string text = "<|end|>x<|end|>y<|end|>";
  const lq::TextRange middle[] = {{7, 16}};
  const Ids ids = t->encode(text, {.parse_special = true, .untrusted = middle});
  CHECK(ids.front() == 256);
  CHECK(ids.back() == 256);
  CHECK(std::count(ids.begin(), ids.end(), 256) == 2);
  CHECK(t->decode(ids, true) == text);
  const lq::TextRange inside[] = {{3, 4}, {18, 23}};  // a match may not reach into one either
  const Ids fewer = t->encode(text, {.parse_special = true, .untrusted = inside});
  CHECK(std::count(fewer.begin(), fewer.end(), 256) == 1);
  CHECK(t->decode(fewer, true) == text);
  const lq::TextRange wrong[][2] = {{{4, 3}, {5, 6}}, {{0, 5}, {4, 6}}, {{0, 1}, {5, 99}}};
  for (const auto& w : wrong) {
    CHECK(code_of([&] { t->encode(text, {.parse_special = true, .untrusted = w}); }) == Code::invalid_argument);
  }
}

TEST_CASE("an untrusted range without specials changes no ids", "[text]") {
  LQ_NEED_FILE(lq_test::model_path());
  const auto t = lq::Tokenizer::create(lq_test::read_tokenizer(lq_test::model_path()));
  const std::string text = "<|im_start|>user\n\n Hello, how's it going?<|im_end|>\n";
  const lq::TextRange content[] = {{17, 41}};
  CHECK(t->encode(text, {.parse_special = true, .untrusted = content}) == t->encode(text, {.parse_special = true}));
  CHECK(t->bos() == 1);
  CHECK(t->eos() == 2);
  CHECK(t->find("<|im_end|>") == 2);
  CHECK(t->is_end_of_generation(2));
  CHECK(t->is_end_of_generation(0));  // <|endoftext|>
  CHECK_FALSE(t->is_end_of_generation(1));
  CHECK_FALSE(t->add_bos());
}

TEST_CASE("the longest of the leftmost added tokens wins", "[text]") {
  TinyVocab v;
  const std::int32_t one = v.add("  ", 4), two = v.add("    ", 4), cross = v.add(" <", 4), word = v.add("ab", 4),
                     longer = v.add("abc#", 4);
  const auto t = v.make();
  CHECK(t->encode("      x") == Ids{two, one, 'x'});
  CHECK(t->encode("   <") == Ids{one, cross});
  CHECK(t->encode("abcabc#ab") == Ids{word, 'c', longer, word});
}

TEST_CASE("begin and end tokens are added where the model asks", "[text]") {
  TinyVocab v;
  v.data.bos = 256;
  v.data.eos = 257;
  CHECK(v.make()->encode("a", {.add_special = true}) == Ids{'a'});
  v.data.add_bos = v.data.add_eos = true;
  CHECK(v.make()->encode("a", {.add_special = true}) == Ids{256, 'a', 257});
  CHECK(v.make()->encode("", {.add_special = true}) == Ids{256, 257});
  CHECK(v.make()->encode("a") == Ids{'a'});
  v.data.add_bos.reset();
  v.data.add_eos.reset();
  v.data.pre = "llama-bpe";  // Llama 3 begins texts with bos unless the file says otherwise
  CHECK(v.make()->encode("a", {.add_special = true}) == Ids{256, 'a'});
  v.data.add_bos = false;
  CHECK(v.make()->encode("a", {.add_special = true}) == Ids{'a'});
}

TEST_CASE("a byte without a token becomes the replacement character or the unknown token", "[text]") {
  TinyVocab v;
  v.data.types[0xff] = 5;
  CHECK(v.make()->encode("a\xff\xff z") == Ids{'a', 0xef, 0xbf, 0xbd, 0xef, 0xbf, 0xbd, ' ', 'z'});
  v.data.unk = 256;  // a control token: text must not turn into it
  CHECK(v.make()->encode("\xff") == Ids{0xef, 0xbf, 0xbd});
  v.data.unk = v.add("<unk>", 2);
  CHECK(v.make()->encode("\xff") == Ids{258});
  v.data.unk.reset();
  v.data.types[0xbf] = 5;
  CHECK(v.make()->encode("abc").size() == 3);
  Ids before = {1, 2};
  CHECK(code_of([&] { v.make()->encode_append("abc \xff", {}, before); }) == Code::unsupported);
  CHECK(before == Ids{1, 2});
}

TEST_CASE("tokens are described by text, bytes and kind", "[text]") {
  TinyVocab v({"Ġ a"});
  const std::int32_t byte = v.add("<0x0A>", 6), odd = v.add("日本", 1);
  const auto t = v.make();
  CHECK(t->token_text(258) == "Ġa");
  CHECK(t->token_bytes(258) == " a");
  CHECK(t->find("Ġa") == 258);
  CHECK_FALSE(t->find(" a"));
  CHECK(t->find("<|end|>") == 256);
  CHECK(t->kind(256) == lq::TokenKind::control);
  CHECK(t->token_bytes(byte) == "\n");
  CHECK(t->token_text(byte) == "<0x0A>");
  CHECK(t->find("<0x0A>") == byte);
  CHECK(t->token_bytes(odd) == "日本");  // not spelled in the byte alphabet: taken literally
  CHECK(t->find("日本") == odd);
  CHECK(t->encode("日本").size() == 6);
  for (std::int32_t id = 0; id < static_cast<std::int32_t>(t->vocab_size()); ++id)
    CHECK(t->find(t->token_text(id)) == id);
}

TEST_CASE("ids outside the vocabulary are refused", "[text]") {
  const auto t = TinyVocab().make();
  for (const std::int32_t id :
       {-1, 258, 1 << 20, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()}) {
    CHECK(code_of([&] { t->decode(Ids{'a', id}); }) == Code::invalid_argument);
    CHECK(code_of([&] { t->token_bytes(id); }) == Code::invalid_argument);
    CHECK(code_of([&] { t->token_text(id); }) == Code::invalid_argument);
    CHECK(code_of([&] { t->kind(id); }) == Code::invalid_argument);
    CHECK_FALSE(t->is_end_of_generation(id));
  }
}

TEST_CASE("threads share a tokenizer", "[text]") {
  LQ_NEED_FILE(lq_test::model_path());
  const auto data = lq_test::read_tokenizer(lq_test::model_path());
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  std::vector<std::string> texts;
  std::vector<Ids> expected;
  for (std::uint64_t i = 0; i < 24; ++i) {
    texts.push_back(lq_test::golden_chunk(i, corpus));
    expected.push_back(lq::Tokenizer::create(data)->encode(texts.back()));
  }
  const auto t = lq::Tokenizer::create(data);  // fresh: threads race to find out which tokens are whole
  std::vector<int> wrong(4, 0);
  std::vector<std::thread> threads;
  for (std::size_t k = 0; k < wrong.size(); ++k) {
    threads.emplace_back([&, k] {
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const std::size_t j = (i + 6 * k) % texts.size();
        wrong[k] += t->encode(texts[j]) != expected[j];
      }
    });
  }
  for (std::thread& th : threads) th.join();
  CHECK(wrong == std::vector<int>(4, 0));
}
