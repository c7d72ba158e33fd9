// The adapters of tests/goldens/adapters.json as PEFT's folders, of numbers by the recipe that make_adapter_goldens.py has
// too. Test-only.
#pragma once

#include "hf_checkpoint.hpp"

namespace lq_test {

using namespace lq;

inline nlohmann::json adapter_goldens() {
  return nlohmann::json::parse(std::ifstream(std::string(LQ_SOURCE_DIR) + "/tests/goldens/adapters.json"));
}

inline void write_peft(const std::string& folder, const nlohmann::json& golden) {
  write_bytes(folder + "/adapter_config.json", golden.at("config").dump());
  SafetensorsWriter w;
  for (const auto& t : golden.at("tensors")) w.add_tensor(t[0].get<std::string>(), DType::F32, {t[1][0], t[1][1]});
  w.begin(folder + "/adapter_model.safetensors");
  for (const auto& t : golden.at("tensors")) {
    const auto values = recipe(t[0], t[1][0].get<std::size_t>() * t[1][1].get<std::size_t>(), 0, 0.25f);
    w.write(values.data(), values.size() * sizeof(float));
  }
  w.commit();
}

}  // namespace lq_test
