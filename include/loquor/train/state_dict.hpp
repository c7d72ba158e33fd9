// Parameters in safetensors files, under torch's names. Throws Error{io|not_found|bad_file|mismatch}.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "loquor/formats/safetensors.hpp"
#include "loquor/nn/network.hpp"

namespace lq {

using Metadata = std::vector<std::pair<std::string, std::string>>;

// Writes all parameters as F32; the file appears complete or not at all.
void save_parameters(const std::string& path, const nn::Parameters& parameters, const Metadata& metadata = {});

// Reads every parameter from the tensor of its name. Error{mismatch} names the first parameter without a tensor of its
// shape, or the first tensor that no parameter takes; then nothing has been changed. A network of one layer also takes
// its tensors without the leading "0.", as torch names those of a module that is in no Sequential. Checkpoints are
// taken too.
void load_parameters(const std::string& path, nn::Parameters& parameters);

// The same with the description in the metadata ("loquor.network"), from which load_network() makes the network.
void save_network(const std::string& path, const nn::Network& network);
std::unique_ptr<nn::Network> load_network(const Context& ctx, const std::string& path);

}  // namespace lq
