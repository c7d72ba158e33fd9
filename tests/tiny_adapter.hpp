// A LoRA adapter of the tiny model (tiny_model.hpp). Test-only.
#pragma once

#include <string>
#include <vector>

#include "loquor/formats/gguf_writer.hpp"

namespace lq_test {

// It changes the queries of the first layer.
inline void write_adapter(const std::string& path, float value) {
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

}  // namespace lq_test
