// A model file made ready for use: tokenizer, weights, chat template. Immutable; shareable between threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "loquor/core/context.hpp"
#include "loquor/formats/gguf.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/grammar/token_masks.hpp"
#include "loquor/models/decoder.hpp"
#include "loquor/models/encoder.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq {

struct ModelOptions : LoadOptions {
  bool vocab_only = false;    // tokenizer and metadata; decoder() and encoder() are then null
  bool private_copy = false;  // read the file instead of mapping it
};

class Model {
 public:
  // `source` is a name of the catalogue, the path of a GGUF file (of a split model: its first part) or of a Hugging
  // Face folder (models/hf_folder.hpp). Throws Error{not_found|io|bad_file|unsupported|out_of_memory| cancelled}.
  static std::shared_ptr<const Model> load(std::shared_ptr<const Context> ctx, const std::string& source,
                                           const ModelOptions& options = {});
  // A GGUF file in memory, which must stay unchanged for the life of the model.
  static std::shared_ptr<const Model> load(std::shared_ptr<const Context> ctx, std::span<const std::byte> gguf,
                                           const ModelOptions& options = {});
  ~Model();

  const std::shared_ptr<const Context>& context() const noexcept;
  const GgufFile& file() const noexcept;
  const std::shared_ptr<const Tokenizer>& tokenizer() const noexcept;
  const std::shared_ptr<const Decoder>& decoder() const noexcept;  // null for text encoders
  const std::shared_ptr<const Encoder>& encoder() const noexcept;  // null for language models
  // The source of the model's own chat template; "" if it has none.
  const std::string& chat_template() const noexcept;
  // The grammar's masks over this model's vocabulary: made when first asked for and kept while the grammar lives, so
  // that all generations with it share what is worked out. Never null. Safe from several threads.
  std::shared_ptr<const TokenMasks> token_masks(const std::shared_ptr<const Grammar>& grammar) const;
  double load_ms() const noexcept;

 private:
  struct Impl;
  static std::shared_ptr<const Model> finish(std::shared_ptr<const Context> ctx, GgufFile file,
                                             const ModelOptions& options, std::chrono::steady_clock::time_point begin);
  explicit Model(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
