// tokenizer.json and its neighbours as GGUF's tokenizer keys. Private to lib/models.
#pragma once

#include <string>
#include <vector>

#include "hf_config.hpp"
#include "loquor/formats/gguf_writer.hpp"

namespace lq {

// Throws Error{not_found|bad_file|unsupported} naming the file and what of it is not supported.
void write_hf_tokenizer(const std::string& folder, const HfConfig& config, GgufWriter& writer);

// The values of "weight_map" in model.safetensors.index.json.
std::vector<std::string> hf_index_files(const HfConfig& index);

}  // namespace lq
