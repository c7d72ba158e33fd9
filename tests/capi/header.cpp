// Both layers compile as C++11 (the C headers) and C++17/20 (the RAII layer) with -Wall -Wextra -Wpedantic -Werror.
#include "loquor.h"
#if __cplusplus >= 201703L
#include "loquor.hpp"

int touch_everything(const char* path) {
  loquor::Model model(path);
  loquor::Session session(model);
  loquor::Sampler sampler;
  sampler.add("top_k", 40).add("repeat_penalty", {1.1, 64}).bias(3, -1.0f).seed(1);
  sampler.add([](lq_candidate*, std::size_t&, const std::int32_t*, std::size_t) { return true; });
  loquor::Sampler copy = sampler.clone();
  loquor::GenerateOptions options;
  options.sampler = &copy;
  int n = 0;
  for (const loquor::Event& e : session.stream_chat({{"user", "x"}}, options)) n += static_cast<int>(e.text().size());
  session.generate("x", options, [](const loquor::Event& e) { return !e.done(); });
  loquor::Session other = session.fork();
  loquor::PrefixCache cache(model, 1 << 20);
  other.use_prefix_cache(&cache);
  n += static_cast<int>(other.logits_of({1, 2}).size() + cache.stats().hits);
  loquor::Batch batch(model);
  batch.run({&session, &other}, [](std::size_t, const loquor::Event&) { return true; });
  loquor::ChatTemplate chat(model);
  loquor::Stream stream(model);
  n += static_cast<int>(chat.tokenize(model, {{"user", "x"}}).size() + stream.push(1).size());
  n += static_cast<int>(loquor::catalogue().size() + loquor::inspect_json(path).size());
  n += static_cast<int>(loquor::perplexity(model, loquor::Tokens(600, 1)).windows);
  loquor::Network network("linear 2 2");
  const float numbers[] = {1, 2};
  const std::int32_t classes[] = {1};
  const loquor::Dataset data({numbers, {1, 2}}, {classes, {1}});
  loquor::Trainer trainer(network);
  n += static_cast<int>(trainer.fit(data).step + network.run({numbers, {1, 2}}).shape.size());
  loquor::Adapter adapter(model, path);
  session.set_adapters({{&adapter, 0.5f}});
  n += static_cast<int>(loquor::Embedder(model).embed("x").size());
  return n;
}
#endif
