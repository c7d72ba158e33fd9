// A complete llama (or qwen2) model of 100 KB, written as a GGUF file in memory: byte-level BPE with a few merges,
// ChatML template, random weights (fixed by a seed). Its text is nonsense, but every code path from file to text runs,
// in milliseconds and without the default model. Test-only.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/core/half.hpp"
#include "loquor/core/random.hpp"

namespace lq_test {

struct TinyModel {
  std::uint32_t n_layer = 2, d_model = 64, n_head = 4, n_kv_head = 2, d_ff = 96, n_ctx = 256;
  std::uint64_t seed = 1;
  std::uint32_t head_dim = 0;  // 0: d_model / n_head
  std::string name = "Tiny", architecture = "llama";
  bool qkv_bias = false;
  double rope_linear = 0;  // factor of linear scaling; 0 = no such keys
  double rope_llama3 = 0;  // factor of llama3 scaling from 64 positions; 0 = no rope_freqs.weight
  std::string rope_type;   // rope.scaling.type, where it is not what the two above make it
  std::string chat_template =
      "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
      "'\n' "
      "}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
  bool with_weights = true;
  bool tied = false;  // no head of its own: it then tends to repeat its last token

  std::size_t head_width() const { return head_dim ? head_dim : d_model / n_head; }
  // Ids: 0 <|endoftext|>, 1 <|im_start|>, 2 <|im_end|>, 3.. the 256 bytes, then the merges.
  std::string gguf() const;
};

// The models whose logits tests/goldens/families.json has, one for each thing a family may do differently.
inline std::vector<TinyModel> tiny_families() {
  TinyModel qwen2, llama3;
  qwen2.name = "Tiny qwen2";
  qwen2.architecture = "qwen2";
  qwen2.qkv_bias = qwen2.tied = true;
  qwen2.d_model = 224;
  qwen2.n_head = 7;
  qwen2.n_kv_head = 1;
  TinyModel linear = qwen2;
  linear.name = "Tiny qwen2, linear";
  linear.tied = false;
  linear.rope_linear = 4;
  llama3.name = "Tiny llama3";
  llama3.n_head = 8;  // 256 columns of queries beside a width of 64
  llama3.head_dim = 32;
  llama3.rope_llama3 = 8;
  return {qwen2, linear, llama3};
}

namespace detail {

inline void put(std::string& s, const void* p, std::size_t n) { s.append(static_cast<const char*>(p), n); }
inline void put_u32(std::string& s, std::uint32_t v) { put(s, &v, 4); }
inline void put_u64(std::string& s, std::uint64_t v) { put(s, &v, 8); }
inline void put_str(std::string& s, std::string_view v) {
  put_u64(s, v.size());
  s += v;
}

class GgufWriter {
 public:
  void u32(std::string_view key, std::uint32_t v) {
    head(key, 4);
    put_u32(meta_, v);
  }
  void f32(std::string_view key, float v) {
    head(key, 6);
    put(meta_, &v, 4);
  }
  void str(std::string_view key, std::string_view v) {
    head(key, 8);
    put_str(meta_, v);
  }
  void flag(std::string_view key, bool v) {
    head(key, 7);
    meta_.push_back(v ? 1 : 0);
  }
  void strings(std::string_view key, const std::vector<std::string>& list) {
    head(key, 9);
    put_u32(meta_, 8);
    put_u64(meta_, list.size());
    for (const std::string& v : list) put_str(meta_, v);
  }
  void i32s(std::string_view key, const std::vector<std::int32_t>& list) {
    head(key, 9);
    put_u32(meta_, 5);
    put_u64(meta_, list.size());
    put(meta_, list.data(), list.size() * 4);
  }
  // Dimensions innermost first, as in the file.
  void tensor(std::string_view name, std::uint32_t type, std::vector<std::uint64_t> dims, const std::string& bytes) {
    put_str(tensors_, name);
    put_u32(tensors_, static_cast<std::uint32_t>(dims.size()));
    for (const std::uint64_t d : dims) put_u64(tensors_, d);
    put_u32(tensors_, type);
    put_u64(tensors_, data_.size());
    data_ += bytes;
    data_.resize((data_.size() + 31) / 32 * 32);
    ++n_tensors_;
  }
  std::string finish() const {
    std::string out = "GGUF";
    put_u32(out, 3);
    put_u64(out, n_tensors_);
    put_u64(out, n_meta_);
    out += meta_ + tensors_;
    out.resize((out.size() + 31) / 32 * 32);
    return out + data_;
  }

