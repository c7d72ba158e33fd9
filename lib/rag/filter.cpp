#include "filter.hpp"

#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"

namespace lq {

namespace {

using Json = nlohmann::json;

constexpr const char* kMetadata = "coalesce(nullif(documents.metadata, ''), '{}')";
constexpr int kMaxDepth = 16;
constexpr std::size_t kMaxValues = 1000;  // parameters of a statement; SQLite's own limit is 32766

class Builder {
 public:
  void object(const Json& filter, int depth) {
    LQ_CHECK(depth < kMaxDepth, Code::limit, "search: filter: nested over ", kMaxDepth, " deep");
    LQ_CHECK(filter.is_object(), Code::invalid_argument, "search: filter: expected an object, not ", filter.type_name());
    bool first = true;
    sql("(");
    for (const auto& [key, value] : filter.items()) {
      if (!first) sql(" AND ");
      first = false;
      if (key == "$and" || key == "$or") {
        list(value, key == "$and" ? " AND " : " OR ", depth);
      } else if (key == "$not") {
        sql("NOT coalesce(");  // what is not known to hold does not
        object(value, depth + 1);
        sql(", 0)");
      } else {
        LQ_CHECK(key.empty() || key[0] != '$', Code::invalid_argument, "search: filter: unknown operator '", key.substr(0, 32), "'");
        field(key, value);
      }
    }
    sql(first ? "1)" : ")");
  }
  FilterSql take() { return std::move(filter_); }

 private:
  void sql(const char* text) { filter_.sql += text; }
  void parameter(std::variant<std::int64_t, double, std::string> value) {
    LQ_CHECK(filter_.values.size() < kMaxValues, Code::limit, "search: filter: over ", kMaxValues, " values");
    filter_.values.push_back(std::move(value));
    sql("?");
  }
  void list(const Json& parts, const char* between, int depth) {
    LQ_CHECK(parts.is_array() && !parts.empty(), Code::invalid_argument, "search: filter: $and and $or take a list of filters");
    sql("(");
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (i) sql(between);
      object(parts[i], depth + 1);
    }
    sql(")");
  }
  // "a.b" is $."a"."b"; a quotation mark cannot be written in SQLite's paths.
  void path(const std::string& key) {
    LQ_CHECK(!key.empty() && key.size() < 512 && key.find_first_of("\"\\") == std::string::npos, Code::invalid_argument,
             "search: filter: the key '", key.substr(0, 64), "' is empty, too long or holds quotation marks");
    std::string path = "$.\"";
    for (const char c : key) path += c == '.' ? std::string("\".\"") : std::string(1, c);
    parameter(path + "\"");
  }
  void type_is(const std::string& key, const char* types) {
    sql("json_type("), sql(kMetadata), sql(", ");
    path(key);
    sql(") ");
    sql(types);
  }
  void compare(const std::string& key, const char* op, const Json& value) {
    sql("(");
    type_is(key, value.is_string() ? "= 'text'" : value.is_boolean() ? "IN ('true', 'false')" : "IN ('integer', 'real')");
    sql(" AND json_extract("), sql(kMetadata), sql(", ");
    path(key);
    sql(") ");
    sql(op);
    sql(" ");
    scalar(value);
    sql(")");
  }
  void scalar(const Json& value) {
    if (value.is_string()) return parameter(value.get<std::string>());
    if (value.is_boolean()) return parameter(std::int64_t{value.get<bool>()});
    if (value.is_number_integer()) return parameter(value.get<std::int64_t>());
    LQ_CHECK(value.is_number(), Code::invalid_argument, "search: filter: cannot compare with ", value.type_name());
    parameter(value.get<double>());
  }
  void equal(const std::string& key, const Json& value) {
    if (!value.is_null()) return compare(key, "=", value);
    sql("coalesce(");
    type_is(key, "= 'null', 1)");
  }
  void any_of(const std::string& key, const Json& values) {
    LQ_CHECK(values.is_array(), Code::invalid_argument, "search: filter: $in takes a list");
    sql("(0");
    for (const Json& value : values) {
      sql(" OR ");
      equal(key, value);
    }
    sql(")");
  }
  void contains(const std::string& key, const Json& value) {
    sql("EXISTS(SELECT 1 FROM json_each("), sql(kMetadata), sql(", ");
    path(key);
    sql(") AS item WHERE item.type ");
    sql(value.is_string() ? "= 'text'" : value.is_boolean() ? "IN ('true', 'false')" : "IN ('integer', 'real')");
    sql(" AND item.value = ");
    scalar(value);
    sql(")");
  }
  void field(const std::string& key, const Json& value) {
    if (!value.is_object()) return equal(key, value);
    LQ_CHECK(!value.empty(), Code::invalid_argument, "search: filter: '", key.substr(0, 64), "' has no condition");
    sql("(");
    bool first = true;
    for (const auto& [op, operand] : value.items()) {
      if (!first) sql(" AND ");
      first = false;
      one(key, op, operand);
    }
    sql(")");
  }
  void one(const std::string& key, const std::string& op, const Json& operand) {
    if (op == "$eq") return equal(key, operand);
    if (op == "$ne") {
      sql("NOT ");
      return equal_or_false(key, operand);
    }
    if (op == "$gt") return compare(key, ">", operand);
    if (op == "$gte") return compare(key, ">=", operand);
    if (op == "$lt") return compare(key, "<", operand);
    if (op == "$lte") return compare(key, "<=", operand);
    if (op == "$in") return any_of(key, operand);
    if (op == "$contains") return contains(key, operand);
    LQ_CHECK(op == "$exists" && operand.is_boolean(), Code::invalid_argument, "search: filter: unknown operator '", op.substr(0, 32),
             "' (expected $eq $ne $gt $gte $lt $lte $in $contains $exists)");
    type_is(key, operand.get<bool>() ? "IS NOT NULL" : "IS NULL");
  }
  // NOT of an absent value would be NULL.
  void equal_or_false(const std::string& key, const Json& value) {
    sql("coalesce(");
    equal(key, value);
    sql(", 0)");
  }

  FilterSql filter_;
};

}  // namespace

void FilterSql::bind(sqlite::Statement& statement, int first) const {
  for (const auto& value : values) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) statement.bind(first, *number);
    else if (const auto* real = std::get_if<double>(&value)) statement.bind(first, *real);
    else statement.bind(first, std::string_view(std::get<std::string>(value)));
    ++first;
  }
}

FilterSql parse_filter(std::string_view json) {
  if (json.empty()) return {};
  Json filter;
  try {
    // A parser with a bound on depth: what nests deeper is refused before it is built.
    filter = Json::parse(json, [](int depth, Json::parse_event_t, Json&) {
      LQ_CHECK(depth <= 2 * kMaxDepth, Code::limit, "search: filter: nested over ", kMaxDepth, " deep");
      return true;
    });
  } catch (const Json::exception& e) {
    fail(Code::invalid_argument, "search: filter: ", e.what());
  }
  Builder builder;
  builder.object(filter, 0);
  return builder.take();
}

}  // namespace lq
