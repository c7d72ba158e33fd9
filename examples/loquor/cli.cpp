#include "cli.hpp"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <random>

namespace cli {

namespace {

lq_cancel* interrupt_handle = nullptr;

void on_interrupt(int number) {
  std::int32_t already = 0;
  lq_cancel_is_set(&already, interrupt_handle);
  lq_cancel_trigger(interrupt_handle);
  if (already) {
    signal(number, SIG_DFL);
    raise(number);
  }
}

struct FileCloser {
  void operator()(std::FILE* f) const { std::fclose(f); }
};

}  // namespace

loquor::Cancel& interrupt() {
  static loquor::Cancel cancel;
  return cancel;
}

void catch_interrupts() {
  interrupt_handle = interrupt().get();
  struct sigaction action {};
  action.sa_handler = on_interrupt;  // without SA_RESTART: reading from the terminal ends too
  sigaction(SIGINT, &action, nullptr);
}

void reset_interrupt() { interrupt().reset(); }

void Common::add_to(CLI::App& app) {
  app.add_option("-m,--model", model, "Short name (see `loquor models`) or path of a GGUF file")->capture_default_str();
  app.add_option("-t,--threads", threads, "Computing threads; 0 = all CPUs of this process")
      ->check(CLI::Range(0, 1024));
  app.add_option("--seed", seed, "Seed of the sampler; drawn at random if absent");
  app.add_flag("--json", json, "Print one JSON document on standard output and nothing else there");
  app.add_option("--compute", compute, "quantized, or f32 for the slow reference arithmetic")
      ->check(CLI::IsMember({"quantized", "f32"}))
      ->capture_default_str();
  app.add_option("--isa", isa, "Instruction set to use instead of the best one, e.g. avx2");
}

loquor::Context Common::context() const {
  loquor::ContextOptions options;
  options.threads = threads;
  options.isa = isa;
  return loquor::Context(options);
}

loquor::Model Common::load(bool vocab_only) const {
  ProgressBar bar("Loading " + model);
  loquor::ModelOptions options;
  options.vocab_only = vocab_only;
  options.compute = compute == "f32" ? LQ_COMPUTE_F32 : LQ_COMPUTE_QUANTIZED;
  options.cancel = &interrupt();
  options.progress = [&](float fraction) {
    bar.update(static_cast<double>(fraction));
    return true;
  };
  return loquor::Model(model, options, context());
}

std::uint64_t Common::seed_or_random() const {
  if (seed) return *seed;
  std::random_device device;
  return device();
}

void Generation::add_to(CLI::App& app) {
  app.add_option("-n,--max-tokens", max_tokens, "Most tokens to generate; 0 = until the model ends")
      ->capture_default_str();
  app.add_option("--temperature", temperature, "0 = always the most probable token")->capture_default_str();
  app.add_option("--top-k", top_k, "Keep the k most probable tokens; 0 = all")->capture_default_str();
  app.add_option("--top-p", top_p, "Keep the most probable tokens that sum to p")->capture_default_str();
  app.add_option("--min-p", min_p, "Keep what is at least p times as probable as the best")->capture_default_str();
  app.add_option("--typical-p", typical_p, "Locally typical sampling")->capture_default_str();
  app.add_option("--repeat-penalty", repeat_penalty, "Over 1 makes recent tokens less probable")->capture_default_str();
  app.add_option("--frequency-penalty", frequency_penalty, "Subtracted for each recent occurrence")
      ->capture_default_str();
  app.add_option("--presence-penalty", presence_penalty, "Subtracted from recent tokens")->capture_default_str();
  app.add_option("--stop", stop, "End before this text; may be repeated");
  app.add_option("--ctx", ctx, "Tokens the session holds; 0 = as the model was trained")->capture_default_str();
  app.add_option("--kv-type", kv_type, "Type of the KV cache: f16, q8_0 or f32")->capture_default_str();
  app.add_option("--lora", lora, "An adapter: a PEFT folder or a GGUF file, :SCALE after it if not 1; may be repeated");
  add_lookup(app, lookup);
  std::vector<CLI::Option*> forms = {
      app.add_option("--grammar", grammar_file, "The answer is a text of the GBNF grammar in this file"),
      app.add_option("--json-schema", schema_file, "The answer is JSON of the schema in this file"),
      app.add_option("--regex", regex, "The answer matches this regular expression from end to end"),
      app.add_option("--choice", choices, "The answer is this text, or another one given so; may be repeated")};
  for (CLI::Option* a : forms)
    for (CLI::Option* b : forms)
      if (a != b) a->excludes(b);
}

std::optional<loquor::Grammar> Generation::grammar() const {
  if (!grammar_file.empty()) return loquor::Grammar::gbnf(read_file(grammar_file));
  if (!schema_file.empty()) return loquor::Grammar::json_schema(read_file(schema_file));
  if (!regex.empty()) return loquor::Grammar::regex(regex);
  if (!choices.empty()) return loquor::Grammar::choices(choices);
  return std::nullopt;
}

void add_lookup(CLI::App& app, int& lookup) {
  app.add_option("--lookup", lookup,
                 "Guess up to this many tokens from the text so far and compute them together (the answer is the same, "
                 "sooner if it repeats what is there); 0 = none")
      ->check(CLI::Range(0, 31));
}

std::int32_t lookup_option(int lookup) { return lookup == kLookupDefault ? 0 : lookup == 0 ? -1 : lookup; }

loquor::Sampler Generation::sampler(std::uint64_t seed) const {
  loquor::Sampler s;
  if (repeat_penalty != 1.0) s.add("repeat_penalty", repeat_penalty);
  if (frequency_penalty != 0.0) s.add("frequency_penalty", frequency_penalty);
  if (presence_penalty != 0.0) s.add("presence_penalty", presence_penalty);
  if (temperature == 0.0) {
    s.add("greedy");
  } else {
    s.add("top_k", top_k);
    if (typical_p != 1.0) s.add("typical_p", typical_p);
    if (top_p != 1.0) s.add("top_p", top_p);
    if (min_p != 0.0) s.add("min_p", min_p);
    s.add("temperature", temperature);
  }
  s.seed(seed);
  return s;
}

std::pair<std::string, float> path_and_scale(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(text)) return {text, 1.0f};
  const std::string number = text.substr(colon + 1);
  char* end = nullptr;
  const float scale = std::strtof(number.c_str(), &end);
  if (number.empty() || *end) throw UsageError("--lora: '" + number + "' is no number");
  return {text.substr(0, colon), scale};
}

