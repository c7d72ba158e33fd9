// The JSON behind HfConfig. Private to lib/models.
#pragma once

#include <nlohmann/json.hpp>

#include "hf_config.hpp"

namespace lq {

struct HfConfig::Value {
  nlohmann::json json;
};

}  // namespace lq
