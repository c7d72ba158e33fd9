// How fast the tokenizer is: bench_tokenizer MODEL.gguf TEXT... [--reps N]
// For each text one line of JSON: bytes, tokens, MB/s of the first call and of the best of N, one thread, text in
// memory; the first line says how long building the tokenizer took. `compare --rows K1` sets other libraries beside it.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>
#include <iterator>

#include "loquor/core/status.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/text/tokenizer.hpp"

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string read_file(const char* path) {
  std::ifstream in(path, std::ios::binary);
  LQ_CHECK(in, lq::Code::io, "can't read ", path);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class T>
T required(std::optional<T> value, const char* key) {
  LQ_CHECK(value, lq::Code::bad_file, "the file has no usable ", key);
  return std::move(*value);
}

const lq::GgufValue& find(const lq::GgufFile& file, const char* key) {
  const lq::GgufValue* value = file.find(key);
  LQ_CHECK(value, lq::Code::bad_file, "the file has no ", key);
  return *value;
}

lq::TokenizerData read_tokenizer(const lq::GgufFile& file) {
  lq::TokenizerData data;
  data.model = required(find(file, "tokenizer.ggml.model").as_string(), "tokenizer.ggml.model");
  data.pre = required(find(file, "tokenizer.ggml.pre").as_string(), "tokenizer.ggml.pre");
  data.tokens = required(find(file, "tokenizer.ggml.tokens").as_strings(), "tokenizer.ggml.tokens");
  data.merges = required(find(file, "tokenizer.ggml.merges").as_strings(), "tokenizer.ggml.merges");
  for (const std::int64_t t :
       required(find(file, "tokenizer.ggml.token_type").as_ints(), "tokenizer.ggml.token_type")) {
    data.types.push_back(static_cast<std::int32_t>(t));
  }
  return data;
}

void bench_text(const lq::Tokenizer& tokenizer, const char* path, int reps) {
  const std::string text = read_file(path);
  std::vector<std::int32_t> ids;
  double first = 0, best = 1e9;
  for (int i = 0; i < reps; ++i) {
    const double start = now();
    ids = tokenizer.encode(text);
    const double took = now() - start;
    if (i == 0) first = took;
    best = std::min(best, took);
  }
  const double start = now();
  const std::string back = tokenizer.decode(ids);
  const double decode = now() - start, mb = static_cast<double>(text.size()) / 1e6;
  std::printf(
      "{\"text\":\"%s\",\"bytes\":%zu,\"tokens\":%zu,\"first_mb_per_s\":%.1f,\"mb_per_s\":%.1f,"
      "\"decode_mb_per_s\":%.1f,\"round_trip\":%s}\n",
      path, text.size(), ids.size(), mb / first, mb / best, mb / decode, back == text ? "true" : "false");
}

}  // namespace

int main(int argc, char** argv) try {
  int reps = 10;
  std::vector<const char*> paths;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--reps") == 0 && i + 1 < argc) {
      const char* n = argv[++i];
      std::from_chars(n, n + std::strlen(n), reps);
    } else {
      paths.push_back(argv[i]);
    }
  }
  if (paths.size() < 2 || reps < 1) {
    std::fprintf(stderr, "usage: bench_tokenizer MODEL.gguf TEXT... [--reps N]\n");
    return 2;
  }
  const lq::GgufFile file = lq::GgufFile::open(paths[0]);
  const double start = now();
  const auto tokenizer = lq::Tokenizer::create(read_tokenizer(file));
  std::printf("{\"model\":\"%s\",\"vocabulary\":%zu,\"load_ms\":%.2f}\n", paths[0], tokenizer->vocab_size(),
              (now() - start) * 1e3);
  for (std::size_t i = 1; i < paths.size(); ++i) bench_text(*tokenizer, paths[i], reps);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "bench_tokenizer: %s\n", e.what());
  return 3;
}