loquor::Session Generation::session(const loquor::Model& model) const {
  loquor::SessionOptions o;
  o.n_ctx = ctx;
  o.kv_type = kv_type;
  loquor::Session out(model, o);
  std::vector<loquor::Adapter> adapters;
  std::vector<std::pair<const loquor::Adapter*, float>> used;
  adapters.reserve(lora.size());
  for (const std::string& text : lora) {
    const auto [path, scale] = path_and_scale(text);
    used.push_back({&adapters.emplace_back(model, path), scale});
  }
  out.set_adapters(used);
  return out;
}

void print_json(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
  if (!std::cout) throw FileError(std::string("standard output: ") + std::strerror(errno));
}

std::string read_file(const std::string& path) {
  std::unique_ptr<std::FILE, FileCloser> owned;
  std::FILE* file = stdin;
  if (path != "-") {
    owned.reset(std::fopen(path.c_str(), "rb"));
    if (!owned) throw FileError(path + ": " + std::strerror(errno));
    file = owned.get();
  }
  std::string text;
  char block[1 << 16];
  for (std::size_t n; (n = std::fread(block, 1, sizeof block, file)) > 0;) {
    text.append(block, n);
    if (text.size() > LQ_MAX_TEXT)
      throw FileError(path + ": larger than " + megabytes(static_cast<double>(LQ_MAX_TEXT)));
  }
  if (std::ferror(file)) throw FileError(path + ": " + std::strerror(errno));
  return text;
}

std::vector<std::int32_t> parse_tokens(const std::string& list, const char* option) {
  std::vector<std::int32_t> tokens;
  const char *at = list.data(), *end = at + list.size();
  while (at < end) {
    std::int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (next < end && *next != ',') || next + 1 == end)
      throw UsageError(std::string(option) + ": expected numbers separated by commas at '" +
                       std::string(at, std::min(at + 20, end)) + "'");
    tokens.push_back(id);
    at = next + 1;
  }
  return tokens;
}

std::string megabytes(double bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
  return text;
}

Json timings_json(const lq_result& r) {
  return {{"load_ms", r.load_ms},
          {"prefill_ms", r.prefill_ms},
          {"decode_ms", r.decode_ms},
          {"prefill_tps", r.prefill_tps},
          {"decode_tps", r.decode_tps},
          {"first_token_ms", r.first_token_ms},
          {"drafted_tokens", r.drafted_tokens},
          {"accepted_tokens", r.accepted_tokens}};
}

std::string timings_line(const lq_result& r) {
  char text[160];
  std::snprintf(text, sizeof text,
                "%u prompt tokens at %.1f/s, %u tokens at %.1f/s, first one after %.0f ms (loading %.0f ms)",
                r.prompt_tokens, r.prefill_tps, r.generated_tokens, r.decode_tps, r.first_token_ms, r.load_ms);
  std::string line = text;
  if (r.drafted_tokens)
    line += ", " + std::to_string(r.accepted_tokens) + " of " + std::to_string(r.drafted_tokens) + " guessed right";
  return line;
}

ProgressBar::ProgressBar(std::string label) : label_(std::move(label)), active_(isatty(STDERR_FILENO) == 1) {}

ProgressBar::~ProgressBar() {
  if (last_ >= 0) std::fputs("\r\033[K", stderr);
}

void ProgressBar::update(double fraction, double seconds_left) {
  constexpr int kWidth = 30;
  const int filled = static_cast<int>(std::clamp(fraction, 0.0, 1.0) * kWidth);
  const int step = seconds_left < 0 ? filled : static_cast<int>(fraction * 1000);
  if (!active_ || step == last_) return;
  last_ = step;
  const std::string bar =
      std::string(static_cast<std::size_t>(filled), '#') + std::string(static_cast<std::size_t>(kWidth - filled), '.');
  std::fprintf(stderr, "\r%s [%s] %3.0f %%", label_.c_str(), bar.c_str(), fraction * 100);
  if (seconds_left >= 0)
    std::fprintf(stderr, ", %d:%02d left\033[K", static_cast<int>(seconds_left) / 60,
                 static_cast<int>(seconds_left) % 60);
}

}  // namespace cli
