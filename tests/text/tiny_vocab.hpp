// A small byte-level vocabulary made in memory, for tests that need no model file.
#pragma once

#include <deque>
#include <string>

#include "loquor/text/tokenizer.hpp"

namespace lq_test {

// The 256 bytes (ids 0-255 in byte order), then "<|end|>" (256, control), "<added>" (257, user-defined), and the
// tokens of `merges` ("a b" in the byte alphabet) in order. The views live as long as the object.
class TinyVocab {
 public:
  explicit TinyVocab(const std::vector<std::string>& merges = {}) {
    for (int b = 0; b < 256; ++b) add(lq::encode_byte_alphabet(std::string(1, static_cast<char>(b))), 1);
    add("<|end|>", 3);
    add("<added>", 4);
    for (const std::string& m : merges) {
      std::string joined = m;
      joined.erase(joined.find(' ', 1), 1);
      add(joined, 1);
      data.merges.push_back(keep(m));
    }
    data.model = "gpt2";
    data.pre = "gpt-2";
  }
  TinyVocab(const TinyVocab&) = delete;
  TinyVocab& operator=(const TinyVocab&) = delete;

  std::int32_t add(const std::string& text, std::int32_t type) {
    data.tokens.push_back(keep(text));
    data.types.push_back(type);
    return static_cast<std::int32_t>(data.tokens.size() - 1);
  }
  std::string_view keep(const std::string& s) { return texts_.emplace_back(s); }
  std::shared_ptr<const lq::Tokenizer> make() const { return lq::Tokenizer::create(data); }

  lq::TokenizerData data;

 private:
  std::deque<std::string> texts_;
};

}  // namespace lq_test
