#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"
#include "schema_writer.hpp"

namespace lq {
namespace {

constexpr int kDepth = 128;
constexpr std::size_t kMaxText = std::size_t{4} << 20;

schema::Json parse(std::string_view text) {
  LQ_CHECK(text.size() <= kMaxText, Code::limit, "JSON Schema: ", text.size(), " bytes, at most ", kMaxText);
  const auto depth = [](int level, schema::Json::parse_event_t, schema::Json&) {
    LQ_CHECK(level <= kDepth, Code::limit, "JSON Schema: nested deeper than ", kDepth);
    return true;
  };
  try {
    return schema::Json::parse(text, depth);
  } catch (const schema::Json::exception& e) {
    fail(Code::invalid_argument, "JSON Schema: not valid JSON: ", e.what());
  }
}

}  // namespace

std::shared_ptr<const Grammar> Grammar::from_json_schema(std::string_view text, const SchemaOptions& options) {
  const schema::Json document = parse(text);
  try {
    return std::make_shared<const Grammar>(schema::SchemaWriter(document, options).write());
  } catch (const schema::Json::exception& e) {
    fail(Code::invalid_argument, "JSON Schema: ", e.what());
  }
}

}  // namespace lq
