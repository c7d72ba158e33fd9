#include "calls.hpp"
#include "loquor/formats/gguf_writer.hpp"

namespace lq_test {

using lq::capi::Kind;

// An adapter of the tiny model that changes the queries of its first layer.
void write_adapter(const std::string& path, float value) {
  lq::GgufWriter w;
  w.add_string("general.architecture", "llama");
  w.add_string("general.type", "adapter");
  w.add_string("adapter.type", "lora");
  w.add_f32("adapter.lora.alpha", 2);
  w.add_tensor("blk.0.attn_q.weight.lora_a", lq::DType::F32, {2, 64});
  w.add_tensor("blk.0.attn_q.weight.lora_b", lq::DType::F32, {64, 2});
  w.begin(path);
  std::vector<float> numbers(128);
  for (std::size_t i = 0; i < 128; ++i) numbers[i] = i % 3 == 0 ? value : -value;
  for (int i = 0; i < 2; ++i) w.write(numbers.data(), numbers.size() * sizeof(float));
  w.commit();
}

std::vector<CallRow> adapter_calls() {
  return {
      {"lq_adapter_load", Takes::handle, Kind::model,
       [](Handles& f, void* h) {
         lq_adapter* a = nullptr;
         return freed(lq_adapter_load(&a, as<lq_model>(h), (f.path + ".adapter").c_str()), a, lq_adapter_free);
       }},
      {"lq_adapter_targets", Takes::handle, Kind::adapter,
       [](Handles&, void* h) {
         size_t n = 0;
         return lq_adapter_targets(&n, as<lq_adapter>(h));
       }},
      {"lq_session_set_adapters", Takes::handle, Kind::session,
       [](Handles& f, void* h) {
         const float scale = 0.5f;
         return lq_session_set_adapters(as<lq_session>(h), &f.adapter, &scale, 1);
       }},
      {"lq_adapter_error", Takes::handle, Kind::adapter,
       [](Handles&, void* h) { return lq_adapter_error(nullptr, 0, nullptr, as<lq_adapter>(h)); }},
  };
}

}  // namespace lq_test
