// WordPiece against Hugging Face `tokenizers`, and against the fixture that llama.cpp made for its own.
#include <catch2/catch.hpp>

#include "gguf_vocab.hpp"
#include "golden_text.hpp"
#include "loquor/core/status.hpp"
#include "test_data.hpp"

namespace {

std::string vocabulary_path() { return lq_test::data("tokenizers/ggml-vocab-bert-bge.gguf"); }

void check_goldens(const std::string& name, std::optional<bool> lowercase) {
  LQ_NEED_FILE(vocabulary_path());
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const auto golden = lq_test::golden_json("wordpiece_goldens.json")[name];
  lq::TokenizerData data = lq_test::read_tokenizer(vocabulary_path());
  data.lowercase = lowercase;
  const auto tokenizer = lq::Tokenizer::create(data);
  REQUIRE(golden["plain"].size() == 256);
  for (std::size_t i = 0; i < golden["plain"].size(); i += lq_test::every_golden()) {
    CAPTURE(name, i);
    const auto ids = tokenizer->encode(lq_test::golden_chunk(i, corpus));
    CHECK(lq_test::hash_of(ids) == golden["plain"][i].get<std::string>());
  }
  REQUIRE(golden["sweep"].size() == 0x110000 / lq_test::kSweepBlock);
  for (std::uint32_t block = 0; block < golden["sweep"].size(); block += lq_test::every_golden()) {
    CAPTURE(name, block);
    const auto ids = tokenizer->encode(lq_test::sweep_text(block, {}));
    CHECK(lq_test::hash_of(ids) == golden["sweep"][block].get<std::string>());
  }
}

}  // namespace

TEST_CASE("uncased WordPiece ids equal those of Hugging Face tokenizers", "[text]") {
  check_goldens("uncased", std::nullopt);
}
TEST_CASE("cased WordPiece ids equal those of Hugging Face tokenizers", "[text]") { check_goldens("cased", false); }

TEST_CASE("WordPiece puts texts between [CLS] and [SEP], and knows the tokens by their spelling", "[text]") {
  LQ_NEED_FILE(vocabulary_path());
  const auto tokenizer = lq::Tokenizer::create(lq_test::read_tokenizer(vocabulary_path()));
  using Ids = std::vector<std::int32_t>;
  CHECK(tokenizer->encode("Hello, World!", {.add_special = true}) == Ids{101, 7592, 1010, 2088, 999, 102});
  CHECK(tokenizer->encode("", {.add_special = true}) == Ids{101, 102});
  CHECK(tokenizer->encode("[SEP]") == Ids{1031, 19802, 1033});
  CHECK(tokenizer->encode("[SEP]", {.parse_special = true}) == Ids{102});
  CHECK(tokenizer->decode(tokenizer->encode("Embeddings, twice", {.add_special = true})) == " embeddings , twice");
  CHECK(tokenizer->token_text(7592) == "\xe2\x96\x81hello");
  CHECK(tokenizer->find("\xe2\x96\x81hello") == 7592);
  CHECK(tokenizer->find("hello") == std::nullopt);
  CHECK(tokenizer->encode(std::string(100, 'a')).size() > 1);
  CHECK(tokenizer->encode(std::string(101, 'a')) == Ids{100});
}

TEST_CASE("a WordPiece vocabulary without an unknown token is refused", "[text]") {
  lq::TokenizerData data;
  data.model = "bert";
  data.tokens = {"\xe2\x96\x81", "a"};
  CHECK_THROWS_WITH(lq::Tokenizer::create(data), Catch::Contains("unknown_token_id is missing"));
}
