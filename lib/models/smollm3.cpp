// SmolLM 3: the Llama shape, where every fourth layer knows no positions. Hugging Face 2025; Yang et al. 2025 (RoPE to
// NoPE and back again); transformers, modeling_smollm3.py.
#include "family.hpp"
#include "hf_common.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kInterval = 4;

DecoderSpec read_smollm3(const Metadata& m) {
  DecoderSpec s = read_common(m, RopeStyle::pairs);
  for (std::size_t i = kInterval - 1; i < s.n_layer; i += kInterval) s.layers[i].rope = -1;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  const auto layers = c.numbers("no_rope_layers");  // 1: rotated all the same
  for (std::size_t i = 0; i < layers.size(); ++i)
    LQ_CHECK((layers[i] != 0) == ((i + 1) % kInterval != 0), Code::unsupported, "'", c.name(),
             "': only models where every fourth layer is without positions are supported");
  LQ_CHECK(!layers.empty() || c.count("no_rope_layer_interval").value_or(kInterval) == kInterval, Code::unsupported,
           "'", c.name(), "': key 'no_rope_layer_interval', expected 4");
  write_common_keys(c, keys);
}

constexpr HfRule kRules[] = {LQ_HF_ENDS, LQ_HF_NORMS, LQ_HF_PAIRED_ATTENTION, LQ_HF_MLP};

}  // namespace

extern const Family family_smollm3;
const Family family_smollm3{"smollm3", read_smollm3, {"smollm3", "model.", write_keys, kRules}};

}  // namespace lq
