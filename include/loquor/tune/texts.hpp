// Texts to fine-tune a language model on: lines of JSON made into tokens, some of which are to be learnt.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loquor/generate/model.hpp"
#include "loquor/train/dataset.hpp"

namespace lq {

struct TuneText {
  std::vector<std::int32_t> tokens;
  std::vector<std::uint8_t> learnt;  // as many: non-zero for a token whose prediction counts
};

struct TuneTexts {
  std::vector<TuneText> texts;
  std::size_t lines = 0;     // that held an example
  std::size_t too_long = 0;  // left out: over the limit of tokens
  std::size_t empty = 0;     // left out: nothing in them to learn
  std::size_t tokens = 0, learnt = 0;
};

struct TuneFormat {
  std::size_t max_tokens = 512;  // a longer text is left out, and counted
  bool completions_only = true;  // else prompts and what users say are learnt too
};

// Reads JSONL. Each line is one of
//   {"messages": [{"role", "content"}, ...]}  by the model's chat template; learnt: what the assistant says, to the
//   token
//                                             that ends its turn
//   {"prompt": text, "completion": text}      as they are; learnt: the completion and the token that ends a text
//   {"text": text}                            learnt: all of it and the token that ends it
// In the last two, "end": false leaves out the token that ends a text, for pieces that go on elsewhere.
// Throws Error{io}, Error{bad_file} naming file and line, Error{not_found} for messages without a chat template,
// Error{limit}.
TuneTexts read_tune_texts(const Model& model, const std::string& path, const TuneFormat& format);

// Rows for LoraModel: x (2, length) ids and positions, y (length) ids or -1. With `pack` a row holds as many texts as
// fit, which do not see each other; otherwise one. `length` is at least the longest text's. Copied.
std::unique_ptr<Dataset> packed_dataset(std::span<const TuneText> texts, std::size_t length, bool pack);

}  // namespace lq
