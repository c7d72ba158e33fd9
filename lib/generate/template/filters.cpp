// Filters and tests, one row each; names and behaviour as in Jinja 3.1 (documentation: "List of Builtin
// Filters/Tests"), with tojson as transformers replaces it.
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "interpreter.hpp"

namespace lq::jinja {
namespace {

using Args = CallArguments;
using FilterFn = Value (*)(Interpreter& in, const Value& v, Args& args);
using TestFn = bool (*)(Interpreter& in, const Value& v, Args& args);

std::string text_of(Interpreter& in, const Value& v) {
  TextBuilder out(in.budget());
  append_str(out, v);
  return out.text();
}

bool flag(const Args& args, std::size_t i, std::string_view name, bool absent = false) {
  const Value* v = argument(args, i, name);
  return v ? truthy(*v) : absent;
}

std::int64_t whole(Interpreter& in, const Args& args, std::size_t i, std::string_view name, std::int64_t absent) {
  const Value* v = argument(args, i, name);
  if (!v || v->kind == Kind::none) return absent;
  if (!v->is_integer()) in.wrong(lq::str("argument '", name, "' is not an integer"));
  return v->as_integer();
}

// Changes letters one by one; marks stay where they are. ASCII only: other alphabets pass unchanged.
template <class Fn>
Value map_letters(Interpreter& in, const Value& v, Fn fn) {
  const Value s = to_string(in.budget(), v);
  std::string text = s.str().text;
  bool start = true;
  for (char& c : text) {
    c = fn(c, start);
    start = !((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80));
  }
  auto out = std::make_shared<String>(std::move(text), s.str().marks, in.budget());
  out->safe = s.str().safe;
  return Value::of(Kind::string, std::move(out));
}
char up(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }
char down(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

Value f_upper(Interpreter& in, const Value& v, Args&) {
  return map_letters(in, v, [](char c, bool) { return up(c); });
}
Value f_lower(Interpreter& in, const Value& v, Args&) {
  return map_letters(in, v, [](char c, bool) { return down(c); });
}
Value f_title(Interpreter& in, const Value& v, Args&) {
  return map_letters(in, v, [](char c, bool start) { return start ? up(c) : down(c); });
}
Value f_capitalize(Interpreter& in, const Value& v, Args&) {
  bool first = true;
  return map_letters(in, v, [&first](char c, bool) { return std::exchange(first, false) ? up(c) : down(c); });
}

Value f_tojson(Interpreter& in, const Value& v, Args& args) {
  JsonStyle style;
  const Value* indent = argument(args, 1, "indent");
  style.ascii = flag(args, 0, "ensure_ascii");
  if (indent && indent->kind != Kind::none)
    style.indent = static_cast<int>(std::clamp<std::int64_t>(whole(in, args, 1, "indent", 0), 0, 64));
  if (const Value* sep = argument(args, 2, "separators"); sep && sep->is_list() && sep->list().items.size() == 2) {
    style.item_separator = text_of(in, sep->list().items[0]);
    style.key_separator = text_of(in, sep->list().items[1]);
  }
  style.sort_keys = flag(args, 3, "sort_keys");
  TextBuilder out(in.budget());
  append_json(out, v, style);
  return out.finish();
}

Value f_string(Interpreter& in, const Value& v, Args&) { return to_string(in.budget(), v); }
Value f_safe(Interpreter& in, const Value& v, Args&) {
  TextBuilder out(in.budget());
  append_str(out, v);
  return out.finish(true);
}

Value f_escape(Interpreter& in, const Value& v, Args&) {
  TextBuilder out(in.budget());
  append_escaped(out, to_string(in.budget(), v).str());
  return out.finish(true);
}

Value f_trim(Interpreter& in, const Value& v, Args& args) {
  return call_string_method(in, to_string(in.budget(), v), "strip", args);
}

Value f_length(Interpreter& in, const Value& v, Args&) {
  if (v.kind == Kind::undefined) return Value::integer(0);
  if (v.is_string()) return Value::integer(static_cast<std::int64_t>(count_chars(v.str().text)));
  if (v.is_list() && !v.is_generator()) return Value::integer(static_cast<std::int64_t>(v.list().items.size()));
  if (v.is_dict()) return Value::integer(static_cast<std::int64_t>(v.dict().items.size()));
  in.wrong(lq::str("object of type '", type_name(v), "' has no len()"));
}

Value f_default(Interpreter& in, const Value& v, Args& args) {
  const bool replace = v.kind == Kind::undefined || (flag(args, 1, "boolean") && !truthy(v));
  const Value* absent = argument(args, 0, "default_value");
  return !replace ? v : absent ? *absent : in.string("");
}

Value f_join(Interpreter& in, const Value& v, Args& args) {
  const Value* d = argument(args, 0, "d");
  const Value* by = argument(args, 1, "attribute");
  const Value separator = d ? to_string(in.budget(), *d) : in.string("");
  TextBuilder out(in.budget());
  bool first = true;
  for (const Value& x : in.iterate(v)) {
    if (!std::exchange(first, false)) out.append(separator.str());
    append_str(out, by ? in.item(x, *by) : x);
  }
  return out.finish();
}

Value f_replace(Interpreter& in, const Value& v, Args& args) {
  const Value* from = argument(args, 0, "old");
  const Value* to = argument(args, 1, "new");
  if (!from || !to) in.wrong("replace takes two strings");
  const Value s = to_string(in.budget(), v), a = to_string(in.budget(), *from), b = to_string(in.budget(), *to);
  std::int64_t left = whole(in, args, 2, "count", -1);
  const std::string &text = s.str().text, &old = a.str().text;
  TextBuilder out(in.budget());
  std::size_t at = 0;
  while (left != 0 && !old.empty()) {
    const std::size_t found = find_text(*in.budget(), text, old, at);
    if (found == std::string::npos) break;
    in.budget()->step();
    out.append(s.str(), at, found);
    out.append(b.str());
    at = found + old.size();
    --left;
  }
  for (; old.empty() && left != 0; --left) {  // Python puts it between all characters
    out.append(b.str());
    if (at >= text.size()) {
      break;
    }
    const std::size_t n = char_length(text, at);
    out.append(s.str(), at, at + n);
    at += n;
  }
  out.append(s.str(), at, text.size());
  return out.finish();
}

Value f_indent(Interpreter& in, const Value& v, Args& args) {
  const Value s = to_string(in.budget(), v);
  const Value* width = argument(args, 0, "width");
  const std::string pad =
      width && width->is_string()
          ? width->str().text
          : std::string(static_cast<std::size_t>(std::clamp<std::int64_t>(whole(in, args, 0, "width", 4), 0, 4096)),
                        ' ');
  const bool first = flag(args, 1, "first"), blank = flag(args, 2, "blank");
  TextBuilder out(in.budget());
  const std::string& text = s.str().text;
  for (std::size_t at = 0; at <= text.size();) {
    in.budget()->step();
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (at == 0 ? first : (blank || end > at)) out.append(pad);
    out.append(s.str(), at, std::min(end + 1, text.size()));
    at = end + 1;
  }
  return out.finish();
}

Value f_items(Interpreter& in, const Value& v, Args& args) {
  if (v.kind == Kind::undefined) return in.list({});
  if (!v.is_dict()) in.wrong("Can only get item pairs from a mapping.");
  return call_container_method(in, v, "items", args);
}

Value f_list(Interpreter& in, const Value& v, Args&) { return in.list(in.iterate(v)); }

Value f_first(Interpreter& in, const Value& v, Args&) {
  const auto items = in.iterate(v);
  return items.empty() ? Value() : items.front();
}
Value f_last(Interpreter& in, const Value& v, Args&) {
  const auto items = in.iterate(v);
  return items.empty() ? Value() : items.back();
}
Value f_reverse(Interpreter& in, const Value& v, Args&) {
  auto items = in.iterate(v);
  std::reverse(items.begin(), items.end());
  if (!v.is_string()) return in.generator(std::move(items));
  TextBuilder out(in.budget());
  for (const Value& x : items) out.append(x.str());
  return out.finish();
}

Value f_int(Interpreter& in, const Value& v, Args& args) {
  const std::int64_t absent = whole(in, args, 0, "default", 0);
  if (v.is_integer()) return Value::integer(v.as_integer());
  double d = 0;
  if (v.kind == Kind::floating) {
    d = v.d;
  } else if (v.is_string()) {
    const std::string& s = v.str().text;
    char* end = nullptr;
    errno = 0;
    const std::int64_t base = whole(in, args, 1, "base", 10);
    const long long i = std::strtoll(s.c_str(), &end, base >= 2 && base <= 36 ? static_cast<int>(base) : 10);
    if (end != s.c_str() && *end == '\0' && errno == 0) return Value::integer(i);
    d = std::strtod(s.c_str(), &end);
    if (end == s.c_str() || *end != '\0') return Value::integer(absent);
  } else {
    return Value::integer(absent);
  }
  return Value::integer(std::isfinite(d) && std::abs(d) < 9e18 ? static_cast<std::int64_t>(d) : absent);
}

Value f_float(Interpreter&, const Value& v, Args& args) {
  if (v.is_number()) return Value::floating(v.as_double());
  if (v.is_string()) {
    char* end = nullptr;
    const double d = std::strtod(v.str().text.c_str(), &end);
    if (end != v.str().text.c_str() && *end == '\0') return Value::floating(d);
  }
  const Value* absent = argument(args, 0, "default");
  return absent ? *absent : Value::floating(0.0);
}

Value f_abs(Interpreter& in, const Value& v, Args&) {
  if (!v.is_number()) in.wrong("abs takes a number");
  if (v.is_integer() && v.as_integer() != INT64_MIN) return Value::integer(std::abs(v.as_integer()));
  return Value::floating(std::abs(v.as_double()));
}

Value f_round(Interpreter& in, const Value& v, Args& args) {
  if (!v.is_number()) in.wrong("round takes a number");
  const Value* method = argument(args, 1, "method");
  const std::string how = method ? text_of(in, *method) : "common";
  const double scale = std::pow(
                   10.0, static_cast<double>(std::clamp<std::int64_t>(whole(in, args, 0, "precision", 0), -20, 20))),
               x = v.as_double() * scale;
  return Value::floating((how == "ceil" ? std::ceil(x) : how == "floor" ? std::floor(x) : std::nearbyint(x)) / scale);
}

Value f_sum(Interpreter& in, const Value& v, Args& args) {
  const Value* by = argument(args, 0, "attribute");
  double d = 0;
  std::int64_t i = 0;
  bool whole_numbers = true;
  for (const Value& item : in.iterate(v)) {
    const Value x = by ? in.item(item, *by) : item;
    if (!x.is_number()) in.wrong("sum takes numbers");
    whole_numbers = whole_numbers && x.is_integer() && !__builtin_add_overflow(i, x.as_integer(), &i);
    d += x.as_double();
  }
  return whole_numbers ? Value::integer(i) : Value::floating(d);
}

// What sort, unique, min, max and dictsort compare: letters of one case unless asked otherwise.
Value sort_key(Interpreter& in, const Value& v, const Value* attribute, bool case_sensitive) {
  Value key = v;
  if (attribute && attribute->kind != Kind::none) {
    const std::string path = text_of(in, *attribute);
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t dot = std::min(path.find('.', at), path.size());
      key = in.item(key, in.string(path.substr(at, dot - at)));
      at = dot + 1;
    }
  }
  Args none;
  return key.is_string() && !case_sensitive ? f_lower(in, key, none) : key;
}

void sort_by(Interpreter& in, std::vector<std::pair<Value, Value>>& keyed, bool reverse) {
  in.budget()->step(keyed.size() * 16);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(b.first, a.first) : less(a.first, b.first);
  });
}

