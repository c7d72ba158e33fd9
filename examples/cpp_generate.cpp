// Generates text from C++: cpp_generate [MODEL] [PROMPT].
#include <cstdio>
#include <iostream>
#include <loquor.hpp>

int main(int argc, char** argv) try {
  const loquor::Model model(argc > 1 ? argv[1] : "smollm2");
  loquor::Session session(model);
  loquor::Sampler sampler;
  sampler.add("top_k", 40).add("temperature", 0.7).seed(1);
  loquor::GenerateOptions options;
  options.max_tokens = 64;
  options.sampler = &sampler;
  for (const loquor::Event& e : session.stream_chat({{"user", argc > 2 ? argv[2] : "Name three fruits."}}, options))
    std::cout << e.text() << std::flush;
  std::printf("\n[%.1f tokens per second]\n", session.result().decode_tps);
  return 0;
} catch (const loquor::Error& e) {
  std::cerr << "cpp_generate: " << e.what() << '\n';
  return 1;
}
