// What a family's file provides: hyper-parameters from metadata, and the names its tensors have. Private to lib/models.
#pragma once

#include <span>
#include <string_view>

#include "hf_family.hpp"
#include "loquor/models/decoder.hpp"

namespace lq {

class Metadata;  // metadata.hpp

// Names within one layer, after "blk.<i>."; "" = the family has no such tensor.
struct LayerNames {
  std::string_view attn_norm = "attn_norm.weight";
  std::string_view q = "attn_q", k = "attn_k", v = "attn_v", o = "attn_output";  // + ".weight", optional ".bias"
  std::string_view ffn_norm = "ffn_norm.weight";
  std::string_view gate = "ffn_gate", up = "ffn_up", down = "ffn_down";  // + ".weight", optional ".bias"
};

struct ModelNames {
  std::string_view embedding = "token_embd.weight";
  std::string_view head = "output.weight";  // absent: tied to the embedding
  std::string_view final_norm = "output_norm.weight";
  std::string_view rope_factors = "rope_freqs.weight";  // optional: divisors of the rotary frequencies (llama3)
  LayerNames layer;
};

struct Family {
  std::string_view name;
  // Reads and bounds every hyper-parameter; n_vocab and tied_embedding are filled in from the tensors afterwards.
  DecoderSpec (*read_spec)(const Metadata& meta);
  ModelNames names;
  HfImport hf = {};  // from which checkpoints it is made
};

#define LQ_FAMILY(arch) extern const Family family_##arch;
#include "loquor/models/families.def"
#undef LQ_FAMILY

// What every family of the Llama shape declares: sizes, heads (attention.key_length where it is given), rotary base and
// width, norm epsilon, each bounded. Throws Error{bad_file|unsupported} naming the key.
DecoderSpec read_llama_like(const Metadata& meta, RopeStyle rope_style);

std::span<const Family* const> families() noexcept;
// Throws Error{unsupported} naming `arch` and the families there are.
const Family& find_family(std::string_view arch);

}  // namespace lq