Value f_sort(Interpreter& in, const Value& v, Args& args) {
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value& x : in.iterate(v))
    keyed.emplace_back(sort_key(in, x, argument(args, 2, "attribute"), flag(args, 1, "case_sensitive")), x);
  sort_by(in, keyed, flag(args, 0, "reverse"));
  std::vector<Value> out;
  for (auto& k : keyed) out.push_back(std::move(k.second));
  return in.list(std::move(out));
}

Value f_dictsort(Interpreter& in, const Value& v, Args& args) {
  if (!v.is_dict()) in.wrong("dictsort takes a mapping");
  const Value* by = argument(args, 1, "by");
  const bool by_value = by && text_of(in, *by) == "value";
  std::vector<std::pair<Value, Value>> keyed;
  for (const auto& [k, x] : v.dict().items)
    keyed.emplace_back(sort_key(in, by_value ? x : k, nullptr, flag(args, 0, "case_sensitive")),
                       make_list(in.budget(), {k, x}, true));
  sort_by(in, keyed, flag(args, 2, "reverse"));
  std::vector<Value> out;
  for (auto& k : keyed) out.push_back(std::move(k.second));
  return in.list(std::move(out));
}

Value f_unique(Interpreter& in, const Value& v, Args& args) {
  std::vector<Value> out, keys;
  for (const Value& x : in.iterate(v)) {
    const Value key = sort_key(in, x, argument(args, 1, "attribute"), flag(args, 0, "case_sensitive"));
    in.budget()->step(keys.size() / 8 + 1);
    if (std::any_of(keys.begin(), keys.end(), [&](const Value& k) { return equal(k, key); })) continue;
    keys.push_back(key);
    out.push_back(x);
  }
  return in.generator(std::move(out));
}

