#include "metadata.hpp"

#include <cmath>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxVocab = std::size_t{1} << 24;
constexpr double kMinRopeFactor = 1e-3, kMaxRopeFactor = 1e6;

}  // namespace

Metadata::Metadata(const GgufFile& file) : file_(file) {
  const GgufValue* v = file.find("general.architecture");
  const auto s = v ? v->as_string() : std::nullopt;
  LQ_CHECK(s, Code::bad_file, "'", file.name(), "': key 'general.architecture' ", v ? "is not a string" : "is missing");
  arch_ = std::string(s->substr(0, 64));
}

std::string Metadata::key(std::string_view name) const { return str(arch_, ".", name); }

std::size_t Metadata::count(std::string_view name, std::size_t least, std::size_t most,
                            std::optional<std::size_t> absent) const {
  const GgufValue* v = file_.find(key(name));
  if (!v && absent) return *absent;
  LQ_CHECK(v, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is missing");
  const auto n = v->as_uint();
  LQ_CHECK(n, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is of type ", gguf_type_name(v->type()),
           ", expected a whole number");
  LQ_CHECK(*n >= least && *n <= most, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is ", *n,
           ", expected ", least, " to ", most);
  return static_cast<std::size_t>(*n);
}

double Metadata::number(std::string_view name, double least, double most, std::optional<double> absent) const {
  const GgufValue* v = file_.find(key(name));
  if (!v && absent) return *absent;
  LQ_CHECK(v, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is missing");
  const auto x = v->as_double();
  LQ_CHECK(x, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is of type ", gguf_type_name(v->type()),
           ", expected a number");
  LQ_CHECK(std::isfinite(*x) && *x >= least && *x <= most, Code::bad_file, "'", file_.name(), "': key '", key(name),
           "' is ", *x, ", expected ", least, " to ", most);
  return *x;
}

std::optional<std::string> Metadata::text(std::string_view name) const {
  const GgufValue* v = file_.find(key(name));
  if (!v) return std::nullopt;
  const auto s = v->as_string();
  LQ_CHECK(s, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is of type ", gguf_type_name(v->type()),
           ", expected a string");
  return std::string(*s);
}

std::size_t Metadata::vocab_size(std::string_view embedding) const {
  const GgufTensor* t = file_.find_tensor(embedding);
  LQ_CHECK(t, Code::bad_file, "'", file_.name(), "': tensor '", embedding, "' is missing");
  LQ_CHECK(t->shape.rank() == 2 && t->shape[0] >= 1 && t->shape[0] <= kMaxVocab, Code::bad_file, "'", file_.name(),
           "': tensor '", embedding, "' is not a matrix of 1 to ", kMaxVocab, " rows");
  const std::size_t rows = t->shape[0];
  const std::size_t declared = count("vocab_size", 1, kMaxVocab, rows);
  LQ_CHECK(declared <= rows, Code::bad_file, "'", file_.name(), "': key '", key("vocab_size"), "' is ", declared,
           ", but '", embedding, "' has ", rows, " rows");
  if (const GgufValue* tokens = file_.find("tokenizer.ggml.tokens"))
    LQ_CHECK(tokens->type() != GgufType::array || tokens->size() <= rows, Code::bad_file, "'", file_.name(),
             "': the tokenizer has ", tokens->size(), " tokens, '", embedding, "' ", rows, " rows");
  return rows;
}

std::optional<bool> Metadata::flag(std::string_view name) const {
  const GgufValue* v = file_.find(key(name));
  if (!v) return std::nullopt;
  const auto b = v->as_bool();
  LQ_CHECK(b, Code::bad_file, "'", file_.name(), "': key '", key(name), "' is of type ", gguf_type_name(v->type()),
           ", expected a boolean");
  return b;
}

RopeSpec Metadata::rope() const {
  RopeSpec r;
  r.base = static_cast<float>(number("rope.freq_base", 1.0, 1e12, 10000.0));
  const std::string kind = text("rope.scaling.type").value_or("linear");
  if (kind == "none") return r;
  LQ_CHECK(kind == "linear" || kind == "yarn" || kind == "longrope", Code::unsupported, "'", file_.name(), "': key '",
           key("rope.scaling.type"), "' is '", kind.substr(0, 64), "', known are none, linear, yarn, longrope");
  const double before = number("rope.scale_linear", 0.0, kMaxRopeFactor, 1.0);  // the key of files up to 2023
  const double factor = number("rope.scaling.factor", 0.0, kMaxRopeFactor, before);
  if (factor == 0 && kind == "linear") return r;  // what some writers put for "no scaling"
  LQ_CHECK(factor >= kMinRopeFactor, Code::bad_file, "'", file_.name(), "': the rope scaling factor is ", factor,
           ", expected 0 or ", kMinRopeFactor, " to ", kMaxRopeFactor);
  r.factor = static_cast<float>(factor);
  r.scaling = kind == "linear" ? RopeScaling::linear : kind == "yarn" ? RopeScaling::yarn : RopeScaling::longrope;
  if (r.scaling == RopeScaling::linear) return r;
  r.original = count("rope.scaling.original_context_length", 1, std::size_t{1} << 31);
  r.fast = static_cast<float>(number("rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32.0));
  r.slow = static_cast<float>(number("rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1.0));
  // In yarn's files the factor is over and above the usual one.
  const double usual = r.scaling == RopeScaling::yarn && factor > 1 ? 1.0 + 0.1 * std::log(factor) : 1.0;
  r.attention_factor = static_cast<float>(usual * number("rope.scaling.attn_factor", 0.0, 1e3, 1.0));
  return r;
}

}  // namespace lq
