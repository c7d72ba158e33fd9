// The tokenizer against Hugging Face `tokenizers` on 1 MB of mixed text and on every code point. The golden file names
// the script and the versions that made it.
#include <catch2/catch.hpp>

#include "gguf_vocab.hpp"
#include "golden_text.hpp"
#include "test_data.hpp"

namespace {

std::string vocabulary_path(const std::string& name) {
  return name == "smollm2" ? lq_test::model_path() : lq_test::data("tokenizers/ggml-vocab-" + name + ".gguf");
}

void check_vocabulary(const std::string& name) {
  const std::string path = vocabulary_path(name);
  LQ_NEED_FILE(path);
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const auto goldens = lq_test::golden_json("tokenizer_goldens.json");
  const auto& golden = goldens["vocabularies"][name];
  const auto tokenizer = lq::Tokenizer::create(lq_test::read_tokenizer(path));
  REQUIRE(tokenizer->pre() == golden["pre"].get<std::string>());

  CHECK(goldens["bytes"].get<std::size_t>() > 1000000);
  REQUIRE(goldens["text"].size() == 256);
  for (std::size_t i = 0; i < goldens["text"].size(); i += lq_test::every_golden()) {
    const std::string text = lq_test::golden_chunk(i, corpus);
    CAPTURE(name, i);
    REQUIRE(lq_test::hash_of(text) == goldens["text"][i].get<std::string>());  // else the generators differ
    const auto plain = tokenizer->encode(text), special = tokenizer->encode(text, {.parse_special = true});
    CHECK(lq_test::hash_of(plain) == golden["plain"][i].get<std::string>());
    CHECK(lq_test::hash_of(special) == golden["special"][i].get<std::string>());
    CHECK(tokenizer->decode(plain) == text);
    CHECK(tokenizer->decode(special, true) == text);
  }

  std::set<int> missing;
  for (const int b : golden["missing_bytes"]) missing.insert(b);
  REQUIRE(golden["sweep"].size() == 0x110000 / lq_test::kSweepBlock);
  for (std::uint32_t block = 0; block < golden["sweep"].size(); block += lq_test::every_golden()) {
    CAPTURE(name, block);
    const std::string text = lq_test::sweep_text(block, missing);
    CHECK(lq_test::hash_of(tokenizer->encode(text)) == golden["sweep"][block].get<std::string>());
  }
}

}  // namespace

TEST_CASE("SmolLM2 ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("smollm2"); }
TEST_CASE("GPT-2 ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("gpt-2"); }
TEST_CASE("Llama 3 ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("llama-bpe"); }
TEST_CASE("Qwen2 ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("qwen2"); }
TEST_CASE("StarCoder ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("starcoder"); }
TEST_CASE("MPT ids equal those of Hugging Face tokenizers", "[text]") { check_vocabulary("mpt"); }

TEST_CASE("SmolLM2 spells short texts as Hugging Face tokenizers does", "[text]") {
  LQ_NEED_FILE(lq_test::model_path());
  const auto corpus = lq_test::golden_json("tokenizer_corpus.json");
  const auto cases = lq_test::golden_json("tokenizer_goldens.json")["vocabularies"]["smollm2"]["cases"];
  const auto tokenizer = lq::Tokenizer::create(lq_test::read_tokenizer(lq_test::model_path()));
  std::vector<std::string> texts = corpus["fragments"];
  for (const auto& s : corpus["specials"]) texts.push_back(s);
  REQUIRE(cases.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CAPTURE(texts[i]);
    CHECK(tokenizer->encode(texts[i]) == cases[i].get<std::vector<std::int32_t>>());
  }
}
