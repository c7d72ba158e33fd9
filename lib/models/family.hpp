// What a family's file provides: hyper-parameters from metadata, and how checkpoints become its files. Tensors have the
// same names in all families (weights.cpp). Private to lib/models.
#pragma once

#include <span>
#include <string_view>

#include "hf_family.hpp"
#include "loquor/models/decoder.hpp"

namespace lq {

class Metadata;  // metadata.hpp

struct Family {
  std::string_view name;
  // Reads and bounds every hyper-parameter; n_vocab and tied_embedding are filled in from the tensors afterwards.
  DecoderSpec (*read_spec)(const Metadata& meta);
  HfImport hf = {};  // from which checkpoints it is made
};

#define LQ_FAMILY(arch) extern const Family family_##arch;
#include "loquor/models/families.def"
#undef LQ_FAMILY

// What every family declares: sizes, heads (attention.key_length where it is given), rotary base, width and scaling,
// norm epsilon, window, scales and caps, each bounded. Throws Error{bad_file|unsupported} naming the key.
DecoderSpec read_common(const Metadata& meta, RopeStyle rope_style);
DecoderSpec read_with_layer_norm(const Metadata& meta, RopeStyle rope_style);

std::span<const Family* const> families() noexcept;
// Throws Error{unsupported} naming `arch` and the families there are.
const Family& find_family(std::string_view arch);

}  // namespace lq
