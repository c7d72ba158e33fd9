// The matrices of a LoRA adapter by the names of the decoder's tensors, from either kind of file. Private to
// lib/models.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "loquor/models/adapter.hpp"

namespace lq {

struct LoraMatrix {
  std::size_t rank = 0, in = 0, out = 0;
  std::vector<float> a, b;  // (rank, in), (out, rank); b with the factor alpha / rank
};

// "blk.0.attn_q.weight" -> its matrices, with rows in the order of GGUF files.
using LoraFile = std::map<std::string, LoraMatrix>;

LoraFile read_lora(const std::string& path, const DecoderSpec& spec);

struct AdapterBuilder {
  // Throws Error{mismatch|unsupported|out_of_memory}, naming the matrix.
  static std::shared_ptr<const Adapter> make(std::shared_ptr<const Decoder> model, const LoraFile& file);
};

}  // namespace lq
