// The C++ layer from an installed tree.
#include <cstdio>
#include <loquor.hpp>

int main() {
  const loquor::Context context;
  try {
    const loquor::Model model("/nonexistent/model.gguf", {}, context);
    return 1;
  } catch (const loquor::Error& e) {
    if (e.status() != LQ_ERR_NOT_FOUND) return 2;
  }
  std::printf("loquor %s %s\n", loquor::version().c_str(), context.isa().c_str());
  return 0;
}
