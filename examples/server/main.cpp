// loquor-server: OpenAI's HTTP API over one model, many requests computed together. An example of the library in a
// service.
#include <pthread.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "server.hpp"

namespace {

struct Arguments {
  std::string model = "smollm2", embedder, name;
  std::uint32_t threads = 0;
  std::size_t body_mb = 4;
  std::uint64_t prefix_mb = 256;
  int time = 300, drain = 20, write_timeout = 10;
  server::Limits limits;
  server::Options options;
};

void declare(CLI::App& app, Arguments& a) {
  app.add_option("-m,--model", a.model, "Short name, GGUF file or Hugging Face folder")->capture_default_str();
  app.add_option("--name", a.name, "The model's name for clients (default: from the file's)");
  app.add_option("--embedder", a.embedder, "Text encoder for /v1/embeddings");
  app.add_option("-t,--threads", a.threads, "Computing threads; 0 = all CPUs")->capture_default_str();
  app.add_option("--host", a.options.host, "Address to listen at")->capture_default_str();
  app.add_option("--port", a.options.port, "0 = any free one, printed")->capture_default_str();
  app.add_option("--api-key", a.options.api_key, "What clients must send as bearer token")->envname("LOQUOR_API_KEY");
  app.add_option("--cors", a.options.cors, "Origin whose scripts may call, or *");
  app.add_option("-c,--context", a.limits.context, "Tokens in one conversation")->capture_default_str();
  app.add_option("--kv-type", a.limits.kv_type, "f16, q8_0 or f32")->capture_default_str();
  app.add_option("--max-tokens", a.limits.max_tokens, "Most tokens that a request may generate; 0 = the context");
  app.add_option("--parallel", a.limits.parallel, "Generations computed together")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  app.add_option("--queue", a.limits.queue, "Generations that may wait")->capture_default_str();
  app.add_option("--time", a.time, "Seconds that a request may take, waiting included")
      ->check(CLI::Range(1, 86400))
      ->capture_default_str();
  app.add_option("--connections", a.options.connections, "Connections served at once; more wait")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  app.add_option("--body-mb", a.body_mb, "Largest body, MiB")->check(CLI::Range(1, 1024))->capture_default_str();
  app.add_option("--prefix-cache-mb", a.prefix_mb, "Memory for prompts that begin alike, MiB; 0 = none")
      ->capture_default_str();
  app.add_option("--write-timeout", a.write_timeout, "Seconds that a client may not read")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  app.add_option("--drain", a.drain, "Seconds that requests get to end when the server is told to stop")
      ->capture_default_str();
}

std::string name_of(const std::string& source) {
  const std::filesystem::path path(source);
  return path.extension() == ".gguf"        ? path.stem().string()
         : path.filename().string().empty() ? source
                                            : path.filename().string();
}

int run(Arguments& a, const sigset_t& signals) {
  a.limits.time = std::chrono::seconds(a.time);
  a.limits.prefix_cache = a.prefix_mb << 20;
  a.options.body = a.body_mb << 20;
  a.options.write_timeout = std::chrono::seconds(a.write_timeout);
  a.options.name = a.name.empty() ? name_of(a.model) : a.name;
  loquor::ContextOptions context_options;
  context_options.threads = a.threads;
  const loquor::Context context(context_options);
  server::Metrics metrics;
  server::Engine engine(loquor::Model(a.model, {}, context), a.limits, metrics);
  std::unique_ptr<server::Encoder> encoder;
  if (!a.embedder.empty())
    encoder = std::make_unique<server::Encoder>(loquor::Model(a.embedder, {}, context), name_of(a.embedder));
  server::Server http(engine, encoder.get(), metrics, a.options);
  const int port = http.bind();
  if (port < 0) throw std::runtime_error("cannot listen at " + a.options.host + ":" + std::to_string(a.options.port));
  std::printf("%s at http://%s:%d\n", a.options.name.c_str(), a.options.host.c_str(), port);
  std::fflush(stdout);
  std::thread stopper([&] {
    int signal = 0;
    sigwait(&signals, &signal);
    std::fprintf(stderr, "stopping: requests at work get %d s\n", a.drain);
    http.drain(std::chrono::seconds(a.drain));
  });
  http.serve();
  stopper.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  CLI::App app("OpenAI's HTTP API over one language model in this process", "loquor-server");
  declare(app, a);
  CLI11_PARSE(app, argc, argv);
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it; one of them waits for these
  signal(SIGPIPE, SIG_IGN);
  try {
    return run(a, signals);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "loquor-server: %s\n", e.what());
    return 1;
  }
}
