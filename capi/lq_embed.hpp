// Part of loquor.hpp: text encoders.
#ifndef LOQUOR_LQ_EMBED_HPP
#define LOQUOR_LQ_EMBED_HPP

#include "lq_embed.h"
#include "lq_model.hpp"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_embedder* raw) noexcept {
  lq_embedder_free(raw);
}
}  // namespace detail

struct EmbedderOptions {
  std::uint32_t max_tokens = 0;  // longer texts are cut; 0 = as the model says
  std::uint32_t batch_tokens = 0;
  bool normalize = true;
  std::string pooling = {};  // "mean", "cls", "last"; "" = as the model says
};

// Vectors of texts by a text encoder. One thread at a time. Keeps the model alive.
class Embedder {
 public:
  explicit Embedder(const Model& model, const EmbedderOptions& options = {}) {
    lq_embedder_options o = LQ_EMBEDDER_OPTIONS_INIT;
    o.max_tokens = options.max_tokens;
    o.batch_tokens = options.batch_tokens;
    o.raw = options.normalize ? 0 : 1;
    o.pooling = options.pooling.c_str();
    detail::check(lq_embedder_create(raw_.out(), model.get(), &o));
  }
  std::uint32_t dimension() const {
    std::uint32_t n = 0;
    detail::check(lq_embedder_dimension(&n, raw_.get()));
    return n;
  }
  std::uint32_t max_tokens() const {
    std::uint32_t n = 0;
    detail::check(lq_embedder_max_tokens(&n, raw_.get()));
    return n;
  }
  // Row after row, dimension() numbers each.
  std::vector<float> embed(const std::vector<std::string_view>& texts, const Cancel* cancel = nullptr) {
    std::vector<float> out(texts.size() * dimension());
    embed(texts, out.data(), out.size(), cancel);
    return out;
  }
  std::vector<float> embed(std::string_view text) { return embed(std::vector<std::string_view>{text}); }
  // Into memory of the caller's.
  void embed(const std::vector<std::string_view>& texts, float* out, std::size_t capacity,
             const Cancel* cancel = nullptr) {
    std::vector<const char*> data;
    std::vector<std::size_t> lengths;
    for (const std::string_view t : texts) {
      data.push_back(t.data() ? t.data() : "");
      lengths.push_back(t.size());
    }
    detail::check(lq_embedder_embed(out, capacity, nullptr, raw_.get(), data.data(), lengths.data(), texts.size(),
                                    cancel ? cancel->get() : nullptr));
  }
  lq_embedder* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_embedder> raw_;
};

}  // namespace loquor
#endif
