// SentencePiece BPE against SentencePiece itself and Hugging Face `tokenizers`; the golden file names the versions.
#include <algorithm>
#include <catch2/catch.hpp>
#include <deque>
#include <map>

#include "cpu_time.hpp"
#include "gguf_vocab.hpp"
#include "golden_text.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "test_data.hpp"

namespace {

using Ids = std::vector<std::int32_t>;

std::string vocabulary_path() { return lq_test::data("tokenizers/ggml-vocab-llama-spm.gguf"); }

void check_goldens(const lq::Tokenizer& tokenizer, const std::string& name) {
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const auto golden = lq_test::golden_json("sentencepiece_goldens.json")[name];
  REQUIRE(golden["plain"].size() == 256);
  for (std::size_t i = 0; i < golden["plain"].size(); i += lq_test::every_golden()) {
    CAPTURE(name, i);
    const std::string text = lq_test::golden_chunk(i, corpus);
    const auto ids = tokenizer.encode(text);
    CHECK(lq_test::hash_of(ids) == golden["plain"][i].get<std::string>());
    if (name != "merges, first") CHECK(tokenizer.decode(ids) == text);
  }
  REQUIRE(golden["sweep"].size() == 0x110000 / lq_test::kSweepBlock);
  for (std::uint32_t block = 0; block < golden["sweep"].size(); block += lq_test::every_golden()) {
    CAPTURE(name, block);
    const auto ids = tokenizer.encode(lq_test::sweep_text(block, {}));
    CHECK(lq_test::hash_of(ids) == golden["sweep"][block].get<std::string>());
  }
}

// The merges that transformers derives from scores.
void add_merges(lq::TokenizerData& data, std::deque<std::string>& keep) {
  std::map<std::string_view, std::int32_t> ids;
  for (std::size_t i = 0; i < data.tokens.size(); ++i)
    if (data.types[i] == 1) ids[data.tokens[i]] = static_cast<std::int32_t>(i);
  struct Merge {
    float score;
    std::int32_t result, left, right;
  };
  std::vector<Merge> merges;
  for (const auto& [token, id] : ids)
    for (std::size_t n = 1; n < token.size(); ++n) {
      const auto left = ids.find(token.substr(0, n)), right = ids.find(token.substr(n));
      if (left != ids.end() && right != ids.end())
        merges.push_back({data.scores[static_cast<std::size_t>(id)], id, left->second, right->second});
    }
  std::sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tuple(-a.score, a.result, a.left, a.right) < std::tuple(-b.score, b.result, b.left, b.right);
  });
  const auto text = [&](std::int32_t id) { return std::string(data.tokens[static_cast<std::size_t>(id)]); };
  for (const Merge& m : merges) data.merges.push_back(keep.emplace_back(text(m.left) + " " + text(m.right)));
}

double seconds(const lq::Tokenizer& tokenizer, const std::string& text) {
  const double start = lq_test::cpu_seconds();
  CHECK(tokenizer.decode(tokenizer.encode(text)) == text);
  return lq_test::cpu_seconds() - start;
}

}  // namespace

TEST_CASE("Llama 2 ids equal those of SentencePiece", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  check_goldens(*lq::Tokenizer::create(lq_test::read_tokenizer(vocabulary_path())), "scores");
}

TEST_CASE("Llama 2 ids by merges equal those of Hugging Face tokenizers", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  lq::TokenizerData data = lq_test::read_tokenizer(vocabulary_path());
  std::deque<std::string> keep;
  add_merges(data, keep);
  check_goldens(*lq::Tokenizer::create(data), "merges");
  data.space_prefix = "first";
  check_goldens(*lq::Tokenizer::create(data), "merges, first");
}

