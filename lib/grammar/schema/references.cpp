// Places within a schema document: $ref to its schemas, and names of places for messages.
#include <algorithm>

#include "loquor/core/status.hpp"
#include "schema_reader.hpp"

namespace lq::schema {
namespace {

int hex_digit(char c) {
  return c >= '0' && c <= '9'   ? c - '0'
         : c >= 'a' && c <= 'f' ? c - 'a' + 10
         : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// One step of a JSON pointer (RFC 6901); nullptr: there is none.
const Json* child(const Json& at, std::string token) {
  std::string name;
  for (std::size_t i = 0; i < token.size(); ++i)
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1'))
      name += token[++i] == '0' ? '~' : '/';
    else
      name += token[i];
  if (at.is_object()) {
    const auto found = at.find(name);
    return found == at.end() ? nullptr : &*found;
  }
  if (!at.is_array() || name.empty() || name.size() > 9 ||
      !std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }))
    return nullptr;
  const auto index = static_cast<std::size_t>(std::stoul(name));
  return index < at.size() ? &at[index] : nullptr;
}

// Calls fn(value, path) for every value of the document, without recursion, until it returns true.
template <class Fn>
void walk(const Json& document, const Fn& fn) {
  std::vector<std::pair<const Json*, std::string>> todo{{&document, "#"}};
  while (!todo.empty()) {
    const auto [at, path] = std::move(todo.back());
    todo.pop_back();
    if (fn(*at, path)) return;
    if (at->is_object())
      for (const auto& [key, value] : at->items()) todo.emplace_back(&value, path + "/" + key);
    else if (at->is_array())
      for (std::size_t i = 0; i < at->size(); ++i) todo.emplace_back(&(*at)[i], path + "/" + std::to_string(i));
  }
}

}  // namespace

const Json* SchemaReader::resolve(const Json& reference) {
  if (!reference.is_string()) malformed(reference, "$ref", "a string");
  const std::string text = reference.get<std::string>();
  const std::size_t hash = text.find('#');
  const std::string base = text.substr(0, hash),
                    fragment = hash == std::string::npos ? "" : percent_decoded(text.substr(hash + 1));
  if (!base.empty()) {
    const auto id = document_.is_object() ? document_.find("$id") : document_.end();
    const bool own =
        document_.is_object() && id != document_.end() && id->is_string() && id->get<std::string>() == base;
    LQ_CHECK(own, Code::unsupported, "JSON Schema: $ref '", text, "' to another document is not supported");
  }
  const Json* at = &document_;
  if (!fragment.empty() && fragment[0] != '/') {
    const Json* found = nullptr;
    walk(document_, [&](const Json& value, const std::string&) {
      if (value.is_object() && value.contains("$anchor") && value["$anchor"] == fragment) found = &value;
      return found != nullptr;
    });
    at = found;
  } else {
    for (std::size_t i = 0; at && i < fragment.size();) {
      const std::size_t end = std::min(fragment.find('/', i + 1), fragment.size());
      at = child(*at, fragment.substr(i + 1, end - i - 1));
      i = end;
    }
  }
  LQ_CHECK(at, Code::invalid_argument, "JSON Schema: $ref '", text, "' leads nowhere");
  return at;
}

std::string SchemaReader::where(const Json& schema) const {
  std::string out = "#";
  walk(document_, [&](const Json& value, const std::string& path) {
    if (&value == &schema) out = path;
    return &value == &schema;
  });
  return out;
}

void SchemaReader::malformed(const Json& schema, std::string_view key, std::string_view expected) const {
  fail(Code::invalid_argument, "JSON Schema, ", where(schema), ": ", key.empty() ? "a schema" : str("'", key, "'"),
       " must be ", expected);
}

}  // namespace lq::schema
