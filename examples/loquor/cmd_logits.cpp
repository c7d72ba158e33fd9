// loquor logits: the scores after each token of a list, or of a few tokens after all of it.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  std::string tokens, prompt, file, full, kv_type = "f16";
  std::string only;
  unsigned top = 20;
};

// Appends f32 values to a file as little-endian, whatever this machine is.
class FloatFile {
 public:
  explicit FloatFile(const std::string& path) : path_(path), file_(std::fopen(path.c_str(), "wb")) {
    if (!file_) fail();
  }
  ~FloatFile() {
    if (file_) std::fclose(file_);
  }
  void write(const float* values, std::size_t n) {
    bytes_.resize(n * 4);
    for (std::size_t i = 0; i < n; ++i) {
      std::uint32_t u;
      std::memcpy(&u, &values[i], 4);
      for (unsigned b = 0; b < 4; ++b) bytes_[i * 4 + b] = static_cast<unsigned char>(u >> (8 * b));
    }
    if (std::fwrite(bytes_.data(), 1, bytes_.size(), file_) != bytes_.size()) fail();
  }
  void close() {
    std::FILE* file = std::exchange(file_, nullptr);
    if (std::fclose(file) != 0) fail();
  }

 private:
  [[noreturn]] void fail() const { throw FileError(path_ + ": " + std::strerror(errno)); }
  std::string path_;
  std::FILE* file_;
  std::vector<unsigned char> bytes_;
};

// The n largest, best first; the smaller id first on a tie.
std::vector<std::pair<std::int32_t, float>> largest(const float* logits, std::size_t n_vocab, std::size_t n) {
  std::vector<std::int32_t> ids(n_vocab);
  for (std::size_t i = 0; i < n_vocab; ++i) ids[i] = static_cast<std::int32_t>(i);
  n = std::min(n, n_vocab);
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(n), ids.end(), [&](auto a, auto b) {
    const float x = logits[a], y = logits[b];
    return x > y || (x == y && a < b);
  });
  std::vector<std::pair<std::int32_t, float>> out;
  for (std::size_t i = 0; i < n; ++i) out.emplace_back(ids[i], logits[ids[i]]);
  return out;
}

loquor::Tokens input_tokens(const Options& o, const loquor::Model& model) {
  if (!o.tokens.empty()) return parse_tokens(o.tokens);
  if (!o.file.empty()) return model.tokenize(read_file(o.file), false, true);
  if (!o.prompt.empty()) return model.tokenize(o.prompt, false, true);
  throw UsageError("logits: give --tokens 1,2,3 or --prompt TEXT or --file FILE");
}

// The scores of o.only after the last token.
int run_only(const loquor::Model& model, loquor::Session& session, const loquor::Tokens& tokens, const Options& o) {
  const loquor::Tokens ids = parse_tokens(o.only, "--only");
  const std::vector<float> logits = session.logits_of(tokens, ids);
  Json row = Json::array();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    row.push_back({ids[i], logits[i]});
    if (!o.common.json)
      std::printf("%8d %12.6f  %s\n", ids[i], static_cast<double>(logits[i]), model.token_text(ids[i]).c_str());
  }
  if (o.common.json) print_json(row);
  return kOk;
}

int run(const Options& o) {
  // Wrong usage is told before the model is loaded.
  if (!o.tokens.empty()) parse_tokens(o.tokens);
  if (!o.only.empty()) parse_tokens(o.only, "--only");
  const loquor::Model model = o.common.load();
  const loquor::Tokens tokens = input_tokens(o, model);
  loquor::SessionOptions session_options;
  session_options.n_ctx = static_cast<std::uint32_t>(std::max<std::size_t>(tokens.size(), 1));
  session_options.kv_type = o.kv_type;
  loquor::Session session(model, session_options);
  if (!o.only.empty()) return run_only(model, session, tokens, o);
  std::optional<FloatFile> full;
  if (!o.full.empty()) full.emplace(o.full);
  Json positions = Json::array();
  session.eval(tokens, [&](std::size_t position, const float* logits, std::size_t n) {
    if (full) full->write(logits, n);
    const auto best = largest(logits, n, o.top);
    if (o.common.json) {
      Json row = Json::array();
      for (const auto& [id, logit] : best) row.push_back({id, logit});
      positions.push_back(std::move(row));
    } else {
      std::printf("position %zu, after token %d\n", position, tokens[position]);
      for (const auto& [id, logit] : best) std::printf("%8d %12.6f\n", id, static_cast<double>(logit));
    }
    return !interrupt().is_set();
  });
  if (full) full->close();
  if (o.common.json) print_json(positions);
  return kOk;
}

}  // namespace

Command add_logits(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("logits", "Print the scores of the next token after each token of a list");
  o->common.add_to(*sub);
  auto* tokens = sub->add_option("--tokens", o->tokens, "Token ids, separated by commas");
  auto* prompt = sub->add_option("-p,--prompt", o->prompt, "A text instead")->excludes(tokens);
  sub->add_option("-f,--file", o->file, "A file instead")->excludes(tokens)->excludes(prompt);
  sub->add_option("--top", o->top, "How many to print for each position")->capture_default_str();
  auto* only = sub->add_option("--only", o->only, "The scores of these ids alone (1,2,3), after the last token only");
  sub->add_option("--full", o->full, "Write all scores to this file: f32, little-endian, positions x vocabulary")
      ->excludes(only);
  sub->add_option("--kv-type", o->kv_type, "Type of the KV cache: f16, q8_0 or f32")->capture_default_str();
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
