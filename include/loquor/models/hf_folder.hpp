// Hugging Face checkpoints: a folder with config.json, one or several safetensors files and tokenizer.json, read as if
// it were a GGUF file of the same model.
#pragma once

#include <string>

#include "loquor/formats/gguf.hpp"

namespace lq {

// Whether the path is a folder with a config.json.
bool is_hf_folder(const std::string& path);

// Maps the safetensors files and gives their tensors GGUF's names; weights are views into the files where their rows
// stay in order, copies where not (rotary heads, stacked experts). Norms become F32. Throws
// Error{not_found|io|bad_file|unsupported} naming the file, and the key or tensor: a model type of no family here is
// refused with the list of those known, and so is a tensor that no rule mentions.
GgufFile open_hf_folder(const std::string& path);

// A GGUF file, whole or split, or a Hugging Face folder.
GgufFile open_model_source(const std::string& path, GgufFile::Mode mode = GgufFile::Mode::map);

}  // namespace lq
