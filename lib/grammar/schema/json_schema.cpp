#include "loquor/core/status.hpp"
#include "schema_rules.hpp"
#include "schema_writer.hpp"

namespace lq::schema {
namespace {

constexpr int kDepth = 128;
constexpr std::size_t kMaxText = std::size_t{4} << 20;

Json parse(std::string_view text) {
  LQ_CHECK(text.size() <= kMaxText, Code::limit, "JSON Schema: ", text.size(), " bytes, at most ", kMaxText);
  const auto depth = [](int level, Json::parse_event_t, Json&) {
    LQ_CHECK(level <= kDepth, Code::limit, "JSON Schema: nested deeper than ", kDepth);
    return true;
  };
  try {
    return Json::parse(text, depth);
  } catch (const Json::exception& e) {
    fail(Code::invalid_argument, "JSON Schema: not valid JSON: ", e.what());
  }
}

}  // namespace

RuleSet rules_of_schema(std::string_view text, const SchemaOptions& options) {
  const Json document = parse(text);
  try {
    return SchemaWriter(document, options).write();
  } catch (const Json::exception& e) {
    fail(Code::invalid_argument, "JSON Schema: ", e.what());
  }
}

}  // namespace lq::schema

std::shared_ptr<const lq::Grammar> lq::Grammar::from_json_schema(std::string_view text, const SchemaOptions& options) {
  return std::make_shared<const Grammar>(schema::rules_of_schema(text, options));
}
