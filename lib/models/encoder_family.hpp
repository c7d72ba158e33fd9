// What an encoder family's file provides: hyper-parameters from metadata, and the names its tensors have. Private to
// lib/models.
#pragma once

#include <string_view>

#include "hf_family.hpp"
#include "loquor/models/encoder.hpp"

namespace lq {

class Metadata;  // metadata.hpp

struct EncoderNames {
  std::string_view embedding = "token_embd.weight";
  std::string_view types = "token_types.weight";  // optional
  std::string_view positions = "position_embd.weight";
  std::string_view embedding_norm = "token_embd_norm";  // norms: + ".weight", ".bias"
  // Within a layer, after "blk.<i>.".
  std::string_view q = "attn_q", k = "attn_k", v = "attn_v", o = "attn_output", up = "ffn_up", down = "ffn_down";
  std::string_view attn_norm = "attn_output_norm", ffn_norm = "layer_output_norm";  // after the residual sums
};

struct EncoderFamily {
  std::string_view name;
  // Reads and bounds every hyper-parameter; n_vocab and n_types are filled in from the tensors afterwards.
  EncoderSpec (*read_spec)(const Metadata& meta);
  EncoderNames names;
  HfImport hf = {};  // from which checkpoints it is made
};

#define LQ_ENCODER(arch) extern const EncoderFamily encoder_##arch;
#include "loquor/models/encoders.def"
#undef LQ_ENCODER

std::span<const EncoderFamily* const> encoder_families() noexcept;
// nullptr if there is none of that name.
const EncoderFamily* find_encoder_family(std::string_view arch) noexcept;

}  // namespace lq
