// What constrained output costs a token: the mask for every token of some JSON documents, with a fresh grammar and
// again with its masks kept, at one vocabulary. One thread.
//
//   bench_masks MODEL [ROUNDS]      MODEL: a GGUF file, of which only the vocabulary is read
//
// "first" computes every mask, "again" is another matcher over the same documents.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "loquor/core/context.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/model.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/token_masks.hpp"

namespace {

using Clock = std::chrono::steady_clock;

const char* const kPerson =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":60},"age":{"type":"integer",
"minimum":0,"maximum":130},"email":{"type":"string","format":"email"},"tags":{"type":"array","items":{"type":"string"},"maxItems":8},
"address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"},"zip":{"type":"string","pattern":"^[0-9]{5}$"}},
"required":["street","city"],"additionalProperties":false}},"required":["name","age"],"additionalProperties":false})";
const char* const kAny = "true";
const char* const kTree =
    R"({"$defs":{"node":{"type":"object","properties":{"value":{"type":"number"},"children":{"type":"array",
"items":{"$ref":"#/$defs/node"}}},"required":["value","children"],"additionalProperties":false}},"$ref":"#/$defs/node"})";

const char* const kPeople[] = {
    R"({"name": "Ann Example", "age": 42, "email": "ann.example@mail.example.org", "tags": ["one", "two words", "three \"quoted\""], )"
    R"("address": {"street": "12 High Street, upper floor", "city": "Springfield", "zip": "01234"}})",
    "{\n  \"name\": \"Bo\",\n  \"age\": 7,\n  \"tags\": []\n}"};
const char* const kAnything[] = {
    R"({"id": 17, "title": "The quick brown fox jumps over the lazy dog.", "values": [1, 2.5, -3e10, null, true], "nested": {"a": [[[{"b": "c"}]]], "text": )"
    R"("It was the best of times, it was the worst of times,\nit was the age of wisdom"}})"};
const char* const kTrees[] = {
    R"({"value": 1, "children": [{"value": 2, "children": [{"value": 3.25, "children": []}, {"value": 4, "children": [{"value": 5, "children": []}]}]}]})"};

double us(Clock::time_point from) { return std::chrono::duration<double, std::micro>(Clock::now() - from).count(); }

struct Run {
  std::vector<double> times;
  std::string row() {
    std::sort(times.begin(), times.end());
    const auto at = [&](double q) {
      return times[static_cast<std::size_t>(q * static_cast<double>(times.size() - 1))];
    };
    char out[100];
    std::snprintf(out, sizeof out, "%8.1f %8.1f %8.1f", at(0.5), at(0.99), times.back());
    return out;
  }
};

void measure(const lq::TokenMasks& masks, const lq::Tokenizer& tokenizer, std::span<const char* const> documents,
             Run& run) {
  for (const char* text : documents) {
    lq::Matcher matcher(masks.automaton());
    for (std::int32_t id : tokenizer.encode(text)) {
      const auto begin = Clock::now();
      const auto mask = masks.mask(matcher);
      LQ_CHECK(mask->allows(id), lq::Code::internal,
               "a token of the document is not allowed: ", tokenizer.token_bytes(id));
      matcher.push(tokenizer.token_bytes(id));
      run.times.push_back(us(begin));
    }
  }
}

void bench(const char* name, const char* schema, std::span<const char* const> documents, const lq::Tokenizer& tokenizer,
           const std::shared_ptr<const lq::TokenTrie>& trie, int rounds) {
  Run first, again;
  std::vector<double> compile;
  std::size_t states = 0, bytes = 0;
  for (int r = 0; r < rounds; ++r) {
    const auto begin = Clock::now();
    const auto grammar = lq::Grammar::from_json_schema(schema);
    compile.push_back(us(begin) / 1e3);
    const lq::TokenMasks masks(grammar->automaton(), trie);
    measure(masks, tokenizer, documents, first);
    measure(masks, tokenizer, documents, again);
    states = grammar->automaton()->states.size();
    bytes = masks.cached_bytes();
  }
  std::sort(compile.begin(), compile.end());
  std::printf("%-10s %7.1f %7zu %8zu  %s  %s\n", name, compile[compile.size() / 2], states, bytes >> 10,
              first.row().c_str(), again.row().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: bench_masks MODEL [ROUNDS]\n"), 2;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  try {
    lq::ModelOptions options;
    options.vocab_only = true;
    const auto model = lq::Model::load(std::make_shared<lq::Context>(), argv[1], options);
    const auto begin = Clock::now();
    const auto trie = lq::TokenTrie::build(*model->tokenizer());
    std::printf("vocabulary %zu, trie of %zu nodes made in %.1f ms\n", trie->n_vocab, trie->nodes.size(),
                us(begin) / 1e3);
    std::printf("%-10s %7s %7s %8s  %26s  %26s\n", "schema", "ms", "states", "KiB kept", "first, us: p50 p99 max",
                "again, us: p50 p99 max");
    bench("person", kPerson, kPeople, *model->tokenizer(), trie, rounds);
    bench("any JSON", kAny, kAnything, *model->tokenizer(), trie, rounds);
    bench("tree", kTree, kTrees, *model->tokenizer(), trie, rounds);
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