 private:
  void head(std::string_view key, std::uint32_t type) {
    put_str(meta_, key);
    put_u32(meta_, type);
    ++n_meta_;
  }
  std::string meta_, tensors_, data_;
  std::uint64_t n_meta_ = 0, n_tensors_ = 0;
};

inline std::string utf8(unsigned c) {
  if (c < 0x80) return std::string(1, static_cast<char>(c));
  return {static_cast<char>(0xc0 | (c >> 6)), static_cast<char>(0x80 | (c & 0x3f))};
}

// The GPT-2 alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and on.
inline std::vector<std::string> byte_alphabet() {
  std::vector<std::string> out(256);
  unsigned next = 256;
  for (unsigned b = 0; b < 256; ++b) {
    const bool self = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
    out[b] = utf8(self ? b : next++);
  }
  return out;
}

inline std::string f32_ones(std::size_t n) {
  const std::vector<float> v(n, 1.0f);
  return std::string(reinterpret_cast<const char*>(v.data()), n * 4);
}

// Random Q8_0 rows with a standard deviation of about 1/sqrt(columns), times `gain`.
inline std::string q8_0(lq::Random& random, std::size_t rows, std::size_t columns, double gain) {
  const auto scale = static_cast<float>(gain * std::sqrt(3.0 / static_cast<double>(columns)) / 127);
  const lq::f16 d = lq::to_f16(scale);
  std::string out;
  for (std::size_t block = 0; block < rows * columns / 32; ++block) {
    put(out, &d, 2);
    for (int i = 0; i < 32; ++i) out.push_back(static_cast<char>(static_cast<int>(random.next() % 255) - 127));
  }
  return out;
}

template <class F>
std::string f32s(std::size_t n, F value) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto v = static_cast<float>(value(i));
    put(out, &v, 4);
  }
  return out;
}

// Divisor of rotary frequency i of width/2 by which llama3 scaling comes to the same (Grattafiori et al. 2024), from
// 64 positions, low and high frequency factors 1 and 4.
inline double llama3_divisor(double factor, double base, std::size_t i, std::size_t width) {
  const double pi = 3.14159265358979323846;
  const double turns =
      64 / (2 * pi * std::pow(base, 2 * static_cast<double>(i) / static_cast<double>(width)));  // in 64 positions
  const double smooth = std::clamp((turns - 1) / (4 - 1), 0.0, 1.0);
  return 1 / ((1 - smooth) / factor + smooth);
}

inline void put_tokenizer(GgufWriter& w, const TinyModel& m, std::size_t& n_vocab) {
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  for (const std::string& s : byte_alphabet()) tokens.push_back(s);
  const std::vector<std::string> merges = {"h e", "l l", "he ll", "hell o", "\xc4\xa0 t", "\xc4\xa0t he", "i n", "e r"};
  for (const std::string& pair : merges) tokens.push_back(std::string(pair).erase(pair.find(' '), 1));
  std::vector<std::int32_t> types(tokens.size(), 1);
  types[0] = types[1] = types[2] = 3;
  n_vocab = tokens.size();
  w.str("tokenizer.ggml.model", "gpt2");
  w.str("tokenizer.ggml.pre", "smollm");
  w.strings("tokenizer.ggml.tokens", tokens);
  w.i32s("tokenizer.ggml.token_type", types);
  w.strings("tokenizer.ggml.merges", merges);
  w.u32("tokenizer.ggml.bos_token_id", 1);
  w.u32("tokenizer.ggml.eos_token_id", 2);
  w.flag("tokenizer.ggml.add_bos_token", false);
  if (!m.chat_template.empty()) w.str("tokenizer.chat_template", m.chat_template);
}

