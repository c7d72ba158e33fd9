// loquor: one command a file, cmd_NAME.cpp.
#include <cstdio>
#include <cstring>
#include <new>

#include "cli.hpp"

namespace {

using namespace cli;

int exit_code(lq_status status) {
  switch (status) {
    case LQ_ERR_INVALID_ARGUMENT:
    case LQ_ERR_CONTEXT_FULL:
    case LQ_ERR_LIMIT:
      return kUsage;
    case LQ_ERR_NOT_FOUND:
    case LQ_ERR_IO:
    case LQ_ERR_BAD_FILE:
    case LQ_ERR_UNSUPPORTED:
    case LQ_ERR_MISMATCH:
    case LQ_ERR_TEMPLATE:
      return kBadFile;
    case LQ_ERR_OUT_OF_MEMORY:
      return kNoMemory;
    case LQ_ERR_CANCELLED:
      return kInterrupted;
    default:
      return kDefect;
  }
}

int report(bool json, int code, const char* kind, const std::string& message) {
  std::fprintf(stderr, "loquor: %s\n", message.c_str());
  if (json) print_json({{"error", {{"kind", kind}, {"message", message}}}});
  return code;
}

// Runs `body` and turns what it throws into one line on stderr and an exit code.
template <class Fn>
int guarded(bool json, Fn&& body) {
  try {
    return body();
  } catch (const loquor::Error& e) {
    return report(json, exit_code(e.status()), lq_status_name(e.status()), e.what());
  } catch (const UsageError& e) {
    return report(json, kUsage, "usage", e.what());
  } catch (const FileError& e) {
    return report(json, kBadFile, "io", e.what());
  } catch (const std::bad_alloc&) {
    return report(json, kNoMemory, "out_of_memory", "out of memory");
  } catch (const std::exception& e) {
    return report(json, kDefect, "internal", e.what());
  }
}

int parse_and_run(int argc, char** argv, bool json) {
  CLI::App app("Language models in your own process: run `loquor COMMAND --help` for the options of a command",
               "loquor");
  app.set_version_flag("--version", "loquor " + loquor::version());
  app.require_subcommand(1);
  const std::vector<Command> commands = {add_generate(app),   add_chat(app),      add_tokenize(app), add_logits(app),
                                         add_perplexity(app), add_mmlu(app),      add_finetune(app), add_rag(app),
                                         add_bench(app),      add_quantize(app),  add_convert(app),  add_merge(app),
                                         add_embed(app),      add_attention(app), add_models(app),   add_info(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    return report(json, kUsage, "usage", std::string(e.what()) + " (see loquor --help)");
  }
  catch_interrupts();
  for (const Command& command : commands)
    if (command.app->parsed()) return command.run();
  return kUsage;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  for (int i = 1; i < argc; ++i) json = json || std::strcmp(argv[i], "--json") == 0;
  return guarded(json, [&] { return parse_and_run(argc, argv, json); });
}
