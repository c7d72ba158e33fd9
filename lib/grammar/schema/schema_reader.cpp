#include "schema_reader.hpp"

#include <algorithm>
#include <iterator>

#include "formats.hpp"
#include "loquor/core/status.hpp"
#include "loquor/grammar/regex.hpp"
#include "loquor/grammar/rules.hpp"

namespace lq::schema {
namespace {

// Say something about a schema, not about its values.
constexpr std::string_view kAnnotations[] = {
    "$comment",      "$defs",    "definitions", "$anchor",    "$id",       "title",           "description",
    "default",       "examples", "deprecated",  "readOnly",   "writeOnly", "contentEncoding", "contentMediaType",
    "contentSchema", "then",     "else",        "$vocabulary"};

bool is_annotation(std::string_view key) {
  return key.starts_with("x-") ||
         std::find(std::begin(kAnnotations), std::end(kAnnotations), key) != std::end(kAnnotations);
}

// Another meta-schema may give the keywords another meaning.
void dialect(const Json& value) {
  if (!value.is_string()) fail(Code::invalid_argument, "JSON Schema: $schema is not a string");
  const std::string_view uri = value.get_ref<const std::string&>();
  if (!uri.starts_with("https://json-schema.org/") && !uri.starts_with("http://json-schema.org/"))
    fail(Code::unsupported, "JSON Schema: the meta-schema '", uri, "' is not supported");
}

}  // namespace

struct SchemaReader::Deeper {
  explicit Deeper(SchemaReader& r) : reader(r) {
    LQ_CHECK(++reader.depth_ <= kDepth, Code::limit, "JSON Schema: alternatives and references nested deeper than ",
             kDepth);
  }
  ~Deeper() { --reader.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  SchemaReader& reader;
};

SchemaReader::SchemaReader(const Json& document, bool closed) : document_(document), closed_(closed) {}

ValueSet SchemaReader::values(const Conjunction& schemas) {
  ValueSet out = ValueSet::all();
  for (const Json* schema : schemas) out = out.intersect(values(*schema));
  return out;
}

ValueSet SchemaReader::values(const Json& schema) {
  const Deeper deeper(*this);
  if (schema.is_boolean()) return schema.get<bool>() ? ValueSet::all() : ValueSet{};
  if (!schema.is_object()) malformed(schema, "", "an object, true or false");
  ValueSet out = ValueSet::all();
  for (const auto& [key, value] : schema.items())
    if (!is_annotation(key)) one_keyword(key, value, schema, out);
  if (schema.contains("$id") && &schema != &document_)
    fail(Code::unsupported, "JSON Schema, ", where(schema), ": $id within a schema is not supported");
  return out;
}

void SchemaReader::one_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out) {
  if (key == "$schema")
    dialect(value);
  else if (key == "type")
    out = out.intersect(of_types(value));
  else if (key == "const")
    out = out.intersect(of_value(value));
  else if (key == "enum")
    out = out.intersect(of_values(value));
  else if (!number_keyword(key, value, out) && !text_keyword(key, value, out) &&
           !array_keyword(key, value, schema, out) && !object_keyword(key, value, schema, out) &&
           !combining_keyword(key, value, schema, out))
    fail(Code::unsupported, "JSON Schema, ", where(schema), ": the keyword '", key, "' is not supported");
}

namespace {

ValueSet with_numbers(Dfa numbers) {
  ValueSet out = ValueSet::all();
  out.numbers = std::move(numbers);
  return out;
}

std::size_t count_of(const Json& value, std::string_view key) {
  if (value.is_number_unsigned()) return value.get<std::size_t>();
  if (value.is_number_float()) {
    const double d = value.get<double>();
    if (d >= 0 && d < 1e15 && d == static_cast<double>(static_cast<std::size_t>(d))) return static_cast<std::size_t>(d);
  }
  fail(Code::invalid_argument, "JSON Schema: ", key, " must be a whole number >= 0, not ", value.dump());
}

}  // namespace

bool SchemaReader::number_keyword(const std::string& key, const Json& value, ValueSet& out) {
  const bool from = key == "minimum" || key == "exclusiveMinimum", to = key == "maximum" || key == "exclusiveMaximum";
  if (!from && !to && key != "multipleOf") return false;
  if (!value.is_number()) malformed(value, key, "a number");
  const Decimal v = Decimal::of(value);
  const bool exclusive = key.starts_with("exclusive");
  out = out.intersect(with_numbers(from ? at_least(v, exclusive) : to ? at_most(v, exclusive) : multiples_of(v)));
  return true;
}

bool SchemaReader::text_keyword(const std::string& key, const Json& value, ValueSet& out) {
  Texts texts;
  if (key == "minLength") {
    texts.min = count_of(value, key);
  } else if (key == "maxLength") {
    texts.max = count_of(value, key);
  } else if (key == "pattern" || key == "format") {
    if (!value.is_string()) malformed(value, key, "a string");
    const std::string text = value.get<std::string>();
    texts.dfa = key == "pattern" ? dfa_of_search(text) : texts_of_format(text);
  } else {
    return false;
  }
  ValueSet all = ValueSet::all();
  all.texts = std::move(texts);
  out = out.intersect(all);
  return true;
}

bool SchemaReader::array_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out) {
  Arrays arrays;
  if (key == "minItems") {
    arrays.min = count_of(value, key);
  } else if (key == "maxItems") {
    arrays.max = count_of(value, key);
  } else if (key == "uniqueItems") {
    if (!value.is_boolean()) malformed(schema, key, "true or false");
    if (value.get<bool>()) fail(Code::unsupported, "JSON Schema, ", where(schema), ": 'uniqueItems' is not supported");
    return true;
  } else if (key == "items" || key == "prefixItems") {
    if (key == "items" && value.is_array())
      fail(Code::unsupported, "JSON Schema, ", where(schema),
           ": 'items' with a list is not supported; write prefixItems");
    if (key == "items" && schema.contains("prefixItems")) return true;  // taken along with those
    Arrays::Part part;
    if (key == "prefixItems") {
      if (!value.is_array() || value.empty()) malformed(schema, key, "a list of schemas");
      for (const Json& item : value) part.prefix.push_back(&item);
    }
    if (const auto items = schema.find("items"); items != schema.end()) part.rest = &*items;
    arrays.parts.push_back(std::move(part));
  } else {
    return false;
  }
  ValueSet all = ValueSet::all();
  all.arrays = {std::move(arrays)};
  out = out.intersect(all);
  return true;
}

