// dump_tiny FOLDER
// For make_family_goldens.py: writes the models of tiny_families() as FOLDER/0.gguf, 1.gguf, ...
#include <cstdio>
#include <fstream>

#include "tiny_model.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: dump_tiny FOLDER\n");
    return 2;
  }
  int i = 0;
  for (const lq_test::TinyModel& m : lq_test::tiny_families()) {
    const std::string bytes = m.gguf();
    std::ofstream out(argv[1] + ("/" + std::to_string(i++)) + ".gguf", std::ios::binary);
    if (!out.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) return 1;
  }
  return 0;
}
