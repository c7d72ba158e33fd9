// Where the time of forward passes goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lq {

// What a pass is made of. Quantising a product's input counts to what made it: the norm, the activation, or
// (attention_out) the product itself. `head` includes the final norm and, for sampling, the maxima of its blocks.
enum class PassPart {
  embedding,
  norm,
  qkv,
  rotary,
  kv_store,
  attention,
  attention_out,
  ffn_up,
  activation,
  ffn_down,
  experts,
  head,
};
inline constexpr std::array<std::string_view, 12> kPassPartNames = {
    "embedding",     "norm",   "qkv",        "rotary",   "kv_store", "attention",
    "attention_out", "ffn_up", "activation", "ffn_down", "experts",  "head"};
static_assert(static_cast<std::size_t>(PassPart::head) + 1 == kPassPartNames.size());

// Sums over passes. `bytes` are those of weights, keys and values that a part cannot do without: each byte once a pass
// however many rows it has; nothing for parts that work on the rows alone.
struct PassProfile {
  struct Part {
    std::uint64_t calls = 0;
    double seconds = 0, bytes = 0;
  };
  std::array<Part, kPassPartNames.size()> parts{};

  void add(PassPart which, double seconds, double bytes) noexcept {
    Part& part = parts[static_cast<std::size_t>(which)];
    ++part.calls;
    part.seconds += seconds;
    part.bytes += bytes;
  }
};

}  // namespace lq
