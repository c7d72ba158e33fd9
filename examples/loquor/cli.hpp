// The loquor command line: what all commands share. Each command is one file, cmd_<name>.cpp, with an add_<name>
// function that declares its options and returns the function to run; main.cpp lists them. Exit codes: 0 ok, 2 wrong
// usage, 3 bad model or file, 4 out of memory, 130 interrupted, 1 a defect of the library.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <loquor.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace cli {

using Json = nlohmann::ordered_json;

enum Exit { kOk = 0, kDefect = 1, kUsage = 2, kBadFile = 3, kNoMemory = 4, kInterrupted = 130 };

// Wrong usage found after parsing, reported like any error.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A file that cannot be read or written.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Options that every command takes.
struct Common {
  std::string model = "smollm2";
  unsigned threads = 0;
  std::optional<std::uint64_t> seed;
  bool json = false;
  std::string compute = "quantized";
  std::string isa;

  void add_to(CLI::App& app);
  loquor::Context context() const;
  // Loads the model, with a progress bar on stderr if that is a terminal. Ctrl-C cancels.
  loquor::Model load(bool vocab_only = false) const;
  // The seed given, or one drawn now.
  std::uint64_t seed_or_random() const;
};

constexpr int kLookupDefault = -1;  // of --lookup: as many tokens as the library wants

// Session and sampling options of the commands that generate.
struct Generation {
  unsigned max_tokens = 256;
  double temperature = 0.8, top_p = 0.95, min_p = 0.05, typical_p = 1.0;
  int top_k = 40;
  double repeat_penalty = 1.0, frequency_penalty = 0.0, presence_penalty = 0.0;
  std::vector<std::string> stop;
  unsigned ctx = 0;
  std::string kv_type = "f16";
  int lookup = kLookupDefault;
  std::string grammar_file, schema_file, regex;
  std::vector<std::string> choices;
  std::vector<std::string> lora;  // PATH or PATH:SCALE

  void add_to(CLI::App& app);
  loquor::Sampler sampler(std::uint64_t seed) const;
  // A session with the adapters that were asked for.
  loquor::Session session(const loquor::Model& model) const;
  // What the answer is held to; none: any text.
  std::optional<loquor::Grammar> grammar() const;
};

// A command that was declared: its parser, and what to run if it was chosen.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command add_generate(CLI::App& app);
Command add_chat(CLI::App& app);
Command add_tokenize(CLI::App& app);
Command add_logits(CLI::App& app);
Command add_perplexity(CLI::App& app);
Command add_mmlu(CLI::App& app);
Command add_finetune(CLI::App& app);
Command add_rag(CLI::App& app);
Command add_bench(CLI::App& app);
Command add_quantize(CLI::App& app);
Command add_convert(CLI::App& app);
Command add_merge(CLI::App& app);
Command add_embed(CLI::App& app);
Command add_attention(CLI::App& app);
Command add_models(CLI::App& app);
Command add_info(CLI::App& app);

// The flag that Ctrl-C sets (once; a second Ctrl-C ends the process at once).
loquor::Cancel& interrupt();
void catch_interrupts();
// Forgets a Ctrl-C that has been dealt with.
void reset_interrupt();

// Prints the one JSON document of a command.
void print_json(const Json& document);

std::string read_file(const std::string& path);  // "-" is standard input. Throws FileError
// "1,2,3". Throws UsageError that names the option.
std::vector<std::int32_t> parse_tokens(const std::string& list, const char* option = "--tokens");
std::string megabytes(double bytes);

// --lora: "adapter:0.5" is a path and a scale, unless it is a path itself. Throws UsageError.
std::pair<std::string, float> path_and_scale(const std::string& text);

// --lookup N, and what it says as lq_generate_options wants it (there 0 is the default and -1 means none).
void add_lookup(CLI::App& app, int& lookup);
std::int32_t lookup_option(int lookup);

// {"load_ms", "prefill_ms", "decode_ms", "prefill_tps", "decode_tps", "first_token_ms", "drafted_tokens",
// "accepted_tokens"}
Json timings_json(const lq_result& result);
// "42 prompt tokens at 285.0/s, 96 tokens at 110.1/s"
std::string timings_line(const lq_result& result);

// A bar on stderr, if that is a terminal; nothing otherwise.
class ProgressBar {
 public:
  explicit ProgressBar(std::string label);
  ~ProgressBar();
  void update(double fraction, double seconds_left = -1);  // < 0: not told

 private:
  std::string label_;
  bool active_;
  int last_ = -1;
};

}  // namespace cli
