// loquor attention: how a model's heads weigh the words of a text, as figures or as a heat map.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "cli.hpp"

extern char** environ;

namespace cli {

extern const char kAttentionPlot[];

namespace {

struct Options {
  Common common;
  std::string text, out;
  int layer = -1, head = -1;
  bool heads = false;
};

Json panel(const std::string& title, const loquor::AttentionScores& s, std::size_t head, std::size_t n) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < s.tokens; ++i) {
    std::vector<float> row(s.tokens, 0.0f);
    for (std::size_t h = head; h < head + n; ++h)
      for (std::size_t j = 0; j < s.tokens; ++j) row[j] += s.row(0, h, i)[j] / static_cast<float>(n);
    rows.push_back(row);
  }
  return {{"title", title}, {"rows", rows}};
}

Json panels(const Options& o, const loquor::AttentionScores& s, std::size_t layer) {
  const std::string name = "layer " + std::to_string(layer);
  Json out = Json::array();
  if (o.heads)
    for (std::size_t h = 0; h < s.n_head; ++h) out.push_back(panel(name + ", head " + std::to_string(h), s, h, 1));
  else if (o.head >= 0)
    out.push_back(panel(name + ", head " + std::to_string(o.head), s, static_cast<std::size_t>(o.head), 1));
  else
    out.push_back(panel(name + ", mean of " + std::to_string(s.n_head) + " heads", s, 0, s.n_head));
  return out;
}

// Runs Python with matplotlib on the document; its own words are the error.
void draw(const Json& document, const std::string& path) {
  const char* const python = std::getenv("LOQUOR_PYTHON") ? std::getenv("LOQUOR_PYTHON") : "python3";
  int to[2];
  if (pipe2(to, O_CLOEXEC) != 0) throw FileError(std::string("attention: pipe: ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], 0);
  const char* const argv[] = {python, "-c", kAttentionPlot, path.c_str(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, python, &actions, nullptr, const_cast<char**>(argv), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  if (failed) {
    close(to[1]);
    throw FileError(std::string("attention: cannot run ") + python + " (" + std::strerror(failed) +
                    "); --json gives the figures without it");
  }
  const std::string text = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  signal(SIGPIPE, SIG_IGN);  // a child that ended early says why by itself
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = write(to[1], text.data() + at, text.size() - at);
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  close(to[1]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw FileError("attention: '" + path + "' was not drawn; --json gives the figures without Python");
}

int run(const Options& o) {
  if (o.text.empty()) throw UsageError("attention: no text (give --text)");
  if (o.out.empty() && !o.common.json) throw UsageError("attention: give --out FILE.png, or --json");
  const loquor::Model model = o.common.load();
  const loquor::Tokens tokens = model.tokenize(o.text, true);
  const lq_model_info info = model.info();
  const auto layers = info.n_layer, heads = info.n_head;
  const int layer = o.layer < 0 ? static_cast<int>(layers) + o.layer : o.layer;
  if (layer < 0 || layer >= static_cast<int>(layers))
    throw UsageError("attention: layer " + std::to_string(o.layer) + ", but the model has " + std::to_string(layers));
  if (o.head >= static_cast<int>(heads))
    throw UsageError("attention: head " + std::to_string(o.head) + ", but the model has " + std::to_string(heads));
  const auto scores = loquor::attention_scores(model, tokens, static_cast<std::uint32_t>(layer), 1);
  Json pieces = Json::array();
  for (const std::int32_t id : tokens) pieces.push_back(model.detokenize({id}, true));
  const Json document = {{"tokens", tokens},
                         {"pieces", pieces},
                         {"layer", layer},
                         {"panels", panels(o, scores, static_cast<std::size_t>(layer))}};
  if (!o.out.empty()) draw(document, o.out);
  if (o.common.json) print_json(document);
  return kOk;
}

}  // namespace

Command add_attention(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("attention", "Show how a model's heads weigh the words of a text");
  o->common.add_to(*sub);
  sub->add_option("--text", o->text, "The text");
  sub->add_option("-o,--out", o->out, "Draw a heat map into this .png, .svg or .pdf (by python3 with matplotlib)");
  sub->add_option("--layer", o->layer, "Layer, from 0; -1 is the last one (default)");
  sub->add_option("--head", o->head, "One head, from 0 (default: the mean of all)");
  sub->add_flag("--heads", o->heads, "A map for each head");
  return {sub, [o] { return run(*o); }};
}

}  // namespace cli
