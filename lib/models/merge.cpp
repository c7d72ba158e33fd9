#include "loquor/models/merge.hpp"

#include <cmath>
#include <map>
#include <vector>

#include "adapter_file.hpp"
#include "loquor/core/status.hpp"

namespace lq {
namespace {

class LoraEdit final : public WeightEdit {
 public:
  void add(const GgufFile& source, const MergePart& part, LoraFile file) {
    LQ_CHECK(std::isfinite(part.scale), Code::invalid_argument, "merge: ", part.path, ": the scale is not finite");
    for (auto& [target, m] : file) {
      const GgufTensor* t = source.find_tensor(target);
      LQ_CHECK(t, Code::mismatch, "merge: ", part.path, ": the model has no matrix '", target.substr(0, 128), "'");
      LQ_CHECK(t->shape.rank() == 2 && t->shape[0] == m.out && t->shape[1] == m.in, Code::mismatch, "merge: ",
               part.path, ": '", target, "' changes a matrix of ", m.out, " x ", m.in, ", the model's has ",
               t->shape[0], " x ", t->shape[t->shape.rank() - 1]);
      for (float& v : m.b) v *= part.scale;
      matrices_[target].push_back(std::move(m));
    }
  }

  bool changes(std::string_view tensor) const noexcept override { return matrices_.find(tensor) != matrices_.end(); }

  void apply(std::string_view tensor, std::size_t row, std::span<float> values) const noexcept override {
    for (const LoraMatrix& m : matrices_.find(tensor)->second)
      for (std::size_t r = 0; r < m.rank; ++r) {
        const float factor = m.b[row * m.rank + r];
        const float* a = m.a.data() + r * m.in;
        for (std::size_t i = 0; i < m.in; ++i) values[i] += factor * a[i];
      }
  }

 private:
  std::map<std::string, std::vector<LoraMatrix>, std::less<>> matrices_;
};

}  // namespace

QuantizeResult merge_adapters(const Context& ctx, const GgufFile& source, std::span<const MergePart> adapters,
                              const std::string& target, const QuantizeOptions& options) {
  LQ_CHECK(!adapters.empty(), Code::invalid_argument, "merge: no adapters");
  const DecoderSpec spec = Decoder::read_spec(source);
  LoraEdit edit;
  for (const MergePart& part : adapters) edit.add(source, part, read_lora(part.path, spec));
  QuantizeOptions with = options;
  with.edit = &edit;
  return quantize_gguf(ctx, source, target, with);
}

}  // namespace lq
