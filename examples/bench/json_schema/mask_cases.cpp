// What the grammars of JSON Schemas say of given texts, what their masks cost, and texts drawn at random under them:
// loquor's part of examples/bench/json_schema, which checks and compares it. One thread.
//
//   mask_cases MODEL SAMPLES < cases      MODEL: a GGUF file, of which only the vocabulary is read
//
// A case is a line with the schema, a line for each text (JSON without line ends) and an empty line. For each case:
// "refused TAB message", or "compiled TAB milliseconds", a line "yes|no TAB first,... TAB again,..." for each text (the
// microseconds of mask and token, for masks made first and kept; without them where the text is not one of the
// grammar), a line "drawn TAB text" for each random text that ended, and an empty line.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include "loquor/core/context.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/model.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/token_masks.hpp"

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kMaxTokens = 300;

double us(Clock::time_point from) { return std::chrono::duration<double, std::micro>(Clock::now() - from).count(); }

void print_times(const lq::TokenMasks& masks, const lq::Tokenizer& tokenizer, const std::string& text) {
  lq::Matcher matcher(masks.automaton());
  const char* separator = "\t";
  for (std::int32_t id : tokenizer.encode(text)) {
    const auto begin = Clock::now();
    const auto mask = masks.mask(matcher);
    LQ_CHECK(mask->allows(id), lq::Code::internal, "a token of an accepted text is masked: ", text);
    matcher.push(tokenizer.token_bytes(id));
    std::printf("%s%.2f", separator, us(begin));
    separator = ",";
  }
}

// A token of the mask: of all alike, or, as else few texts would come to an end, of those that are a single byte.
std::int32_t draw(const lq::TokenMask& mask, const lq::Tokenizer& tokenizer, lq::Random& random) {
  std::vector<std::int32_t> all, single;
  for (std::size_t id = 0; id < mask.words.size() * 64; ++id) {
    if (!mask.allows(static_cast<std::int32_t>(id))) continue;
    all.push_back(static_cast<std::int32_t>(id));
    const auto bytes = tokenizer.token_bytes(static_cast<std::int32_t>(id));
    if (bytes.size() == 1 && std::string_view("\"]},:0").find(bytes[0]) != std::string_view::npos)
      single.push_back(static_cast<std::int32_t>(id));
  }
  const auto& from = !single.empty() && random.uniform() < 0.5 ? single : all;
  return from.empty() ? -1 : from[random.next() % from.size()];
}

void print_drawn(const lq::TokenMasks& masks, const lq::Tokenizer& tokenizer, lq::Random& random) {
  lq::Matcher matcher(masks.automaton());
  std::string text;
  for (int i = 0; i < kMaxTokens; ++i) {
    if (matcher.can_end() && (!matcher.can_go_on() || random.uniform() < 0.3)) break;
    const std::int32_t id = draw(*masks.mask(matcher), tokenizer, random);
    if (id < 0) break;
    LQ_CHECK(matcher.push(tokenizer.token_bytes(id)), lq::Code::internal, "a token of the mask is not taken after ",
             text);
    text += tokenizer.token_bytes(id);
  }
  if (!matcher.can_end()) return;
  for (char& c : text)
    if (c == '\n' || c == '\r' || c == '\t') c = ' ';  // between tokens only: in strings they are escaped
  std::printf("drawn\t%s\n", text.c_str());
}

void run(const std::string& schema, const std::vector<std::string>& texts, const lq::Tokenizer& tokenizer,
         const std::shared_ptr<const lq::TokenTrie>& trie, int samples) {
  try {
    const auto begin = Clock::now();
    const auto grammar = lq::Grammar::from_json_schema(schema);
    const lq::TokenMasks masks(grammar->automaton(), trie);
    std::printf("compiled\t%.3f\n", us(begin) / 1e3);
    for (const std::string& text : texts) {
      const bool is_one = grammar->accepts(text);
      std::printf(is_one ? "yes" : "no");
      for (int round = 0; is_one && round < 2; ++round) print_times(masks, tokenizer, text);
      std::printf("\n");
    }
    lq::Random random(schema.size());
    for (int i = 0; i < samples; ++i) print_drawn(masks, tokenizer, random);
  } catch (const lq::Error& e) {
    std::printf("refused\t%s\n", e.what());
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: mask_cases MODEL SAMPLES < cases\n"), 2;
  try {
    lq::ModelOptions options;
    options.vocab_only = true;
    const auto model = lq::Model::load(std::make_shared<lq::Context>(), argv[1], options);
    const auto trie = lq::TokenTrie::build(*model->tokenizer());
    std::vector<std::string> lines;
    for (std::string line; std::getline(std::cin, line);) {
      if (!line.empty()) {
        lines.push_back(line);
        continue;
      }
      if (lines.empty()) continue;
      run(lines[0], {lines.begin() + 1, lines.end()}, *model->tokenizer(), trie, std::atoi(argv[2]));
      lines.clear();
    }
  } catch (const std::exception& e) {
    return std::fprintf(stderr, "%s\n", e.what()), 1;
  }
}
