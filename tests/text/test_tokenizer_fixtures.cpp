// The tokenizer against the fixtures that llama.cpp made for its own (../shared/data/tokenizers).
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "gguf_vocab.hpp"
#include "test_data.hpp"

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

std::vector<std::int32_t> ids_of_line(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::int32_t> ids;
  for (std::int32_t id; in >> id;) ids.push_back(id);
  return ids;
}

void check_fixture(const std::string& kind, bool lossless = true) {
  const std::string path = lq_test::data("tokenizers/ggml-vocab-" + kind + ".gguf");
  LQ_NEED_FILE(path);
  const auto tokenizer = lq::Tokenizer::create(lq_test::read_tokenizer(path));
  const std::string texts = read_file(path + ".inp"), separator = "\n__ggml_vocab_test__\n";
  std::istringstream expected(read_file(path + ".out"));
  int cases = 0;
  for (std::size_t at = 0, end; (end = texts.find(separator, at)) != std::string::npos; at = end + separator.size()) {
    const std::string text = texts.substr(at, end - at);
    std::string line;
    REQUIRE(std::getline(expected, line));
    CAPTURE(kind, cases, text);
    const auto ids = tokenizer->encode(text);
    CHECK(ids == ids_of_line(line));
    if (lossless) CHECK(tokenizer->decode(ids) == text);
    ++cases;
  }
  CHECK(cases == 46);
}

}  // namespace

TEST_CASE("gpt-2 ids equal the fixtures", "[text]") { check_fixture("gpt-2"); }
TEST_CASE("llama-bpe ids equal the fixtures", "[text]") { check_fixture("llama-bpe"); }
TEST_CASE("qwen2 ids equal the fixtures", "[text]") { check_fixture("qwen2"); }
TEST_CASE("starcoder ids equal the fixtures", "[text]") { check_fixture("starcoder"); }
TEST_CASE("bert-bge ids equal the fixtures", "[text]") { check_fixture("bert-bge", false); }
TEST_CASE("llama-spm ids equal the fixtures", "[text]") { check_fixture("llama-spm"); }
TEST_CASE("mpt ids equal the fixtures", "[text]") { check_fixture("mpt"); }
