// loquor tokenize: text to token ids. Works with vocabulary-only files.
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  std::string file, text;
  bool no_special = false, add_special = false;
};

// Control characters and invalid bytes as \xHH, so that a token stays on its line.
std::string printable(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto b = static_cast<unsigned char>(c);
    if (c == '\n')
      out += "\\n";
    else if (b < 0x20 || b == 0x7f) {
      char hex[8];
      std::snprintf(hex, sizeof hex, "\\x%02x", b);
      out += hex;
    } else
      out += c;
  }
  return out;
}

int run(const Options& o, bool has_text) {
  const std::string text = has_text ? o.text : read_file(o.file.empty() ? "-" : o.file);
  const loquor::Model model = o.common.load(true);
  const loquor::Tokens tokens = model.tokenize(text, o.add_special, !o.no_special);
  if (o.common.json) {
    print_json({{"tokens", tokens}});
    return kOk;
  }
  for (const std::int32_t id : tokens) std::printf("%8d  '%s'\n", id, printable(model.token_text(id)).c_str());
  std::fprintf(stderr, "[%zu tokens, %zu bytes]\n", tokens.size(), text.size());
  return kOk;
}

}  // namespace

Command add_tokenize(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("tokenize", "Turn text into token ids");
  o->common.add_to(*sub);
  auto* file = sub->add_option("-f,--file", o->file, "Read the text from a file; standard input if absent or -");
  auto* text = sub->add_option("--text", o->text, "The text")->excludes(file);
  sub->add_flag("--no-special", o->no_special, "Control tokens in the text are plain text");
  sub->add_flag("--add-special", o->add_special, "Add the begin and end tokens that the model wants");
  return {sub, [o, text] { return run(*o, text->count() > 0); }};
}

}  // namespace cli
