// Texts to vectors, by a text encoder. Thread contract: one user at a time; several embedders may share a model.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "loquor/generate/model.hpp"

namespace lq {

struct EmbedOptions {
  std::optional<Pooling> pooling;   // what the model says if not set
  bool normalize = true;            // vectors of length 1
  std::size_t max_tokens = 0;       // longer texts are cut, special tokens included; 0 = as the model says
  std::size_t batch_tokens = 1024;  // about how many tokens are computed at once
};

class Embedder {
 public:
  // Throws Error{unsupported} for a model that is no text encoder, Error{invalid_argument|out_of_memory}.
  Embedder(std::shared_ptr<const Model> model, EmbedOptions options = {});
  ~Embedder();

  std::size_t dimension() const noexcept;
  std::size_t max_tokens() const noexcept;
  // out (texts, dimension). A text gives the same bits alone and among others. `cancel` is polled between batches.
  // Throws Error{limit|cancelled|out_of_memory}.
  void embed(std::span<const std::string_view> texts, float* out, const std::atomic<bool>* cancel = nullptr);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lq
