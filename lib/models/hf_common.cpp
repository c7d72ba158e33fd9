#include "hf_common.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

// transformers 5 keeps what was "rope_theta" and "rope_scaling" in "rope_parameters".
std::optional<double> rope_number(const HfConfig& c, const char* name) {
  for (const char* where : {"rope_parameters.", "rope_parameters.full_attention.", "rope_scaling."})
    if (const auto n = c.number(std::string(where) + name)) return n;
  return std::nullopt;
}

std::string rope_type(const HfConfig& c) {
  for (const char* key : {"rope_parameters.rope_type", "rope_parameters.full_attention.rope_type",
                          "rope_scaling.rope_type", "rope_scaling.type"})
    if (const auto t = c.text(key)) return *t == "su" ? "longrope" : *t;
  return "default";
}

// Llama 3's scaling as divisors of the frequencies (Grattafiori et al. 2024; transformers, _compute_llama3_parameters).
std::vector<double> llama3_divisors(const HfConfig& c, double base, std::size_t dim) {
  const double pi = 3.14159265358979323846, factor = rope_number(c, "factor").value_or(1);
  const double low = rope_number(c, "low_freq_factor").value_or(1),
               high = rope_number(c, "high_freq_factor").value_or(4);
  const double original = rope_number(c, "original_max_position_embeddings").value_or(8192);
  std::vector<double> out;
  for (std::size_t i = 0; i < dim / 2; ++i) {
    const double wave = 2 * pi * std::pow(base, 2.0 * static_cast<double>(i) / static_cast<double>(dim));
    const double smooth = std::clamp((original / wave - low) / (high - low), 0.0, 1.0);
    out.push_back(1 / ((1 - smooth) / factor + smooth));
  }
  return out;
}

void write_yarn(const HfConfig& c, HfKeys& keys, double factor) {
  keys.text("rope.scaling.type", "yarn");
  keys.f32("rope.scaling.factor", factor);
  keys.u32("rope.scaling.original_context_length",
           static_cast<std::size_t>(rope_number(c, "original_max_position_embeddings")
                                        .value_or(static_cast<double>(c.required("max_position_embeddings")))));
  if (const auto n = rope_number(c, "beta_fast")) keys.f32("rope.scaling.yarn_beta_fast", *n);
  if (const auto n = rope_number(c, "beta_slow")) keys.f32("rope.scaling.yarn_beta_slow", *n);
  LQ_CHECK(!rope_number(c, "mscale") && !rope_number(c, "mscale_all_dim"), Code::unsupported, "'", c.name(),
           "': YaRN with mscale is not supported");
  if (const auto n = rope_number(c, "attention_factor"))
    keys.f32("rope.scaling.attn_factor", *n / (factor > 1 ? 1 + 0.1 * std::log(factor) : 1));
}

void write_longrope(const HfConfig& c, HfKeys& keys) {
  const double most = static_cast<double>(c.required("max_position_embeddings"));
  const double original = rope_number(c, "original_max_position_embeddings")
                              .value_or(c.number("original_max_position_embeddings").value_or(most));
  const double factor = rope_number(c, "factor").value_or(most / original);
  keys.text("rope.scaling.type", "longrope");
  keys.f32("rope.scaling.factor", factor);
  keys.u32("rope.scaling.original_context_length", static_cast<std::size_t>(original));
  const double usual = factor <= 1 ? 1.0 : std::sqrt(1 + std::log(factor) / std::log(original));
  keys.f32("rope.scaling.attn_factor", rope_number(c, "attention_factor").value_or(usual));
  for (const char* which : {"short", "long"}) {
    const std::string name = std::string(which) + "_factor";
    auto values = c.numbers("rope_parameters." + name);
    if (values.empty()) values = c.numbers("rope_scaling." + name);
    LQ_CHECK(!values.empty(), Code::bad_file, "'", c.name(), "': longrope without ", name);
    keys.vector(str("rope_factors_", which, ".weight"), values);
  }
}

}  // namespace