TEST_CASE("SentencePiece's space in front, special tokens and decoding", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  lq::TokenizerData data = lq_test::read_tokenizer(vocabulary_path());
  const auto tokenizer = lq::Tokenizer::create(data);
  CHECK(tokenizer->add_bos());
  CHECK(tokenizer->encode("Hello", {.add_special = true}) == Ids{1, 15043});
  CHECK(tokenizer->encode("") == Ids{});
  CHECK(tokenizer->encode(" Hello") == Ids{29871, 15043});
  CHECK(tokenizer->encode("Hello</s>Hello", {.parse_special = true}) == Ids{15043, 2, 15043});
  CHECK(tokenizer->encode("\xf0\x9f\xa6\x99\xff") == Ids{29871, 243, 162, 169, 156, 258});
  CHECK(tokenizer->decode(Ids{1, 15043, 15043}) == "Hello Hello");
  CHECK(tokenizer->decode(Ids{1, 15043}, true) == "<s>Hello");
  CHECK(tokenizer->token_text(15043) == "\xe2\x96\x81Hello");
  CHECK(tokenizer->find("\xe2\x96\x81Hello") == 15043);
  CHECK(tokenizer->find("<0xFF>") == 258);

  data.space_prefix = "missing";
  CHECK(lq::Tokenizer::create(data)->encode(" Hello</s>Hello", {.parse_special = true}) == Ids{15043, 2, 15043});
  data.space_prefix = "first";
  CHECK(lq::Tokenizer::create(data)->encode("Hello</s>Hello", {.parse_special = true}) == Ids{15043, 2, 10994});
  data.add_space_prefix = false;
  CHECK(lq::Tokenizer::create(data)->encode("Hello") == Ids{10994});
  CHECK(lq::Tokenizer::create(data)->decode(Ids{15043}) == " Hello");
}

TEST_CASE("SentencePiece vocabularies that contradict themselves are refused", "[text]") {
  lq::TokenizerData data;
  data.model = "llama";
  data.tokens = {"a", "b"};
  CHECK_THROWS_WITH(lq::Tokenizer::create(data), Catch::Contains("scores has 0 entries for 2"));
  data.scores = {0, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS_WITH(lq::Tokenizer::create(data), Catch::Contains("scores[1] is nan"));
  data.scores = {0, 1};
  data.add_space_prefix = false;
  CHECK(lq::Tokenizer::create(data)->encode("ab") == Ids{0, 1});
  CHECK_THROWS_WITH(lq::Tokenizer::create(data)->encode("c"), Catch::Contains("no token for a byte of the text"));
  data.space_prefix = "never";
  CHECK_THROWS_WITH(lq::Tokenizer::create(data), Catch::Contains("'never' is not known"));
  data.space_prefix = "";
  data.lstrip = {2};
  CHECK_THROWS_WITH(lq::Tokenizer::create(data), Catch::Contains("outside the vocabulary"));
}

TEST_CASE("SentencePiece takes time in proportion to the text, whatever it is", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  lq::TokenizerData data = lq_test::read_tokenizer(vocabulary_path());
  const auto by_scores = lq::Tokenizer::create(data);
  std::deque<std::string> keep;
  add_merges(data, keep);
  const auto by_merges = lq::Tokenizer::create(data);
  for (const char* pattern : {"a", " ", "=", "\n", "ab", "the", " \n", " a", "\xff", "日本", "😀", "\xe2\x96\x81"}) {
    std::string text;
    while (text.size() < std::size_t{1} << 20) text += pattern;
    CAPTURE(pattern);
    if (std::string_view(pattern) == "\xe2\x96\x81") {
      CHECK(by_scores->encode(text).size() > 1000);  // comes back as spaces
      continue;
    }
    CHECK(seconds(*by_scores, text) < 2);
    CHECK(seconds(*by_merges, text) < 2);
  }
}

TEST_CASE("any bytes come back from SentencePiece", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  const auto tokenizer = lq::Tokenizer::create(lq_test::read_tokenizer(vocabulary_path()));
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    lq::Random random(seed);
    std::string text;
    for (std::uint64_t n = random.next() % 200; n > 0; --n)
      text += seed % 2 ? static_cast<char>(random.next()) : " ab\n\xe2\x96\x80\xc3"[random.next() % 8];
    if (text.find("\xe2\x96\x81") != text.npos) continue;
    CAPTURE(seed);
    CHECK(tokenizer->decode(tokenizer->encode(text)) == text);
  }
}
