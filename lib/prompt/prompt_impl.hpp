// A prompt as its parts share it.
#pragma once

#include <span>

#include "loquor/generate/chat_template.hpp"
#include "loquor/prompt/prompt.hpp"

namespace lq {

inline constexpr const char* kTherefore = "\nTherefore, the answer is:";

struct Prompt::Impl {
  std::vector<std::size_t> chosen(const std::string& question);
  std::vector<float> nearness(const std::string& question);
  std::string shown_output(const PromptExample& e) const;
  std::string raw_text(const std::string& question, std::span<const std::size_t> examples) const;
  RenderedChat chat_text(const Model& model, const std::string& question, std::span<const std::size_t> examples);

  PromptOptions options;
  Embedder* embedder = nullptr;
  std::shared_ptr<const Grammar> grammar;  // of the answer; null: free
  std::vector<float> vectors;              // of the examples' inputs, when they were first needed
  std::shared_ptr<const ChatTemplate> chat_template;
};

}  // namespace lq