Value extreme(Interpreter& in, const Value& v, Args& args, bool largest) {
  std::optional<Value> best, best_key;
  for (const Value& x : in.iterate(v)) {
    const Value key = sort_key(in, x, argument(args, 1, "attribute"), flag(args, 0, "case_sensitive"));
    if (best && !(largest ? less(*best_key, key) : less(key, *best_key))) continue;
    best = x;
    best_key = key;
  }
  return best ? *best : Value();
}
Value f_max(Interpreter& in, const Value& v, Args& args) { return extreme(in, v, args, true); }
Value f_min(Interpreter& in, const Value& v, Args& args) { return extreme(in, v, args, false); }

Value f_map(Interpreter& in, const Value& v, Args& args) {
  std::vector<Value> out;
  const Value* by = argument(args, SIZE_MAX, "attribute");
  const Value* absent = argument(args, SIZE_MAX, "default");
  if (!truthy(v)) return in.generator({});  // Jinja asks before it iterates: None is as good as empty
  if (!by && args.positional.empty()) in.wrong("map takes a filter or an attribute");
  for (const Value& x : in.iterate(v)) {
    in.budget()->step();
    if (by) {
      Value item = sort_key(in, x, by, true);
      out.push_back(item.kind == Kind::undefined && absent ? *absent : std::move(item));
    } else {
      Args rest{{args.positional.begin() + 1, args.positional.end()}, args.named};
      out.push_back(in.apply_filter(text_of(in, args.positional[0]), x, rest));
    }
  }
  return in.generator(std::move(out));
}

