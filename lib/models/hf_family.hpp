// How a Hugging Face checkpoint becomes a file of a family: which model types it takes, which keys it writes, and what
// becomes of each tensor. Private to lib/models.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "hf_config.hpp"

namespace lq {

// Keys of the file being made, each after "<architecture>.".
class HfKeys {
 public:
  virtual void u32(std::string_view name, std::size_t value) = 0;
  virtual void f32(std::string_view name, double value) = 0;
  virtual void flag(std::string_view name, bool value) = 0;
  virtual void text(std::string_view name, std::string_view value) = 0;
  virtual void f32s(std::string_view name, std::span<const double> values) = 0;
  virtual void i32s(std::string_view name, std::span<const std::int32_t> values) = 0;
  // A tensor of fp32 numbers that the checkpoint has only as settings.
  virtual void vector(std::string_view name, std::span<const double> values) = 0;

 protected:
  ~HfKeys() = default;
};

enum class HfTransform : std::uint8_t {
  none,
  skip,        // of no use here
  pairs_q,     // rows of query heads: rotary halves become neighbours
  pairs_k,     // of key heads
  plus_one,    // norms that multiply by 1 + w
  transposed,  // (in, out), as GPT-2 has its matrices
  from_row_2,  // without the first two rows
  head_qkv,    // rows of q, k and v head by head become all q, all k, all v (GPT-NeoX, StableLM's kin)
  group_qkv,   // the same, but groups of query heads with their key and value head (Falcon)
  stack        // one of several experts' matrices, put on one another
};

// '#' in names stands for a number: the layer, and for experts a second one, only in `from`.
struct HfRule {
  std::string_view from, to;  // `from` without "model.", "transformer." and the like (HfImport::prefixes)
  HfTransform transform = HfTransform::none;
};

struct HfImport {
  std::string_view types;     // values of config.json's "model_type", separated by spaces
  std::string_view prefixes;  // in front of tensors' names in some checkpoints, separated by spaces
  void (*write_keys)(const HfConfig& config, HfKeys& keys) = nullptr;
  std::span<const HfRule> rules;

  bool takes(std::string_view model_type) const noexcept;
};

// The rule for a checkpoint's tensor and the name it gets; nullptr: there is none.
const HfRule* find_rule(const HfImport& import, std::string_view tensor, std::string& to);

}  // namespace lq