inline void put_weights(GgufWriter& w, const TinyModel& m, std::size_t n_vocab) {
  constexpr std::uint32_t kF32 = 0, kQ8_0 = 8;
  lq::Random random(m.seed);
  const std::size_t d = m.d_model, head = m.head_width(), q = head * m.n_head, kv = head * m.n_kv_head, ff = m.d_ff;
  const auto matrix = [&](const std::string& name, std::size_t rows, std::size_t columns, double gain) {
    w.tensor(name, kQ8_0, {columns, rows}, q8_0(random, rows, columns, gain));
  };
  const auto bias = [&](const std::string& name, std::size_t n) {
    if (!m.qkv_bias) return;
    w.tensor(name, kF32, {n},
             f32s(n, [&](std::size_t) { return 2.0 * (static_cast<double>(random.next() % 1024) / 1024 - 0.5); }));
  };
  matrix("token_embd.weight", n_vocab, d, 4.0);
  if (!m.tied) matrix("output.weight", n_vocab, d, 3.0);
  w.tensor("output_norm.weight", kF32, {d}, f32_ones(d));
  if (m.rope_llama3 > 0)
    w.tensor("rope_freqs.weight", kF32, {head / 2},
             f32s(head / 2, [&](std::size_t i) { return llama3_divisor(m.rope_llama3, 10000.0, i, head); }));
  for (std::uint32_t l = 0; l < m.n_layer; ++l) {
    const std::string p = "blk." + std::to_string(l) + ".";
    w.tensor(p + "attn_norm.weight", kF32, {d}, f32_ones(d));
    matrix(p + "attn_q.weight", q, d, 2.0);
    bias(p + "attn_q.bias", q);
    matrix(p + "attn_k.weight", kv, d, 2.0);
    bias(p + "attn_k.bias", kv);
    matrix(p + "attn_v.weight", kv, d, 1.0);
    bias(p + "attn_v.bias", kv);
    matrix(p + "attn_output.weight", d, q, 1.0);
    w.tensor(p + "ffn_norm.weight", kF32, {d}, f32_ones(d));
    matrix(p + "ffn_gate.weight", ff, d, 1.0);
    matrix(p + "ffn_up.weight", ff, d, 1.0);
    matrix(p + "ffn_down.weight", d, ff, 1.0);
  }
}

}  // namespace detail

inline std::string TinyModel::gguf() const {
  detail::GgufWriter w;
  w.str("general.architecture", architecture);
  w.str("general.name", name);
  const std::string p = architecture + ".";
  w.u32(p + "block_count", n_layer);
  w.u32(p + "context_length", n_ctx);
  w.u32(p + "embedding_length", d_model);
  w.u32(p + "feed_forward_length", d_ff);
  w.u32(p + "attention.head_count", n_head);
  w.u32(p + "attention.head_count_kv", n_kv_head);
  if (head_dim) {
    w.u32(p + "attention.key_length", head_dim);
    w.u32(p + "attention.value_length", head_dim);
  }
  w.u32(p + "rope.dimension_count", static_cast<std::uint32_t>(head_width()));
  w.f32(p + "rope.freq_base", 10000.0f);
  w.f32(p + "attention.layer_norm_rms_epsilon", 1e-5f);
  const std::string scaling = !rope_type.empty() ? rope_type : rope_linear != 0 ? "linear" : "";
  if (!scaling.empty()) w.str(p + "rope.scaling.type", scaling);
  if (rope_linear != 0) w.f32(p + "rope.scaling.factor", static_cast<float>(rope_linear));
  std::size_t n_vocab = 0;
  detail::put_tokenizer(w, *this, n_vocab);
  if (with_weights) detail::put_weights(w, *this, n_vocab);
  return w.finish();
}

}  // namespace lq_test
