// Part of loquor.hpp: prompts.
#ifndef LOQUOR_LQ_PROMPT_HPP
#define LOQUOR_LQ_PROMPT_HPP

#include "lq_prompt.h"
#include "lq_rag.hpp"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_prompt* raw) noexcept {
  lq_prompt_free(raw);
}
}  // namespace detail

// Options and reports are JSON, as lq_prompt.h describes them.
class Prompt {
 public:
  explicit Prompt(const std::string& options, const Model* encoder = nullptr) {
    detail::check(lq_prompt_create(raw_.out(), options.data(), options.size(), encoder ? encoder->get() : nullptr));
  }
  std::string ask(Session& session, const std::string& question, const Cancel* cancel = nullptr) {
    return detail::report([&](lq_report** out) {
      return lq_prompt_ask(out, raw_.get(), session.get(), question.data(), question.size(),
                           cancel ? cancel->get() : nullptr);
    });
  }
  std::string build(const Model& model, const std::string& question, std::uint32_t budget = 0) {
    return detail::report([&](lq_report** out) {
      return lq_prompt_build(out, raw_.get(), model.get(), question.data(), question.size(), budget);
    });
  }
  lq_prompt* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_prompt> raw_;
};

}  // namespace loquor
#endif
