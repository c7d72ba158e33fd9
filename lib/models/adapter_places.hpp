// Where the matrices that LoRA may change lie in a decoder's fused products. Private to lib/models.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "loquor/models/decoder.hpp"

namespace lq {

// Where in the decoder's fused outputs a matrix has its columns.
struct LoraPlace {
  const char* name;
  int input;           // 0: qkv, 1: o, 2: gate and up, 3: down
  std::size_t column;  // of the first output; in panels of 16 by turns if `interleaved`
  std::size_t in, out;
  bool interleaved;
  std::size_t at(std::size_t row) const noexcept {
    return interleaved ? row / 16 * 32 + column + row % 16 : column + row;
  }
};

inline std::vector<LoraPlace> lora_places(const DecoderSpec& s, bool interleaved) {
  const std::size_t q = s.n_head * s.head_dim, kv = s.n_kv_head * s.head_dim, c = s.d_model, f = s.d_ff;
  std::vector<LoraPlace> out = {{"attn_q", 0, 0, c, q, false},
                                {"attn_k", 0, q, c, kv, false},
                                {"attn_v", 0, q + kv, c, kv, false},
                                {"attn_qkv", 0, 0, c, q + 2 * kv, false},
                                {"attn_output", 1, 0, q, c, false}};
  if (s.n_expert) return out;
  const std::size_t up = !is_gated(s.ffn) ? 0 : interleaved ? 16 : f;
  if (is_gated(s.ffn)) out.push_back({"ffn_gate", 2, 0, c, f, interleaved});
  out.push_back({"ffn_up", 2, up, c, f, interleaved});
  out.push_back({"ffn_down", 3, 0, f, c, false});
  return out;
}

}  // namespace lq
