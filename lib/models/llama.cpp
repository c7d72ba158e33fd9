// The Llama family as GGUF stores it (Llama 2 and 3, SmolLM2, Mistral 7B without a window, ...): pre-norm blocks of
// RMSNorm, rotary grouped-query attention and SwiGLU; no biases. Q and K rows are permuted in the file so that the
// rotary pairs are neighbours. Llama 3.1 and 3.2 bring divisors of the rotary frequencies as a tensor. Touvron et al.
// 2023; Grattafiori et al. 2024; the GGUF specification's section on the llama architecture.
#include "family.hpp"

namespace lq {
namespace {

DecoderSpec read_llama(const Metadata& m) { return read_llama_like(m, RopeStyle::pairs); }

}  // namespace

extern const Family family_llama;
const Family family_llama{"llama", read_llama, {}};

}  // namespace lq