bool SchemaReader::object_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out) {
  const bool first_part = key == (schema.contains("properties")          ? "properties"
                                  : schema.contains("patternProperties") ? "patternProperties"
                                                                         : "additionalProperties");
  Objects objects;
  if (key == "minProperties") {
    objects.min = count_of(value, key);
  } else if (key == "maxProperties") {
    objects.max = count_of(value, key);
  } else if (key == "required") {
    if (!value.is_array()) malformed(schema, key, "a list of names");
    for (const Json& name : value) {
      if (!name.is_string()) malformed(schema, key, "a list of names");
      objects.require(name.get<std::string>());
    }
  } else if (key == "propertyNames") {
    const ValueSet names = values(value);
    objects.names = names.texts ? names.texts->as_dfa() : Dfa{};
  } else if (key == "properties" || key == "patternProperties" || key == "additionalProperties") {
    if (!first_part) return true;  // taken along with the first of the three
    Objects::Part part;
    if (const auto at = schema.find("properties"); at != schema.end()) {
      if (!at->is_object()) malformed(schema, "properties", "an object");
      for (const auto& [name, child] : at->items()) part.properties.emplace_back(name, &child);
    }
    if (const auto at = schema.find("patternProperties"); at != schema.end()) {
      if (!at->is_object()) malformed(schema, "patternProperties", "an object");
      for (const auto& [pattern, child] : at->items()) part.patterns.emplace_back(dfa_of_search(pattern), &child);
    }
    if (const auto at = schema.find("additionalProperties"); at != schema.end())
      part.rest = &*at;
    else if (closed_ && !part.properties.empty())
      part.rest = constant(Json(false));
    objects.parts.push_back(std::move(part));
  } else {
    return false;
  }
  ValueSet all = ValueSet::all();
  all.objects = {std::move(objects)};
  out = out.intersect(all);
  return true;
}

