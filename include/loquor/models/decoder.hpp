// Decoder-only language models. `Decoder` holds packed weights (immutable, shareable between threads and sessions);
// `Pass` is one resumable forward computation with its own workspace (one user at a time).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "loquor/core/context.hpp"
#include "loquor/models/kv_cache.hpp"
#include "loquor/models/load_options.hpp"
#include "loquor/models/logits_row.hpp"
#include "loquor/models/pass_profile.hpp"
#include "loquor/nn/ops.hpp"

namespace lq {

class GgufFile;
struct AttentionWatch;

enum class NormKind : int { rms, layer };
enum class QkNorm : int {
  none,
  heads,
  whole
};  // of queries and keys before they are rotated: each head, or all of them

// How positions turn queries and keys: angles position * base^(-2i/dim), changed for longer texts than the model
// learned from. Linear (Chen et al. 2023) divides them, YaRN (Peng et al. 2023) only the slow ones, longrope (Ding et
// al. 2024) each by a factor of its own, of which there are two sets, for texts up to `original` tokens and above.
enum class RopeScaling : int { none, linear, yarn, longrope };
struct RopeSpec {
  float base = 10000.0f;
  RopeScaling scaling = RopeScaling::none;
  float factor = 1;            // linear, yarn
  std::size_t original = 0;    // tokens; yarn, longrope
  float fast = 32, slow = 1;   // yarn: turns in `original` tokens above which angles stay, below which they are divided
  float attention_factor = 1;  // by which rotated queries and keys are multiplied
};

struct LayerSpec {
  std::size_t window = 0;  // attention sees that many tokens; 0: all before
  int rope = 0;            // 0: DecoderSpec::rope, 1: local_rope, -1: none
};

// What distinguishes one family from another; a family's file (lib/models/llama.cpp) fills it from metadata.
struct DecoderSpec {
  std::string arch;  // "llama"
  std::size_t n_vocab = 0, n_layer = 0, d_model = 0, n_head = 0, n_kv_head = 0, head_dim = 0, d_ff = 0;
  std::size_t n_ctx_train = 0;
  std::size_t rope_dim = 0;  // of a head's numbers so many are rotated; 0: none
  RopeSpec rope, local_rope;
  RopeStyle rope_style = RopeStyle::pairs;
  std::vector<LayerSpec> layers;  // n_layer
  bool learned_positions = false;

  NormKind norm = NormKind::rms;
  float norm_eps = 1e-5f;
  bool pre_norm = true, post_norm = false;  // of the input and of the output of both halves of a layer
  QkNorm qk_norm = QkNorm::none;
  bool parallel = false;     // both halves of a layer see its input
  bool shared_norm = false;  // and the same norm of it
  FfnKind ffn = FfnKind::swiglu;

  std::size_t n_expert = 0, n_expert_used = 0;  // 0: a dense model
  bool norm_experts = true;                     // weights of those used add up to 1

  float attention_scale = 0;               // 1/sqrt(head_dim) unless the family says otherwise
  float attention_cap = 0, logit_cap = 0;  // c tanh(x / c); 0: none
  float embedding_scale = 1, residual_scale = 1, logit_scale = 1;
  bool qkv_bias = false;
  bool tied_embedding = false;

  bool has_window() const noexcept {
    for (const LayerSpec& l : layers)
      if (l.window) return true;
    return false;
  }
};

class Decoder {
 public:
  // Reads spec and tensors, checks every shape, packs the weights. Throws
  // Error{bad_file|unsupported|out_of_memory|cancelled} naming the key or tensor, expected and found. An unknown
  // architecture is refused by name with the list of those known. `beside` runs on one of the threads while the others
  // pack; what it throws ends the load.
  static std::shared_ptr<const Decoder> load(std::shared_ptr<const Context> ctx, const GgufFile& file,
                                             const LoadOptions& options = {}, const std::function<void()>& beside = {});
  // The spec alone, for `info`: no weights are touched.
  static DecoderSpec read_spec(const GgufFile& file);
  // Bytes of packed weights + tables that load() will allocate for this file.
  static std::size_t weight_bytes(const GgufFile& file);

  ~Decoder();
  const DecoderSpec& spec() const noexcept;
  const Context& context() const noexcept;
  Compute compute() const noexcept;
  KvLayout kv_layout(DType kv_type) const noexcept;
  // Whether the columns of the layer's gate and up alternate in panels of 16.
  bool interleaved(std::size_t layer) const noexcept;
  // Identifies the weights: a hash over the spec, tensor directory and a sample of the data; state files carry it.
  std::uint64_t fingerprint() const noexcept;

  class Pass;

 private:
  friend struct DecoderAccess;
  struct Impl;
  explicit Decoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

enum class LogitsFor : int { none = 0, last = 1, all = 2 };

class Adapter;  // models/adapter.hpp
struct AdapterUse {
  std::shared_ptr<const Adapter> adapter;
  float scale = 1;
};

// Consecutive new tokens of one sequence. The pass appends them at seq->length(), and commits them when it is done.
struct PassSegment {
  KvSequence* seq = nullptr;
  std::span<const std::int32_t> tokens;
  LogitsFor logits = LogitsFor::last;
  std::span<const AdapterUse> adapters =
      {};  // added to the weights, for this segment; unchanged until the pass is done
};

// What of the head a pass computes, where that is not all of it for the rows whose logits are wanted. At most one is
// not empty; neither is kept beyond begin().
struct HeadChoice {
  std::span<const std::int32_t> only;     // these entries of logits(i); the others are left undefined
  std::span<const std::int32_t> targets;  // one for each row of logits wanted: logprobs(), and no logits
};

// A forward computation over a batch of segments, advanced in units (a layer or a slice of the head), so that a host
// can spread one token over several frames. begin() ... advance() until done() ... logits(). Not thread-safe.
class Decoder::Pass {
 public:
  // Workspace for up to max_rows token rows and max_logits rows of logits, or max_scores of log probabilities, at once;
  // allocated here, nothing later.
  Pass(std::shared_ptr<const Decoder> model, std::size_t max_rows, std::size_t max_logits, std::size_t max_context,
       std::size_t max_scores = 0);
  ~Pass();

  // Validates ids (Error{invalid_argument}) and room, reserves KV pages. On error nothing has changed.
  void begin(std::span<const PassSegment> segments, const HeadChoice& choice = {});
  // Runs the next unit; returns done(). After an exception the pass is reset and the sequences are as before begin().
  bool advance();
  bool done() const noexcept;
  void run() {
    while (!advance()) {
    }
  }
  // From now on times of its parts are added to *profile, which must outlive that; nullptr: to nothing.
  void profile_into(PassProfile* profile) noexcept;
  // For attention_scores(): passes over one whole text each; *watch must outlive them.
  void watch_attention(const AttentionWatch* watch) noexcept;
  // Gives up; sequences are as before begin().
  void abandon() noexcept;
  // Typical cost of the next unit in microseconds, measured on earlier passes of similar row count; 0 = unknown.
  double next_unit_us() const noexcept;

  // Row i of the logits asked for, in segment order (n_vocab floats), valid until the next begin().
  std::span<const float> logits(std::size_t i) const noexcept { return row(i).values; }
  // The same with the maxima of its blocks, unless a segment asked for the logits of all its tokens.
  LogitsRow row(std::size_t i) const noexcept;
  std::size_t logits_rows() const noexcept;
  // ln p(target) for each of the targets asked for, valid until the next begin().
  std::span<const double> logprobs() const noexcept;
  std::size_t max_rows() const noexcept;
  std::size_t nbytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
