// Merging LoRA adapters into a model file: W + the sum of scale * alpha / rank * B A, written as a model of its own.
#pragma once

#include <span>
#include <string>

#include "loquor/formats/quantize.hpp"

namespace lq {

struct MergePart {
  std::string path;  // as Adapter::load takes it (models/adapter.hpp)
  float scale = 1;
};

// Writes `target` as quantize_gguf does, with the adapters in its weights; options.edit is ignored. The sums are rounded
// to the type of the matrix in `target`: in F16 or Q8_0 next to nothing is lost, in 4 bits small changes may be.
// Throws as quantize_gguf and Adapter::load; Error{invalid_argument} without adapters and for a scale that is not finite.
QuantizeResult merge_adapters(const Context& ctx, const GgufFile& source, std::span<const MergePart> adapters,
                              const std::string& target, const QuantizeOptions& options);

}  // namespace lq