bool SchemaReader::combining_keyword(const std::string& key, const Json& value, const Json& schema, ValueSet& out) {
  if (key == "$ref") {
    const Json* target = resolve(value);
    LQ_CHECK(open_references_.insert(target).second, Code::unsupported, "JSON Schema, ", where(schema), ": $ref ",
             value.dump(), " leads back to itself");
    out = out.intersect(values(*target));
    open_references_.erase(target);
  } else if (key == "allOf" || key == "anyOf" || key == "oneOf") {
    if (!value.is_array() || value.empty()) malformed(schema, key, "a list of schemas");
    if (key == "allOf") {
      for (const Json& part : value) out = out.intersect(values(part));
    } else if (key == "anyOf") {
      ValueSet any;
      for (const Json& part : value) any = any.unite(values(part));
      out = out.intersect(any);
    } else {
      out = out.intersect(one_of(value));
    }
  } else if (key == "not") {
    out = out.intersect(complement(values(value), key));
  } else if (key == "if") {
    out = out.intersect(if_then_else(schema));
  } else if (key == "dependentRequired" || key == "dependentSchemas") {
    if (!value.is_object()) malformed(schema, key, "an object");
    dependent(value, key == "dependentSchemas", out);
  } else {
    return false;
  }
  return true;
}

ValueSet SchemaReader::of_types(const Json& type) {
  if (type.is_string()) return ValueSet::of_type(type.get<std::string>());
  if (!type.is_array() || type.empty()) malformed(type, "type", "a type or a list of types");
  ValueSet out;
  for (const Json& t : type) {
    if (!t.is_string()) malformed(type, "type", "a type or a list of types");
    out = out.unite(ValueSet::of_type(t.get<std::string>()));
  }
  return out;
}

const Json* SchemaReader::constant(Json schema) { return &constants_.emplace_back(std::move(schema)); }

ValueSet SchemaReader::of_value(const Json& value) {
  const auto child = [this](const Json& v) { return constant(Json::object({{"const", v}})); };
  ValueSet out;
  if (value.is_null()) {
    out.null = true;
  } else if (value.is_boolean()) {
    (value.get<bool>() ? out.yes : out.no) = true;
  } else if (value.is_number()) {
    out.numbers = equal_to(Decimal::of(value));
  } else if (value.is_string()) {
    out.texts = Texts{0, kAnyNumber, Dfa::of_text(value.get<std::string>())};
  } else if (value.is_array()) {
    Arrays a;
    a.min = a.max = value.size();
    Arrays::Part part;
    for (const Json& item : value) part.prefix.push_back(child(item));
    a.parts.push_back(std::move(part));
    out.arrays.push_back(std::move(a));
  } else {
    Objects o;
    Objects::Part part;
    for (const auto& [name, v] : value.items()) {
      part.properties.emplace_back(name, child(v));
      o.require(name);
    }
    part.rest = constant(Json(false));
    o.parts.push_back(std::move(part));
    out.objects.push_back(std::move(o));
  }
  return out;
}

// Strings, of which there may be thousands, all at once.
ValueSet SchemaReader::of_values(const Json& list) {
  if (!list.is_array() || list.empty()) malformed(list, "enum", "a list of values");
  ValueSet out;
  std::vector<Expr> texts;
  for (const Json& value : list)
    if (value.is_string())
      texts.push_back(Expr::text(value.get<std::string>()));
    else
      out = out.unite(of_value(value));
  if (!texts.empty()) out.texts = Texts{0, kAnyNumber, to_dfa(Expr::choice_of(std::move(texts)))};
  return out;
}

