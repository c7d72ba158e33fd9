// Names of the element types that GGUF files may hold, also of those that this build cannot read: for messages only.
#include <cstdint>
#include <iterator>

#include "loquor/formats/gguf.hpp"

namespace lq {

const char* gguf_element_name(std::uint32_t id) noexcept {
  // By id (ggml-org/ggml, enum ggml_type); null where a type was withdrawn.
  static constexpr const char* kNames[] = {
      "F32",    "F16",   "Q4_0",  "Q4_1",   nullptr, nullptr, "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
      "Q2_K",   "Q3_K",  "Q4_K",  "Q5_K",   "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
      "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",     "I64",    "F64",     "IQ1_M",
      "BF16",   nullptr, nullptr, nullptr,  "TQ1_0", "TQ2_0", nullptr,   nullptr,  nullptr,   "MXFP4"};
  const char* name = id < std::size(kNames) ? kNames[id] : nullptr;
  return name ? name : "unknown";
}

}  // namespace lq
