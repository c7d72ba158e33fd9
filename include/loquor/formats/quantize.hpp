// Rewriting a GGUF file with its weights in another element type. Keys, tensor names, shapes and order stay; only
// general.file_type and general.quantization_version change. Memory does not grow with the file.
//
// Which tensors become what follows llama.cpp's quantiser where the type is known here:
//   - only tensors named *.weight with at least two dimensions are converted; norms, expert gates, position and
//     token-type embeddings and small recurrent weights stay as they are, as does all that has the type already;
//   - the head (output.weight or, if there is none, token_embd.weight) gets a type of its own: Q8_0 for a 4-bit type
//     (llama.cpp has Q6_K where rows are a multiple of 256, else Q8_0 as well), otherwise the type asked for;
//   - rows that are not a multiple of the type's block become F16, which llama.cpp refuses.
// Weights may be changed on the way (WeightEdit), which is how adapters are merged (models/merge.hpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "loquor/core/context.hpp"
#include "loquor/core/dtype.hpp"
#include "loquor/formats/gguf.hpp"

namespace lq {

class WeightEdit {
 public:
  virtual ~WeightEdit() = default;
  virtual bool changes(std::string_view tensor) const noexcept = 0;
  // values (columns): row `row` of a matrix that it changes, in place. Called from several threads.
  virtual void apply(std::string_view tensor, std::size_t row, std::span<float> values) const noexcept = 0;
};

struct QuantizeOptions {
  // F32, F16, BF16, Q8_0, Q4_0, Q4_1. Not set: each tensor keeps its own, only what `edit` changes and cannot be written
  // in its own becomes Q8_0.
  std::optional<DType> type = DType::Q8_0;
  std::optional<DType> head;  // as described above if not set
  const WeightEdit* edit = nullptr;
  std::function<bool(float)> progress;  // fraction, on the calling thread; false stops
  const std::atomic<bool>* cancel = nullptr;
};

struct QuantizeResult {
  std::size_t tensors = 0;
  std::size_t converted = 0;    // of them; the others were copied
  std::size_t requantized = 0;  // from one block type to another, so rounded twice
  std::size_t edited = 0;       // changed by the edit
  std::size_t odd = 0;          // converted ones that became F16 because of their row length
  DType head = DType::F32;      // the type the head has now
  std::uint64_t source_bytes = 0, target_bytes = 0;
};

// Writes `target`, replacing it only when complete. `source` is a path, mapped: it must not be truncated meanwhile.
// A split model becomes one file. Throws Error{invalid_argument} for a type that cannot be written and for a target that
// is the source or not a regular file; {bad_file} for a weight that the type cannot hold, naming
// tensor and row; {cancelled}; and what opening the source, writing the target and allocating can throw.
QuantizeResult quantize_gguf(const Context& ctx, const GgufFile& source, const std::string& target,
                             const QuantizeOptions& options);
QuantizeResult quantize_file(const Context& ctx, const std::string& source, const std::string& target,
                             const QuantizeOptions& options);

}  // namespace lq
