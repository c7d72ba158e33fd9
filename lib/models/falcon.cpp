// Falcon 7B and its like: LayerNorm, GELU without a gate, one head of keys and values, both halves of a layer beside
// each other behind the same norm; no biases. Almazrouei et al. 2023; transformers, modeling_falcon.py. The 40B models,
// whose halves have norms of their own, are refused.
#include "family.hpp"
#include "hf_common.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

DecoderSpec read_falcon(const Metadata& m) {
  DecoderSpec s = read_with_layer_norm(m, RopeStyle::halves);
  s.parallel = s.shared_norm = true;
  s.ffn = FfnKind::gelu;
  return s;
}

void write_keys(const HfConfig& c, HfKeys& keys) {
  const auto on = [&](const char* key, bool absent) { return c.flag(key).value_or(absent); };
  LQ_CHECK(!on("alibi", false) && on("parallel_attn", true), Code::unsupported, "'", c.name(),
           "': only models with rotary positions and halves beside each other are supported");
  LQ_CHECK(!on("new_decoder_architecture", false), Code::unsupported, "'", c.name(),
           "': the newer decoder architecture (40B) is not supported");
  check_activation(c, "gelu");
  const std::size_t width = c.required("hidden_size"), heads = c.required("num_attention_heads");
  keys.u32("block_count", c.required("num_hidden_layers"));
  keys.u32("context_length", c.count("max_position_embeddings").value_or(2048));
  keys.u32("embedding_length", width);
  keys.u32("feed_forward_length", c.count("ffn_hidden_size").value_or(4 * width));
  keys.u32("attention.head_count", heads);
  keys.u32("attention.head_count_kv", on("multi_query", true) ? 1 : heads);
  keys.f32("attention.layer_norm_epsilon", c.number("layer_norm_epsilon").value_or(1e-5));
  write_rope(c, keys, head_dim_of(c));
}

constexpr HfRule kRules[] = {
    {"word_embeddings.weight", "token_embd.weight"},
    {"lm_head.weight", "output.weight"},
    {"ln_f.weight", "output_norm.weight"},
    {"ln_f.bias", "output_norm.bias"},
    {"h.#.input_layernorm.weight", "blk.#.attn_norm.weight"},
    {"h.#.input_layernorm.bias", "blk.#.attn_norm.bias"},
    {"h.#.self_attention.query_key_value.weight", "blk.#.attn_qkv.weight", HfTransform::group_qkv},
    {"h.#.self_attention.dense.weight", "blk.#.attn_output.weight"},
    {"h.#.mlp.dense_h_to_4h.weight", "blk.#.ffn_up.weight"},
    {"h.#.mlp.dense_4h_to_h.weight", "blk.#.ffn_down.weight"},
};

}  // namespace

extern const Family family_falcon;
const Family family_falcon{"falcon", read_falcon, {"falcon", "transformer.", write_keys, kRules}};

}  // namespace lq