Value choose(Interpreter& in, const Value& v, Args& args, bool keep, bool by_attribute) {
  std::vector<Value> out;
  const std::size_t first = by_attribute ? 1 : 0;
  if (!truthy(v)) return in.generator({});
  if (by_attribute && args.positional.empty()) in.wrong("expected the name of an attribute");
  for (const Value& x : in.iterate(v)) {
    in.budget()->step();
    const Value subject = by_attribute ? sort_key(in, x, &args.positional[0], true) : x;
    bool passes = truthy(subject);
    if (args.positional.size() > first) {
      Args rest{{args.positional.begin() + static_cast<std::ptrdiff_t>(first) + 1, args.positional.end()}, {}};
      passes = in.apply_test(text_of(in, args.positional[first]), subject, rest);
    }
    if (passes == keep) out.push_back(x);
  }
  return in.generator(std::move(out));
}
Value f_select(Interpreter& in, const Value& v, Args& args) { return choose(in, v, args, true, false); }
Value f_reject(Interpreter& in, const Value& v, Args& args) { return choose(in, v, args, false, false); }
Value f_selectattr(Interpreter& in, const Value& v, Args& args) { return choose(in, v, args, true, true); }
Value f_rejectattr(Interpreter& in, const Value& v, Args& args) { return choose(in, v, args, false, true); }

