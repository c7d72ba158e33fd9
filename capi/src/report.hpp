// What evaluations and fine-tuning found, as a handle.
#pragma once

#include <string>

#include "handles.hpp"

namespace lq::capi {

struct ReportObject final : Object {
  static constexpr Kind kKind = Kind::report;
  explicit ReportObject(std::string text) : Object(kKind), json(std::move(text)) {}
  std::string json;
};

}  // namespace lq::capi
