// BERT, DistilBERT and the sentence encoders made of them, as GGUF stores them: post-norm blocks with biases
// everywhere, learned positions, the exact GELU. Devlin et al. 2018; Sanh et al. 2019; transformers, modeling_bert.py,
// modeling_distilbert.py.
#include "encoder_family.hpp"
#include "loquor/core/status.hpp"
#include "metadata.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxWidth = 1 << 16, kMaxLayers = 256, kMaxPositions = 1 << 20, kMaxHeadDim = 256;

EncoderSpec read_bert(const Metadata& m) {
  EncoderSpec s;
  s.arch = m.arch();
  s.n_layer = m.count("block_count", 1, kMaxLayers);
  s.d_model = m.count("embedding_length", 1, kMaxWidth);
  s.d_ff = m.count("feed_forward_length", 1, kMaxWidth);
  s.n_ctx = m.count("context_length", 1, kMaxPositions);
  s.n_head = m.count("attention.head_count", 1, s.d_model);
  LQ_CHECK(s.d_model % s.n_head == 0 && s.d_model / s.n_head <= kMaxHeadDim, Code::bad_file, "model: a width of ",
           s.d_model, " cannot be shared by ", s.n_head, " heads of at most ", kMaxHeadDim);
  s.head_dim = s.d_model / s.n_head;
  s.norm_eps = static_cast<float>(m.number("attention.layer_norm_epsilon", 0.0, 1.0));
  s.pooling = static_cast<Pooling>(m.count("pooling_type", 0, 3, static_cast<std::size_t>(Pooling::mean)));
  return s;
}

// DistilBERT has names of its own for everything.
void write_keys(const HfConfig& c, HfKeys& keys) {
  const bool distil = c.text("model_type") == "distilbert";
  const std::string activation = c.text(distil ? "activation" : "hidden_act").value_or("gelu");
  LQ_CHECK(activation == "gelu", Code::unsupported, "'", c.name(), "': activation '", activation, "', expected gelu");
  LQ_CHECK(c.text("position_embedding_type").value_or("absolute") == "absolute", Code::unsupported, "'", c.name(),
           "': only absolute positions are supported");
  keys.u32("block_count", c.required(distil ? "n_layers" : "num_hidden_layers"));
  keys.u32("context_length", c.required("max_position_embeddings"));
  keys.u32("embedding_length", c.required(distil ? "dim" : "hidden_size"));
  keys.u32("feed_forward_length", c.required(distil ? "hidden_dim" : "intermediate_size"));
  keys.u32("attention.head_count", c.required(distil ? "n_heads" : "num_attention_heads"));
  keys.f32("attention.layer_norm_epsilon", c.number("layer_norm_eps").value_or(1e-12));
  keys.flag("attention.causal", false);
}

#define LQ_BERT_LAYER(from, to) \
  {"encoder.layer.#." from ".weight", "blk.#." to ".weight"}, { "encoder.layer.#." from ".bias", "blk.#." to ".bias" }
#define LQ_DISTIL_LAYER(from, to)                                   \
  {"transformer.layer.#." from ".weight", "blk.#." to ".weight"}, { \
    "transformer.layer.#." from ".bias", "blk.#." to ".bias"        \
  }
constexpr HfRule kRules[] = {
    {"embeddings.word_embeddings.weight", "token_embd.weight"},
    {"embeddings.position_embeddings.weight", "position_embd.weight"},
    {"embeddings.token_type_embeddings.weight", "token_types.weight"},
    {"embeddings.LayerNorm.weight", "token_embd_norm.weight"},
    {"embeddings.LayerNorm.bias", "token_embd_norm.bias"},
    {"embeddings.position_ids", "", HfTransform::skip},
    {"pooler.dense.weight", "", HfTransform::skip},
    {"pooler.dense.bias", "", HfTransform::skip},
    LQ_BERT_LAYER("attention.self.query", "attn_q"),
    LQ_BERT_LAYER("attention.self.key", "attn_k"),
    LQ_BERT_LAYER("attention.self.value", "attn_v"),
    LQ_BERT_LAYER("attention.output.dense", "attn_output"),
    LQ_BERT_LAYER("attention.output.LayerNorm", "attn_output_norm"),
    LQ_BERT_LAYER("intermediate.dense", "ffn_up"),
    LQ_BERT_LAYER("output.dense", "ffn_down"),
    LQ_BERT_LAYER("output.LayerNorm", "layer_output_norm"),
    LQ_DISTIL_LAYER("attention.q_lin", "attn_q"),
    LQ_DISTIL_LAYER("attention.k_lin", "attn_k"),
    LQ_DISTIL_LAYER("attention.v_lin", "attn_v"),
    LQ_DISTIL_LAYER("attention.out_lin", "attn_output"),
    LQ_DISTIL_LAYER("sa_layer_norm", "attn_output_norm"),
    LQ_DISTIL_LAYER("ffn.lin1", "ffn_up"),
    LQ_DISTIL_LAYER("ffn.lin2", "ffn_down"),
    LQ_DISTIL_LAYER("output_layer_norm", "layer_output_norm"),
};
#undef LQ_BERT_LAYER
#undef LQ_DISTIL_LAYER

}  // namespace

extern const EncoderFamily encoder_bert;
const EncoderFamily encoder_bert{"bert", read_bert, {}, {"bert distilbert", "bert. distilbert.", write_keys, kRules}};

}  // namespace lq
