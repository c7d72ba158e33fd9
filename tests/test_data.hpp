// Where tests find data that is not in the repository. A test that needs it calls LQ_NEED_FILE, which ends the test with
// a warning naming what is missing instead of passing silently.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace lq_test {

// The shared data folder (tokenizer fixtures, templates, texts), "../shared/data" from the project's root.
inline std::string data(const std::string& relative) {
  const char* root = std::getenv("LQ_TEST_DATA");
  return (root ? std::string(root) : std::string(LQ_SOURCE_DIR) + "/../shared/data") + "/" + relative;
}

// The default model's file in the user's cache; "LQ_TEST_MODEL" overrides.
inline std::string model_path() {
  if (const char* p = std::getenv("LQ_TEST_MODEL")) return p;
  std::string cache;
  if (const char* l = std::getenv("LOQUOR_CACHE")) cache = l;
  else if (const char* x = std::getenv("XDG_CACHE_HOME")) cache = std::string(x) + "/loquor";
  else if (const char* h = std::getenv("HOME")) cache = std::string(h) + "/.cache/loquor";
  return cache + "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

}  // namespace lq_test

#define LQ_NEED_FILE(path)                                            \
  do {                                                                \
    if (!std::filesystem::exists(path)) {                             \
      WARN("SKIPPED: needs " << (path) << ", which is not here");     \
      return;                                                         \
    }                                                                 \
  } while (0)
