// loquor info: what a model file holds and needs. loquor models: the models known by name.
#include <cstdio>

#include "cli.hpp"

namespace cli {

namespace {

struct Options {
  Common common;
  unsigned ctx = 0;
  std::string kv_type = "f16";
};

void print_info(const lq_model_info& i, const Json& j) {
  std::printf("%s\n", i.name[0] ? i.name : "(no name)");
  std::printf("  file             %s, %s\n", j.value("path", "").c_str(),
              megabytes(static_cast<double>(i.file_bytes)).c_str());
  std::printf("  architecture     %s, tokenizer %s\n", i.architecture, j.value("tokenizer", "").c_str());
  std::printf("  parameters       %.1f million\n", static_cast<double>(i.n_params) / 1e6);
  std::printf("  layers           %u of width %u, feed-forward %u\n", i.n_layer, i.d_model, i.d_ff);
  std::printf("  attention        %u heads, %u key/value heads, of %u\n", i.n_head, i.n_kv_head, i.head_dim);
  std::printf("  vocabulary       %u tokens\n", i.n_vocab);
  std::printf("  trained context  %u tokens\n", i.n_ctx_train);
  std::printf("  chat template    %s\n", i.has_chat_template ? "yes" : "no");
  const Json types = j.value("tensor_types", Json::object());
  for (const auto& [type, t] : types.items())
    std::printf("  tensors          %s: %d, %s\n", type.c_str(), t.value("tensors", 0),
                megabytes(t.value("bytes", 0.0)).c_str());
  std::printf("  memory           %s weights + %s KV cache at %u tokens + %s workspace\n",
              megabytes(static_cast<double>(i.weight_bytes)).c_str(),
              megabytes(static_cast<double>(i.kv_bytes)).c_str(), i.n_ctx,
              megabytes(static_cast<double>(i.workspace_bytes)).c_str());
}

int run_info(const Options& o) {
  const loquor::Context context = o.common.context();
  const Json document = Json::parse(loquor::inspect_json(o.common.model, context, o.ctx, o.kv_type.c_str()));
  if (o.common.json) {
    print_json(document);
  } else {
    print_info(loquor::inspect(o.common.model, context, o.ctx, o.kv_type.c_str()), document);
  }
  return kOk;
}

int run_models(const Options& o) {
  Json list = Json::array();
  for (const lq_catalogue_entry& e : loquor::catalogue()) {
    const std::string path = loquor::model_path(e.name);
    if (!o.common.json)
      std::printf("%s\n  %s, %s, licence %s\n  from   %s\n  cached %s%s\n", e.name, e.title,
                  megabytes(static_cast<double>(e.bytes)).c_str(), e.licence, e.source, path.c_str(),
                  e.cached ? "" : " (not there yet)");
    list.push_back({{"name", e.name},
                    {"title", e.title},
                    {"source", e.source},
                    {"bytes", e.bytes},
                    {"licence", e.licence},
                    {"sha256", e.sha256},
                    {"path", path},
                    {"cached", e.cached != 0}});
  }
  if (o.common.json) print_json({{"models", std::move(list)}});
  return kOk;
}

}  // namespace

Command add_info(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("info", "Describe a model file without loading it");
  o->common.add_to(*sub);
  sub->add_option("--ctx", o->ctx, "Context size for the memory figures; 0 = as trained")->capture_default_str();
  sub->add_option("--kv-type", o->kv_type, "Type of the KV cache: f16, q8_0 or f32")->capture_default_str();
  return {sub, [o] { return run_info(*o); }};
}

Command add_models(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* sub = app.add_subcommand("models", "List the models known by name");
  o->common.add_to(*sub);
  return {sub, [o] { return run_models(*o); }};
}

}  // namespace cli