std::size_t head_dim_of(const HfConfig& c) {
  if (const auto n = c.count("head_dim")) return *n;
  const std::size_t width = c.required("hidden_size"), heads = c.required("num_attention_heads");
  LQ_CHECK(heads && width % heads == 0, Code::bad_file, "'", c.name(), "': a width of ", width, " cannot be shared by ",
           heads, " heads");
  return width / heads;
}

std::size_t rotated_part(const HfConfig& c) {
  double part = 1;
  for (const char* key : {"rope_parameters.partial_rotary_factor", "partial_rotary_factor", "rotary_pct"})
    if (const auto n = c.number(key)) {
      part = *n;
      break;
    }
  LQ_CHECK(part > 0 && part <= 1, Code::bad_file, "'", c.name(), "': a share of ", part, " of each head is rotated");
  return static_cast<std::size_t>(part * static_cast<double>(head_dim_of(c)));
}

void check_layer_types(const HfConfig& c, std::size_t n) {
  const auto types = c.texts("layer_types");
  for (std::size_t i = 0; i < types.size(); ++i)
    LQ_CHECK(types[i] == (i % n == n - 1 ? "full_attention" : "sliding_attention"), Code::unsupported, "'", c.name(),
             "': layer ", i, " has the type ", types[i].substr(0, 64), "; only a window in all but each ", n,
             "th layer is supported");
}

void check_activation(const HfConfig& c, std::string_view known) {
  const std::string found =
      c.text("hidden_act")
          .value_or(
              c.text("hidden_activation")
                  .value_or(
                      c.text("activation_function")
                          .value_or(c.text("activation").value_or(std::string(known.substr(0, known.find(' ')))))));
  std::string_view left = known;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find(' '), left.size());
    if (left.substr(0, end) == found) return;
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  fail(Code::unsupported, "'", c.name(), "': activation '", found.substr(0, 64), "', expected ", known);
}

void write_sizes(const HfConfig& c, HfKeys& keys) {
  keys.u32("block_count", c.required("num_hidden_layers"));
  keys.u32("context_length", c.required("max_position_embeddings"));
  keys.u32("embedding_length", c.required("hidden_size"));
  keys.u32("feed_forward_length", c.required("intermediate_size"));
  const std::size_t heads = c.required("num_attention_heads"), head = head_dim_of(c);
  keys.u32("attention.head_count", heads);
  keys.u32("attention.head_count_kv", c.count("num_key_value_heads").value_or(heads));
  keys.u32("attention.key_length", head);
  keys.u32("attention.value_length", head);
}

void write_rms_epsilon(const HfConfig& c, HfKeys& keys) {
  keys.f32("attention.layer_norm_rms_epsilon", c.number("rms_norm_eps").value_or(1e-6));
}

void write_rope(const HfConfig& c, HfKeys& keys, std::size_t dim) {
  const double base = rope_number(c, "rope_theta").value_or(c.number("rope_theta").value_or(10000.0));
  const std::string type = rope_type(c);
  keys.u32("rope.dimension_count", dim);
  keys.f32("rope.freq_base", base);
  if (type == "linear") {
    keys.text("rope.scaling.type", "linear");
    keys.f32("rope.scaling.factor", rope_number(c, "factor").value_or(1));
  } else if (type == "llama3") {
    keys.vector("rope_freqs.weight", llama3_divisors(c, base, dim));
  } else if (type == "yarn") {
    write_yarn(c, keys, rope_number(c, "factor").value_or(1));
  } else if (type == "longrope") {
    write_longrope(c, keys);
  } else {
    LQ_CHECK(type == "default", Code::unsupported, "'", c.name(), "': rotary scaling '", type.substr(0, 64),
             "' is not supported (known: default, linear, llama3, yarn, longrope)");
  }
}

void write_window(const HfConfig& c, HfKeys& keys) {
  if (!c.flag("use_sliding_window").value_or(true)) return;
  if (const auto n = c.count("sliding_window"); n && *n) keys.u32("attention.sliding_window", *n);
}

void write_common_keys(const HfConfig& c, HfKeys& keys) {
  check_activation(c, "silu swish");
  write_sizes(c, keys);
  write_rms_epsilon(c, keys);
  write_rope(c, keys, head_dim_of(c));
  write_window(c, keys);
}

}  // namespace lq
