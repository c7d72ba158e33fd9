// JSON in and out, as Python's json module writes it.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "value.hpp"

namespace lq::jinja {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxJson = std::size_t{64} << 20;

Value convert(const std::shared_ptr<Budget>& b, const Json& j, unsigned depth) {
  LQ_CHECK(depth <= kMaxDepth, Code::limit, "template: JSON nested over ", kMaxDepth, " deep");
  b->step();
  switch (j.type()) {
    case Json::value_t::boolean:
      return Value::boolean(j.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(j.get<std::int64_t>());
    case Json::value_t::number_unsigned: {
      const auto u = j.get<std::uint64_t>();
      return u > INT64_MAX ? Value::floating(static_cast<double>(u)) : Value::integer(static_cast<std::int64_t>(u));
    }
    case Json::value_t::number_float:
      return Value::floating(j.get<double>());
    case Json::value_t::string:
      return make_string(b, j.get<std::string>(), true);
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& x : j) items.push_back(convert(b, x, depth + 1));
      return make_list(b, std::move(items));
    }
    case Json::value_t::object: {
      std::vector<std::pair<Value, Value>> items;
      for (const auto& [k, x] : j.items()) items.emplace_back(make_string(b, k, true), convert(b, x, depth + 1));
      return make_dict(b, std::move(items));
    }
    default:
      return Value::none();
  }
}

void append_code(TextBuilder& out, unsigned code, bool marked) {
  char text[8];
  std::snprintf(text, sizeof text, "\\u%04x", code & 0xffffu);
  out.append_marked(text, marked);
}

// Above ASCII, as surrogate pairs where needed.
void append_escaped(TextBuilder& out, std::string_view s, bool marked) {
  static constexpr unsigned char kLead[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
  unsigned code = static_cast<unsigned char>(s[0]) & kLead[s.size()];
  for (std::size_t i = 1; i < s.size(); ++i) code = code << 6 | (static_cast<unsigned char>(s[i]) & 0x3fu);
  if (code < 0x10000) return append_code(out, code, marked);
  append_code(out, 0xd800 + ((code - 0x10000) >> 10), marked);
  append_code(out, 0xdc00 + ((code - 0x10000) & 0x3ff), marked);
}

void append_json_string(TextBuilder& out, const String& s, bool ascii) {
  out.append("\"");
  std::size_t from = 0;
  for (std::size_t i = 0; i < s.text.size();) {
    const unsigned char c = static_cast<unsigned char>(s.text[i]);
    const std::size_t n = char_length(s.text, i);
    if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x80 || !ascii)) {
      i += n;
      continue;
    }
    out.append(s, from, i);
    const bool marked = is_marked(s, i);
    switch (c) {
      case '"':
        out.append_marked("\\\"", marked);
        break;
      case '\\':
        out.append_marked("\\\\", marked);
        break;
      case '\n':
        out.append_marked("\\n", marked);
        break;
      case '\r':
        out.append_marked("\\r", marked);
        break;
      case '\t':
        out.append_marked("\\t", marked);
        break;
      case '\b':
        out.append_marked("\\b", marked);
        break;
      case '\f':
        out.append_marked("\\f", marked);
        break;
      default:
        if (c < 0x20)
          append_code(out, c, marked);
        else
          append_escaped(out, std::string_view(s.text).substr(i, n), marked);
    }
    i += n;
    from = i;
  }
  out.append(s, from, s.text.size());
  out.append("\"");
}

void new_line(TextBuilder& out, const JsonStyle& style, unsigned level) {
  if (style.indent < 0) return;
  out.append("\n");
  out.append(std::string(static_cast<std::size_t>(style.indent) * level, ' '));
}

void append_key(TextBuilder& out, const Value& k, const JsonStyle& style) {
  if (k.is_string()) return append_json_string(out, k.str(), style.ascii);
  LQ_CHECK(k.is_number() || k.kind == Kind::none, Code::template_error, "template: a key of type ", type_name(k),
           " is not JSON");
  out.append("\"");
  append_json(out, k, style);
  out.append("\"");
}

}  // namespace

void append_json(TextBuilder& out, const Value& v, const JsonStyle& style, unsigned level) {
  out.budget()->step();
  const std::string_view comma = !style.item_separator.empty() ? std::string_view(style.item_separator)
                                 : style.indent < 0            ? ", "
                                                               : ",";
  const std::string_view colon = !style.key_separator.empty() ? std::string_view(style.key_separator) : ": ";
  switch (v.kind) {
    case Kind::none:
      return out.append("null");
    case Kind::boolean:
      return out.append(v.b ? "true" : "false");
    case Kind::integer:
      return out.append(std::to_string(v.i));
    case Kind::floating: {
      const std::string s = float_text(v.d);
      return out.append(s == "nan" ? "NaN" : s == "inf" ? "Infinity" : s == "-inf" ? "-Infinity" : s);
    }
    case Kind::string:
      return append_json_string(out, v.str(), style.ascii);
    case Kind::list:
    case Kind::tuple: {
      LQ_CHECK(!v.is_generator(), Code::template_error,
               "template: an object of type generator is not JSON serializable");
      const auto& items = v.list().items;
      if (items.empty()) return out.append("[]");
      out.append("[");
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i) out.append(comma);
        new_line(out, style, level + 1);
        append_json(out, items[i], style, level + 1);
      }
      new_line(out, style, level);
      return out.append("]");
    }
    case Kind::dict: {
      if (v.dict().items.empty()) return out.append("{}");
      std::vector<const std::pair<Value, Value>*> items;
      for (const auto& item : v.dict().items) items.push_back(&item);
      if (style.sort_keys)
        std::stable_sort(items.begin(), items.end(), [](auto* a, auto* b) { return less(a->first, b->first); });
      out.append("{");
      for (std::size_t i = 0; i < items.size(); ++i) {
        if (i) out.append(comma);
        new_line(out, style, level + 1);
        append_key(out, items[i]->first, style);
        out.append(colon);
        append_json(out, items[i]->second, style, level + 1);
      }
      new_line(out, style, level);
      return out.append("}");
    }
    default:
      fail(Code::template_error, "template: an object of type ", type_name(v), " is not JSON serializable");
  }
}

Value parse_json(const std::shared_ptr<Budget>& b, std::string_view text, const char* what) {
  LQ_CHECK(text.size() <= kMaxJson, Code::limit, what, ": ", text.size(), " bytes of JSON, at most ", kMaxJson);
  std::size_t depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {  // before the parser builds anything
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  LQ_CHECK(deepest <= kMaxDepth, Code::limit, what, ": JSON nested over ", kMaxDepth, " deep");
  try {
    return convert(b, Json::parse(text), 0);
  } catch (const Json::parse_error& e) {
    fail(Code::invalid_argument, what, ": is not JSON, at byte ", e.byte);
  } catch (const Json::exception&) {
    fail(Code::invalid_argument, what, ": is not JSON this build can hold");
  }
}

}  // namespace lq::jinja