Value f_batch(Interpreter& in, const Value& v, Args& args) {
  const std::int64_t n = whole(in, args, 0, "linecount", 0);
  if (n < 1) in.wrong("batch takes a positive number");
  std::vector<Value> out, row;
  for (const Value& x : in.iterate(v)) {
    row.push_back(x);
    if (static_cast<std::int64_t>(row.size()) == n) out.push_back(in.list(std::exchange(row, {})));
  }
  if (!row.empty()) {
    if (const Value* fill = argument(args, 1, "fill_with"); fill && n <= 100000)
      row.resize(static_cast<std::size_t>(n), *fill);
    out.push_back(in.list(std::move(row)));
  }
  return in.generator(std::move(out));
}

Value f_attr(Interpreter& in, const Value& v, Args& args) {
  const Value* name = argument(args, 0, "name");
  return name ? in.attribute(v, text_of(in, *name)) : Value();
}

Value f_wordcount(Interpreter& in, const Value& v, Args&) {
  Args none;
  Value words = call_string_method(in, to_string(in.budget(), v), "split", none);
  return Value::integer(static_cast<std::int64_t>(words.list().items.size()));
}

struct FilterRow {
  std::string_view name;
  FilterFn fn;
};
constexpr FilterRow kFilters[] = {
    {"abs", f_abs},
    {"attr", f_attr},
    {"batch", f_batch},
    {"capitalize", f_capitalize},
    {"count", f_length},
    {"d", f_default},
    {"default", f_default},
    {"dictsort", f_dictsort},
    {"e", f_escape},
    {"escape", f_escape},
    {"first", f_first},
    {"float", f_float},
    {"forceescape", f_escape},
    {"indent", f_indent},
    {"int", f_int},
    {"items", f_items},
    {"join", f_join},
    {"last", f_last},
    {"length", f_length},
    {"list", f_list},
    {"lower", f_lower},
    {"map", f_map},
    {"max", f_max},
    {"min", f_min},
    {"reject", f_reject},
    {"rejectattr", f_rejectattr},
    {"replace", f_replace},
    {"reverse", f_reverse},
    {"round", f_round},
    {"safe", f_safe},
    {"select", f_select},
    {"selectattr", f_selectattr},
    {"sort", f_sort},
    {"string", f_string},
    {"sum", f_sum},
    {"title", f_title},
    {"tojson", f_tojson},
    {"trim", f_trim},
    {"unique", f_unique},
    {"upper", f_upper},
    {"wordcount", f_wordcount},
};

const Value& other(Interpreter& in, const Args& args) {
  if (args.positional.empty()) in.wrong("this test takes a value");
  return args.positional[0];
}

