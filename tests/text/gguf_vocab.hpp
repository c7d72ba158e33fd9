// Reads the tokenizer of a GGUF file for the tests of text/, which may not depend on formats/. Trusts the file.
#pragma once

#include <memory>
#include <string>

#include "loquor/text/tokenizer.hpp"

namespace lq_test {

// Views in the result point into `keep_alive`.
lq::TokenizerData read_tokenizer(const std::string& path);

}  // namespace lq_test
