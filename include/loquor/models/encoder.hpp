// Text encoders of the BERT family: every token of a text sees all others, nothing is generated. `Encoder` holds packed
// weights (immutable, shareable between threads); `Encoder::Pass` is the workspace of one user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "loquor/core/context.hpp"
#include "loquor/core/tensor.hpp"
#include "loquor/models/load_options.hpp"

namespace lq {

class GgufFile;
struct AttentionWatch;

// How a text's hidden states become one vector.
enum class Pooling : int { none = 0, mean = 1, cls = 2, last = 3 };

struct EncoderSpec {
  std::string arch;  // "bert"
  std::size_t n_vocab = 0, n_layer = 0, d_model = 0, n_head = 0, head_dim = 0, d_ff = 0;
  std::size_t n_ctx = 0;    // the longest text, in tokens
  std::size_t n_types = 0;  // token types; texts have type 0
  float norm_eps = 1e-12f;
  bool gelu_tanh = false;  // else the exact one
  Pooling pooling = Pooling::mean;
};

class Encoder {
 public:
  // Whether files of this architecture are encoders.
  static bool knows(std::string_view arch) noexcept;
  // Reads spec and tensors, checks every shape, packs the weights. Throws
  // Error{bad_file|unsupported|out_of_memory|cancelled} naming the key or tensor, expected and found. `beside` runs on
  // one of the threads while the others pack; what it throws ends the load.
  static std::shared_ptr<const Encoder> load(std::shared_ptr<const Context> ctx, const GgufFile& file,
                                             const LoadOptions& options = {}, const std::function<void()>& beside = {});
  // The spec alone: no weights are touched.
  static EncoderSpec read_spec(const GgufFile& file);
  // Bytes of packed weights + tables that load() will allocate for this file.
  static std::size_t weight_bytes(const GgufFile& file);

  ~Encoder();
  const EncoderSpec& spec() const noexcept;
  const Context& context() const noexcept;
  // Identifies the weights, as Decoder::fingerprint.
  std::uint64_t fingerprint() const noexcept;

  class Pass;

 private:
  struct Impl;
  explicit Encoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// One batch of texts at a time. A text's result is the same bits whatever texts are beside it. Not thread-safe.
class Encoder::Pass {
 public:
  static constexpr std::size_t kMaxTexts = 256;  // of one batch
  // Workspace for up to max_rows tokens at once, allocated here, nothing later. Throws
  // Error{invalid_argument|out_of_memory}.
  Pass(std::shared_ptr<const Encoder> model, std::size_t max_rows);
  ~Pass();

  // Throws Error{invalid_argument} for ids outside the vocabulary, empty or too long texts, more than max_rows tokens
  // in all or more than kMaxTexts texts; then no results are left.
  void run(std::span<const std::span<const std::int32_t>> texts);
  // For attention_scores(): runs over one text each; *watch must outlive them.
  void watch_attention(const AttentionWatch* watch) noexcept;
  // The last layer's output of text i (tokens, d_model), valid until the next run().
  TensorView<const float> hidden(std::size_t i) const noexcept;
  // One vector of d_model floats; of length 1 if `normalize`. Pooling::none is not for this.
  void pool(std::size_t i, Pooling pooling, bool normalize, float* out) const noexcept;

  std::size_t texts() const noexcept;
  std::size_t max_rows() const noexcept;
  std::size_t nbytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
