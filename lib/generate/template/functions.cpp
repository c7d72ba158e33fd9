// The global functions of a template, and methods of strings, lists and dictionaries.
#include <algorithm>
#include <ctime>

#include "interpreter.hpp"

namespace lq::jinja {
namespace {

constexpr std::int64_t kMaxRange = 100000;  // as Jinja's sandbox

constexpr std::string_view kStringMethods[] = {
    "strip",   "lstrip",       "rstrip",       "split",   "rsplit",     "splitlines", "startswith", "endswith",
    "replace", "upper",        "lower",        "title",   "capitalize", "find",       "rfind",      "index",
    "count",   "join",         "format",       "isdigit", "isalpha",    "isalnum",    "isspace",    "isupper",
    "islower", "removeprefix", "removesuffix", "zfill",   "partition",  "rpartition"};
constexpr std::string_view kListMethods[] = {"index", "count"};
constexpr std::string_view kDictMethods[] = {"get", "items", "keys", "values", "copy"};
// Exist in Python but change their object: the sandbox refuses to call them.
constexpr std::string_view kUnsafeMethods[] = {"append",  "clear", "extend", "insert",     "pop",    "remove",
                                               "reverse", "sort",  "update", "setdefault", "popitem"};

bool is_one_of(std::string_view name, const std::string_view* begin, const std::string_view* end) {
  return std::find(begin, end, name) != end;
}

const String& text_argument(Interpreter& in, const CallArguments& args, std::size_t i, std::string_view name) {
  const Value* v = argument(args, i, name);
  if (!v || !v->is_string()) in.wrong(lq::str("expected a string as argument ", i + 1));
  return v->str();
}

std::int64_t integer_argument(Interpreter& in, const CallArguments& args, std::size_t i, std::string_view name,
                              std::int64_t absent) {
  const Value* v = argument(args, i, name);
  if (!v) return absent;
  if (!v->is_integer()) in.wrong(lq::str("expected an integer as argument ", i + 1));
  return v->as_integer();
}

Value strip(Interpreter& in, const String& s, const CallArguments& args, bool left, bool right) {
  const Value* chars = argument(args, 0, "chars");
  const std::string* set = chars && chars->is_string() ? &chars->str().text : nullptr;
  const auto drops = [&](std::size_t at, std::size_t n) {
    return set ? set->find(s.text.substr(at, n)) != std::string::npos : is_space_at(s.text, at, n);
  };
  std::size_t begin = 0, end = s.text.size();
  while (left && begin < end) {
    const std::size_t n = char_length(s.text, begin);
    if (!drops(begin, n)) break;
    begin += n;
  }
  while (right && end > begin) {
    std::size_t at = end - 1;
    while (at > begin && (static_cast<unsigned char>(s.text[at]) & 0xc0) == 0x80 && end - at < 4) --at;
    if (at + char_length(s.text, at) != end) at = end - 1;
    if (!drops(at, end - at)) break;
    end = at;
  }
  return substring(in.budget(), s, begin, end);
}

Value split_words(Interpreter& in, const String& s, std::int64_t limit) {
  std::vector<Value> out;
  std::size_t at = 0;
  const auto skip_space = [&] {
    while (at < s.text.size() && is_space_at(s.text, at, char_length(s.text, at))) at += char_length(s.text, at);
  };
  for (skip_space(); at < s.text.size(); skip_space()) {
    in.budget()->step();
    std::size_t end = at;
    if (limit >= 0 && static_cast<std::int64_t>(out.size()) >= limit) {
      end = s.text.size();
      while (end > at && is_space_at(s.text, end - 1, 1)) --end;
    } else {
      while (end < s.text.size() && !is_space_at(s.text, end, char_length(s.text, end)))
        end += char_length(s.text, end);
    }
    out.push_back(substring(in.budget(), s, at, end));
    at = end;
    if (limit >= 0 && static_cast<std::int64_t>(out.size()) > limit) break;
  }
  return in.list(std::move(out));
}

Value split(Interpreter& in, const String& s, const CallArguments& args, bool from_right) {
  const Value* sep = argument(args, 0, "sep");
  const std::int64_t limit = integer_argument(in, args, 1, "maxsplit", -1);
  if (!sep || sep->kind == Kind::none) return split_words(in, s, limit);
  if (!sep->is_string() || sep->str().text.empty()) in.wrong("empty separator");
  const std::string& d = sep->str().text;
  std::vector<std::size_t> cuts;
  if (from_right) {
    for (std::size_t end = s.text.size();
         end >= d.size() && (limit < 0 || static_cast<std::int64_t>(cuts.size()) < limit);) {
      const std::size_t at = find_last_text(*in.budget(), std::string_view(s.text).substr(0, end), d);
      if (at == std::string::npos) break;
      cuts.push_back(at);
      end = at;
    }
    std::reverse(cuts.begin(), cuts.end());
  } else {
    for (std::size_t at = 0; limit < 0 || static_cast<std::int64_t>(cuts.size()) < limit; at += d.size()) {
      at = find_text(*in.budget(), s.text, d, at);
      if (at == std::string::npos) break;
      cuts.push_back(at);
    }
  }
  std::vector<Value> out;
  std::size_t begin = 0;
  for (std::size_t at : cuts) {
    in.budget()->step();
    out.push_back(substring(in.budget(), s, begin, at));
    begin = at + d.size();
  }
  out.push_back(substring(in.budget(), s, begin, s.text.size()));
  return in.list(std::move(out));
}

Value split_lines(Interpreter& in, const String& s) {
  std::vector<Value> out;
  for (std::size_t begin = 0; begin < s.text.size();) {
    const std::size_t end = std::min(s.text.find_first_of("\n\r\v\f", begin), s.text.size());
    out.push_back(substring(in.budget(), s, begin, end));
    begin = end + (s.text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
  }
  return in.list(std::move(out));
}

Value partition(Interpreter& in, const String& s, const String& sep, bool right) {
  const auto& b = in.budget();
  const std::size_t at = right ? find_last_text(*b, s.text, sep.text) : find_text(*b, s.text, sep.text);
  if (at == std::string::npos) {
    const Value whole = substring(b, s, 0, s.text.size()), none = in.string("");
    return make_list(b, right ? std::vector<Value>{none, none, whole} : std::vector<Value>{whole, none, none}, true);
  }
  return make_list(b,
                   {substring(b, s, 0, at), substring(b, s, at, at + sep.text.size()),
                    substring(b, s, at + sep.text.size(), s.text.size())},
                   true);
}

bool affix(Interpreter& in, const String& s, const CallArguments& args, bool start) {
  const Value* v = argument(args, 0, "");
  if (!v) in.wrong("expected a string or a tuple of strings");
  const auto matches = [&](const Value& x) {
    if (!x.is_string()) in.wrong("expected a string or a tuple of strings");
    return start ? s.text.starts_with(x.str().text) : s.text.ends_with(x.str().text);
  };
  if (v->kind != Kind::tuple) return matches(*v);
  return std::any_of(v->list().items.begin(), v->list().items.end(), matches);
}

Value format_braces(Interpreter& in, const String& f, const CallArguments& args) {
  TextBuilder out(in.budget());
  std::size_t next = 0, from = 0;
  for (std::size_t i = 0; i < f.text.size(); ++i) {
    const char c = f.text[i];
    if (c != '{' && c != '}') continue;
    out.append(f, from, i);
    if (i + 1 < f.text.size() && f.text[i + 1] == c) {
      out.append(std::string_view(&c, 1));
      from = ++i + 1;
      continue;
    }
    const std::size_t end = f.text.find('}', i);
    if (c == '}' || end == std::string::npos) in.wrong("a single brace in a format string");
    const std::string field = f.text.substr(i + 1, end - i - 1);
    const bool number =
        !field.empty() && field.size() < 6 && field.find_first_not_of("0123456789") == std::string::npos;
    const Value* v = field.empty() ? argument(args, next++, "")
                     : number      ? argument(args, static_cast<std::size_t>(std::atoi(field.c_str())), "")
                                   : argument(args, SIZE_MAX, field);
    if (!v) in.wrong("a format field without a value (only plain fields are supported)");
    append_str(out, *v);
    from = end + 1;
    i = end;
  }
  out.append(f, from, f.text.size());
  return out.finish();
}

template <class Test>
bool all_chars(const std::string& s, Test test) {
  return !s.empty() && std::all_of(s.begin(), s.end(), test);
}

bool is_upper(char c) noexcept { return c >= 'A' && c <= 'Z'; }
bool is_lower(char c) noexcept { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

}  // namespace

bool has_method(const Value& v, std::string_view name) {
  const bool unsafe = is_one_of(name, std::begin(kUnsafeMethods), std::end(kUnsafeMethods));
  if (v.is_string()) return is_one_of(name, std::begin(kStringMethods), std::end(kStringMethods));
  if (v.is_list())
    return is_one_of(name, std::begin(kListMethods), std::end(kListMethods)) ||
           (v.kind == Kind::list && unsafe && name != "update" && name != "setdefault" && name != "popitem");
  if (v.is_dict())
    return is_one_of(name, std::begin(kDictMethods), std::end(kDictMethods)) || name == "update" ||
           name == "setdefault" || name == "pop" || name == "popitem" || name == "clear";
  return false;
}

Value call_string_method(Interpreter& in, const Value& self, std::string_view name, CallArguments& args) {
  const String& s = self.str();
  in.budget()->step(s.text.size() / 64);
  if (name == "strip") return strip(in, s, args, true, true);
  if (name == "lstrip") return strip(in, s, args, true, false);
  if (name == "rstrip") return strip(in, s, args, false, true);
  if (name == "split" || name == "rsplit") return split(in, s, args, name == "rsplit");
  if (name == "splitlines") return split_lines(in, s);
  if (name == "startswith" || name == "endswith") return Value::boolean(affix(in, s, args, name == "startswith"));
  if (name == "upper" || name == "lower" || name == "title" || name == "capitalize" || name == "replace")
    return in.apply_filter(name, self, args);
  if (name == "join") {
    CallArguments join;
    join.positional.push_back(self);
    if (args.positional.empty()) in.wrong("join() takes an iterable");
    return in.apply_filter("join", args.positional[0], join);
  }
  if (name == "find" || name == "rfind" || name == "index" || name == "count") {
    const std::string& what = text_argument(in, args, 0, "").text;
    if (name == "count") {
      std::int64_t n = 0;
      for (std::size_t at = 0; !what.empty() && (at = find_text(*in.budget(), s.text, what, at)) != std::string::npos;
           at += what.size()) {
        in.budget()->step();
        ++n;
      }
      return Value::integer(what.empty() ? static_cast<std::int64_t>(count_chars(s.text)) + 1 : n);
    }
    const std::size_t at =
        name == "rfind" ? find_last_text(*in.budget(), s.text, what) : find_text(*in.budget(), s.text, what);
    if (at == std::string::npos && name == "index") in.wrong("substring not found");
    return Value::integer(
        at == std::string::npos ? -1 : static_cast<std::int64_t>(count_chars(std::string_view(s.text).substr(0, at))));
  }
  if (name == "format") return format_braces(in, s, args);
  if (name == "partition" || name == "rpartition")
    return partition(in, s, text_argument(in, args, 0, "sep"), name == "rpartition");
  if (name == "removeprefix" || name == "removesuffix") {
    const std::string& what = text_argument(in, args, 0, "").text;
    const std::size_t n = s.text.size();
    if (name == "removeprefix") return substring(in.budget(), s, s.text.starts_with(what) ? what.size() : 0, n);
    return substring(in.budget(), s, 0, s.text.ends_with(what) ? n - what.size() : n);
  }
  if (name == "zfill") {
    const std::int64_t width = integer_argument(in, args, 0, "width", 0);
    const auto have = static_cast<std::int64_t>(count_chars(s.text));
    if (width > 4096) in.wrong("zfill: too wide");
    const bool sign = !s.text.empty() && (s.text[0] == '-' || s.text[0] == '+');
    TextBuilder out(in.budget());
    out.append(s, 0, sign);
    out.append(std::string(static_cast<std::size_t>(std::max<std::int64_t>(width - have, 0)), '0'));
    out.append(s, sign, s.text.size());
    return out.finish();
  }
  const auto letter = [](char c) { return is_upper(c) || is_lower(c); };
  if (name == "isdigit") return Value::boolean(all_chars(s.text, is_digit));
  if (name == "isalpha") return Value::boolean(all_chars(s.text, letter));
  if (name == "isalnum") return Value::boolean(all_chars(s.text, [&](char c) { return letter(c) || is_digit(c); }));
  if (name == "isspace")
    return Value::boolean(all_chars(s.text, [](char c) { return c == ' ' || (c >= 9 && c <= 13); }));
  const bool any = std::any_of(s.text.begin(), s.text.end(), letter);
  if (name == "isupper") return Value::boolean(any && std::none_of(s.text.begin(), s.text.end(), is_lower));
  if (name == "islower") return Value::boolean(any && std::none_of(s.text.begin(), s.text.end(), is_upper));
  in.wrong("unknown method");
}

Value call_container_method(Interpreter& in, const Value& self, std::string_view name, CallArguments& args) {
  if (is_one_of(name, std::begin(kUnsafeMethods), std::end(kUnsafeMethods)))
    in.wrong(lq::str("access to attribute '", name, "' of '", type_name(self), "' object is unsafe."));
  if (self.is_list()) {
    if (args.positional.empty()) in.wrong("expected an argument");
    const auto& items = self.list().items;
    if (name == "count")
      return Value::integer(
          std::count_if(items.begin(), items.end(), [&](const Value& v) { return equal(v, args.positional[0]); }));
    for (std::size_t i = 0; i < items.size(); ++i)
      if (equal(items[i], args.positional[0])) return Value::integer(static_cast<std::int64_t>(i));
    in.wrong("the value is not in the list");
  }
  const Dict& d = self.dict();
  in.budget()->step(d.items.size() / 8);
  if (name == "get") {
    if (args.positional.empty()) in.wrong("get() takes a key");
    if (const Value* v = d.find(args.positional[0])) return *v;
    const Value* absent = argument(args, 1, "default");
    return absent ? *absent : Value::none();
  }
  if (name == "copy") return self;
  std::vector<Value> out;
  for (const auto& [k, v] : d.items)
    out.push_back(name == "keys" ? k : name == "values" ? v : make_list(in.budget(), {k, v}, true));
  return in.list(std::move(out));
}

Value Interpreter::call_method(const Callable& m, CallArguments& args) {
  if (m.self.is_string()) return call_string_method(*this, m.self, m.name, args);
  if (m.self.kind != Kind::callable) return call_container_method(*this, m.self, m.name, args);
  LoopState& loop = *m.self.callable().loop;
  if (m.name == "cycle") {
    if (args.positional.empty()) wrong("no items for cycling given");
    return args.positional[loop.index % args.positional.size()];
  }
  const Value now = make_list(budget_, args.positional, true);
  const bool changed = !loop.changed || !equal(*loop.changed, now);
  loop.changed = now;
  return Value::boolean(changed);
}

Value Interpreter::call_function(const Callable& f, CallArguments& args) {
  if (f.name == "namespace") return make_space(std::move(args));
  if (f.name == "raise_exception") {
    TextBuilder text(budget_);
    if (const Value* v = argument(args, 0, "message")) append_str(text, *v);
    wrong(text.text().substr(0, 1000));
  }
  if (f.name == "strftime_now") {
    const Value* v = argument(args, 0, "format");
    if (!v || !v->is_string()) wrong("strftime_now() takes a format");
    return string(format_time(now_, v->str().text));
  }
  if (f.name == "dict") {
    std::vector<std::pair<Value, Value>> items;
    if (!args.positional.empty() && args.positional[0].is_dict()) items = args.positional[0].dict().items;
    for (auto& [k, v] : args.named) {
      const Value key = string(k);
      const auto same = std::find_if(items.begin(), items.end(), [&](const auto& x) { return equal(x.first, key); });
      if (same != items.end())
        same->second = std::move(v);
      else
        items.emplace_back(key, std::move(v));
    }
    return make_dict(budget_, std::move(items));
  }
  std::int64_t first = 0, last = integer_argument(*this, args, 0, "stop", 0), step = 1;
  if (args.positional.size() > 1) {
    first = last;
    last = integer_argument(*this, args, 1, "", 0);
    step = integer_argument(*this, args, 2, "", 1);
  }
  if (step == 0) wrong("range() arg 3 must not be zero");
  std::vector<Value> items;
  for (std::int64_t i = first; step > 0 ? i < last : i > last;) {
    LQ_CHECK(static_cast<std::int64_t>(items.size()) < kMaxRange, Code::limit, "template: line ", line_,
             ": a range of over ", kMaxRange, " numbers");
    items.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return make_list(budget_, std::move(items));
}

// strftime in the C locale, in local time, whatever locale the host has set.
std::string format_time(std::int64_t now, const std::string& format) {
  static constexpr const char* kDays[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
  static constexpr const char* kMonths[] = {"January", "February", "March",     "April",   "May",      "June",
                                            "July",    "August",   "September", "October", "November", "December"};
  std::tm t{};
  const std::time_t when = static_cast<std::time_t>(now);
  if (!localtime_r(&when, &t)) fail(Code::template_error, "template: the time ", now, " is out of range");
  std::string out;
  const auto number = [&](int value, int digits, char pad = '0') {
    std::string s = std::to_string(value);
    while (static_cast<int>(s.size()) < digits) s.insert(s.begin(), pad);
    out += s;
  };
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 >= format.size()) {
      out += format[i];
      continue;
    }
    char c = format[++i];
    const bool bare = c == '-' && i + 1 < format.size();  // glibc: no padding
    if (bare) c = format[++i];
    const int wide = bare ? 1 : 2;
    switch (c) {
      case 'Y':
        number(t.tm_year + 1900, 4);
        break;
      case 'y':
        number(t.tm_year % 100, wide);
        break;
      case 'm':
        number(t.tm_mon + 1, wide);
        break;
      case 'd':
        number(t.tm_mday, wide);
        break;
      case 'e':
        number(t.tm_mday, 2, ' ');
        break;
      case 'H':
        number(t.tm_hour, wide);
        break;
      case 'I':
        number((t.tm_hour + 11) % 12 + 1, wide);
        break;
      case 'M':
        number(t.tm_min, wide);
        break;
      case 'S':
        number(t.tm_sec, wide);
        break;
      case 'j':
        number(t.tm_yday + 1, bare ? 1 : 3);
        break;
      case 'p':
        out += t.tm_hour < 12 ? "AM" : "PM";
        break;
      case 'A':
        out += kDays[t.tm_wday];
        break;
      case 'a':
        out += std::string(kDays[t.tm_wday], 3);
        break;
      case 'B':
        out += kMonths[t.tm_mon];
        break;
      case 'b':
      case 'h':
        out += std::string(kMonths[t.tm_mon], 3);
        break;
      case 'F':
        out += format_time(now, "%Y-%m-%d");
        break;
      case 'T':
        out += format_time(now, "%H:%M:%S");
        break;
      case '%':
        out += '%';
        break;
      default:
        fail(Code::template_error, "template: strftime_now does not know %", c);
    }
  }
  return out;
}

}  // namespace lq::jinja
