// The tokenizer's part of a GGUF file's metadata.
#pragma once

#include "loquor/formats/gguf.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

// Views into the file. Throws Error{bad_file} naming the key that is missing or of the wrong type.
TokenizerData read_tokenizer(const GgufFile& file);

}  // namespace lq