ValueSet SchemaReader::complement(const ValueSet& set, std::string_view keyword) {
  ValueSet out = ValueSet::all().minus_scalars(set);
  const bool arrays = set.arrays.empty() || set.all_arrays(), objects = set.objects.empty() || set.all_objects();
  LQ_CHECK(arrays && objects, Code::unsupported, "JSON Schema: '", keyword, "' of a schema that allows some ",
           arrays ? "objects" : "arrays", " but not all is not supported");
  if (!set.arrays.empty()) out.arrays.clear();
  if (!set.objects.empty()) out.objects.clear();
  return out;
}

ValueSet SchemaReader::if_then_else(const Json& schema) {
  const auto branch = [&](const char* key) {
    const auto at = schema.find(key);
    return at == schema.end() ? ValueSet::all() : values(*at);
  };
  if (!schema.contains("then") && !schema.contains("else")) return ValueSet::all();
  const ValueSet condition = branch("if");
  return condition.intersect(branch("then")).unite(complement(condition, "if").intersect(branch("else")));
}

// Either the object lacks the property, or it also satisfies what that brings along.
void SchemaReader::dependent(const Json& value, bool schemas, ValueSet& out) {
  for (const auto& [name, what] : value.items()) {
    ValueSet without = ValueSet::all(), with = schemas ? values(what) : ValueSet::all();
    Objects::Part part;
    part.properties.emplace_back(name, constant(Json(false)));
    Objects lacks;
    lacks.parts.push_back(std::move(part));
    without.objects = {std::move(lacks)};
    Objects has;
    has.require(name);
    if (!schemas) {
      if (!what.is_array()) malformed(value, "dependentRequired", "lists of names");
      for (const Json& other : what) {
        if (!other.is_string()) malformed(value, "dependentRequired", "lists of names");
        has.require(other.get<std::string>());
      }
    }
    ValueSet only_objects;
    only_objects.objects = {std::move(has)};
    out = out.intersect(without.unite(only_objects.intersect(with)));
  }
}

// Exactly one: scalars by counting, arrays and objects where no two alternatives can overlap.
ValueSet SchemaReader::one_of(const Json& list) {
  ValueSet once, more;
  std::vector<ValueSet> sets;
  for (const Json& part : list) {
    ValueSet set = values(part);
    const ValueSet twice = once.unite(more).intersect(set);
    for (const ValueSet& before : sets) {
      const auto all_disjoint = [this](const auto& as, const auto& bs) {
        for (const auto& a : as)
          for (const auto& b : bs)
            if (!disjoint(a, b)) return false;
        return true;
      };
      LQ_CHECK(all_disjoint(before.arrays, set.arrays) && all_disjoint(before.objects, set.objects), Code::unsupported,
               "JSON Schema, ", where(list),
               ": oneOf with alternatives that may overlap is not supported for arrays and ",
               "objects; if they do not, give them a required property with different constants, or use anyOf");
    }
    ValueSet scalars = twice;
    scalars.arrays.clear();
    scalars.objects.clear();
    more = more.unite(scalars);
    once = once.unite(set).minus_scalars(scalars);
    sets.push_back(std::move(set));
  }
  return once;
}

bool SchemaReader::impossible(const Conjunction& schemas) {
  const Deeper deeper(*this);
  return values(schemas).empty();
}

bool SchemaReader::disjoint(const Arrays& a, const Arrays& b) {
  if (a.min > b.max || b.min > a.max) return true;
  const std::size_t common =
      std::min<std::size_t>(std::max(a.min, b.min), std::max(a.longest_prefix(), b.longest_prefix()) + 1);
  for (std::size_t i = 0; i < common; ++i) {
    Conjunction both = a.at(i);
    for (const Json* schema : b.at(i)) add_to(both, schema);
    if (impossible(both)) return true;
  }
  return false;
}

bool SchemaReader::disjoint(const Objects& a, const Objects& b) {
  if (a.min > b.max || b.min > a.max) return true;
  std::vector<std::string> names = a.required;
  names.insert(names.end(), b.required.begin(), b.required.end());
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    Conjunction both = a.of(name);
    for (const Json* schema : b.of(name)) add_to(both, schema);
    return impossible(both);
  });
}

}  // namespace lq::schema