struct TestRow {
  std::string_view name;
  TestFn fn;
};
constexpr TestRow kTests[] = {
    {"defined", [](Interpreter&, const Value& v, Args&) { return v.kind != Kind::undefined; }},
    {"undefined", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::undefined; }},
    {"none", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::none; }},
    {"boolean", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::boolean; }},
    {"true", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::boolean && v.b; }},
    {"false", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::boolean && !v.b; }},
    {"integer", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::integer; }},
    {"float", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::floating; }},
    {"number", [](Interpreter&, const Value& v, Args&) { return v.is_number(); }},
    {"string", [](Interpreter&, const Value& v, Args&) { return v.is_string(); }},
    {"mapping", [](Interpreter&, const Value& v, Args&) { return v.is_dict(); }},
    {"sequence", [](Interpreter&, const Value& v,
                    Args&) { return v.is_list() || v.is_string() || v.is_dict() || v.kind == Kind::undefined; }},
    {"iterable", [](Interpreter&, const Value& v,
                    Args&) { return v.is_list() || v.is_string() || v.is_dict() || v.kind == Kind::undefined; }},
    {"callable", [](Interpreter&, const Value& v, Args&) { return v.kind == Kind::callable; }},
    {"odd", [](Interpreter&, const Value& v, Args&) { return v.is_integer() && v.as_integer() % 2 != 0; }},
    {"even", [](Interpreter&, const Value& v, Args&) { return v.is_integer() && v.as_integer() % 2 == 0; }},
    {"divisibleby",
     [](Interpreter& in, const Value& v, Args& a) {
       return v.is_integer() && other(in, a).is_integer() && other(in, a).as_integer() > 0 &&
              v.as_integer() % other(in, a).as_integer() == 0;
     }},
    {"lower", [](Interpreter& in, const Value& v, Args& a) { return v.is_string() && equal(f_lower(in, v, a), v); }},
    {"upper", [](Interpreter& in, const Value& v, Args& a) { return v.is_string() && equal(f_upper(in, v, a), v); }},
    {"sameas",
     [](Interpreter& in, const Value& v, Args& a) { return v.kind == other(in, a).kind && equal(v, other(in, a)); }},
    {"in",
     [](Interpreter& in, const Value& v, Args& a) {
       const Value& c = other(in, a);
       if (c.is_string())
         return v.is_string() && find_text(*in.budget(), c.str().text, v.str().text) != std::string::npos;
       const auto items = in.iterate(c);
       return std::any_of(items.begin(), items.end(), [&](const Value& x) { return equal(x, v); });
     }},
    {"eq", [](Interpreter& in, const Value& v, Args& a) { return equal(v, other(in, a)); }},
    {"equalto", [](Interpreter& in, const Value& v, Args& a) { return equal(v, other(in, a)); }},
    {"==", [](Interpreter& in, const Value& v, Args& a) { return equal(v, other(in, a)); }},
    {"ne", [](Interpreter& in, const Value& v, Args& a) { return !equal(v, other(in, a)); }},
    {"!=", [](Interpreter& in, const Value& v, Args& a) { return !equal(v, other(in, a)); }},
    {"lt", [](Interpreter& in, const Value& v, Args& a) { return less(v, other(in, a)); }},
    {"lessthan", [](Interpreter& in, const Value& v, Args& a) { return less(v, other(in, a)); }},
    {"gt", [](Interpreter& in, const Value& v, Args& a) { return less(other(in, a), v); }},
    {"greaterthan", [](Interpreter& in, const Value& v, Args& a) { return less(other(in, a), v); }},
    {"le", [](Interpreter& in, const Value& v, Args& a) { return !less(other(in, a), v); }},
    {"ge", [](Interpreter& in, const Value& v, Args& a) { return !less(v, other(in, a)); }},
    {"filter", [](Interpreter& in, const Value& v, Args&) { return is_filter(text_of(in, v)); }},
    {"test", [](Interpreter& in, const Value& v, Args&) { return is_test(text_of(in, v)); }},
    {"escaped", [](Interpreter&, const Value&, Args&) { return false; }},
};

}  // namespace

bool is_filter(std::string_view name) {
  return std::any_of(std::begin(kFilters), std::end(kFilters), [&](const FilterRow& r) { return r.name == name; });
}

bool is_test(std::string_view name) {
  return std::any_of(std::begin(kTests), std::end(kTests), [&](const TestRow& r) { return r.name == name; });
}

Value Interpreter::apply_filter(std::string_view name, const Value& v, CallArguments& args) {
  stack_.check();
  budget_->step();
  for (const FilterRow& row : kFilters)
    if (row.name == name) return row.fn(*this, v, args);
  wrong(lq::str("there is no filter '", name.substr(0, 64), "'"));
}

bool Interpreter::apply_test(std::string_view name, const Value& v, CallArguments& args) {
  budget_->step();
  for (const TestRow& row : kTests)
    if (row.name == name) return row.fn(*this, v, args);
  wrong(lq::str("there is no test '", name.substr(0, 64), "'"));
}

}  // namespace lq::jinja
