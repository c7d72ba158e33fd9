#include "value.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace lq::jinja {
namespace {

unsigned depth_of(const Value& v) noexcept { return v.is_list() ? v.list().depth : v.is_dict() ? v.dict().depth : 0; }

void check_depth(unsigned depth) {
  LQ_CHECK(depth <= kMaxDepth, Code::limit, "template: lists nested over ", kMaxDepth, " deep");
}

void append_quoted(TextBuilder& out, const String& s) {
  const bool doubles = s.text.find('\'') != std::string::npos && s.text.find('"') == std::string::npos;
  const char quote = doubles ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  for (std::size_t i = 0; i < s.text.size();) {
    const unsigned char c = static_cast<unsigned char>(s.text[i]);
    const std::size_t n = char_length(s.text, i);
    const bool marked = is_marked(s, i);
    char code[8];
    if (c == '\\' || c == static_cast<unsigned char>(quote)) {
      out.append("\\");
      out.append(s, i, i + 1);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      out.append_marked(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t", marked);
    } else if (c < 0x20 || c == 0x7f) {
      std::snprintf(code, sizeof code, "\\x%02x", c);
      out.append_marked(code, marked);
    } else {
      out.append(s, i, i + n);
    }
    i += n;
  }
  out.append(std::string_view(&quote, 1));
}

void append_items(TextBuilder& out, const Value& v) {
  const List& list = v.list();
  const bool tuple = v.kind == Kind::tuple;
  out.append(tuple ? "(" : "[");
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i) out.append(", ");
    append_repr(out, list.items[i]);
  }
  out.append(tuple ? (list.items.size() == 1 ? ",)" : ")") : "]");
}

}  // namespace

void TextBuilder::grow(std::size_t n) {
  budget_->step(n / 64);
  const std::size_t wanted = text_.size() + n;
  if (wanted <= charged_) return;
  const std::size_t more = std::max(wanted, charged_ + charged_ / 2) - charged_;
  budget_->take(more);
  charged_ += more;
}

void TextBuilder::mark(std::size_t begin, std::size_t end) {
  if (begin == end) return;
  if (!marks_.empty() && marks_.back().end == begin)
    marks_.back().end = end;
  else
    marks_.push_back({begin, end});
}

void TextBuilder::append(const String& s, std::size_t begin, std::size_t end) {
  grow(end - begin);
  const std::size_t at = text_.size();
  text_.append(s.text, begin, end - begin);
  const auto first =
      std::partition_point(s.marks.begin(), s.marks.end(), [&](const TextRange& r) { return r.end <= begin; });
  for (auto r = first; r != s.marks.end() && r->begin < end; ++r)
    mark(at + std::max(r->begin, begin) - begin, at + std::min(r->end, end) - begin);
}

void TextBuilder::append_marked(std::string_view s, bool marked) {
  const std::size_t at = text_.size();
  append(s);
  if (marked) mark(at, text_.size());
}

Value TextBuilder::finish(bool safe) {
  budget_->give(std::exchange(charged_, 0));
  auto string = std::make_shared<String>(std::move(text_), std::move(marks_), budget_);
  string->safe = safe;
  Value v = Value::of(Kind::string, std::move(string));
  text_.clear();
  marks_.clear();
  return v;
}

Value make_string(const std::shared_ptr<Budget>& b, std::string text, bool marked) {
  std::vector<TextRange> marks;
  if (marked && !text.empty()) marks.push_back({0, text.size()});
  return Value::of(Kind::string, std::make_shared<String>(std::move(text), std::move(marks), b));
}

Value make_list(const std::shared_ptr<Budget>& b, std::vector<Value> items, bool tuple) {
  unsigned depth = 0;
  for (const Value& v : items) depth = std::max(depth, depth_of(v));
  check_depth(depth + 1);
  b->step(items.size() / 8);
  return Value::of(tuple ? Kind::tuple : Kind::list, std::make_shared<List>(std::move(items), depth + 1, b));
}

Value make_dict(const std::shared_ptr<Budget>& b, std::vector<std::pair<Value, Value>> items) {
  unsigned depth = 0;
  for (const auto& [k, v] : items) depth = std::max({depth, depth_of(k), depth_of(v)});
  check_depth(depth + 1);
  b->step(items.size() / 8);
  return Value::of(Kind::dict, std::make_shared<Dict>(std::move(items), depth + 1, b));
}

Value substring(const std::shared_ptr<Budget>& b, const String& s, std::size_t begin, std::size_t end) {
  TextBuilder out(b);
  out.append(s, begin, std::max(begin, end));
  return out.finish(s.safe);
}

void append_escaped(TextBuilder& out, const String& s) {
  if (s.safe) return out.append(s);
  for (std::size_t i = 0; i < s.text.size(); ++i) {
    const char c = s.text[i];
    const char* code = c == '&'    ? "&amp;"
                       : c == '<'  ? "&lt;"
                       : c == '>'  ? "&gt;"
                       : c == '\'' ? "&#39;"
                       : c == '"'  ? "&#34;"
                                   : nullptr;
    if (code)
      out.append_marked(code, is_marked(s, i));
    else
      out.append(s, i, i + 1);
  }
}

bool is_marked(const String& s, std::size_t byte) noexcept {
  const auto r =
      std::partition_point(s.marks.begin(), s.marks.end(), [&](const TextRange& x) { return x.end <= byte; });
  return r != s.marks.end() && r->begin <= byte;
}

const Value* Dict::find(const Value& key) const {
  for (const auto& [k, v] : items)
    if (equal(k, key)) return &v;
  return nullptr;
}

const Value* Dict::find(std::string_view key) const {
  for (const auto& [k, v] : items)
    if (k.is_string() && k.str().text == key) return &v;
  return nullptr;
}

bool truthy(const Value& v) noexcept {
  switch (v.kind) {
    case Kind::undefined:
    case Kind::none:
      return false;
    case Kind::boolean:
      return v.b;
    case Kind::integer:
      return v.i != 0;
    case Kind::floating:
      return v.d != 0;
    case Kind::string:
      return !v.str().text.empty();
    case Kind::list:
    case Kind::tuple:
      return !v.list().items.empty();
    case Kind::dict:
      return !v.dict().items.empty();
    default:
      return true;
  }
}

namespace {

// Compares at one place and charges what that took beyond a byte or two.
bool starts_at(Budget& b, const char* at, std::string_view what) {
  const auto same = std::mismatch(what.begin(), what.end(), at).first - what.begin();
  if (same >= 16) b.step(static_cast<std::uint64_t>(same) / 16);
  return static_cast<std::size_t>(same) == what.size();
}

}  // namespace

std::size_t find_text(Budget& b, std::string_view s, std::string_view what, std::size_t from) {
  if (what.empty()) return from <= s.size() ? from : s.npos;
  const std::size_t begin = from;
  while ((from = s.find(what[0], from)) != s.npos && what.size() <= s.size() - from) {
    if (starts_at(b, s.data() + from, what)) break;
    ++from;
  }
  const bool found = from != s.npos && what.size() <= s.size() - from;
  b.step(((found ? from : s.size()) - std::min(begin, s.size())) / 64);
  return found ? from : s.npos;
}

std::size_t find_last_text(Budget& b, std::string_view s, std::string_view what) {
  if (what.size() > s.size()) return s.npos;
  std::size_t at = s.size() - what.size() + 1;
  bool found = false;
  while (!found && at-- > 0) found = what.empty() || (s[at] == what[0] && starts_at(b, s.data() + at, what));
  b.step((s.size() - (found ? at : 0)) / 64);
  return found ? at : s.npos;
}

bool equal(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return a.is_integer() && b.is_integer() ? a.as_integer() == b.as_integer() : a.as_double() == b.as_double();
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::undefined:
    case Kind::none:
      return true;
    case Kind::string:
      if (a.str().text.size() != b.str().text.size()) return false;
      a.str().charge.step(a.str().text.size() / 64);
      return a.str().text == b.str().text;
    case Kind::list:
    case Kind::tuple:
      a.list().charge.step(1);
      return std::equal(a.list().items.begin(), a.list().items.end(), b.list().items.begin(), b.list().items.end(),
                        equal);
    case Kind::dict: {
      if (a.dict().items.size() != b.dict().items.size()) return false;
      a.dict().charge.step(1 + a.dict().items.size() * a.dict().items.size() / 8);  // each key is looked for
      for (const auto& [k, v] : a.dict().items) {
        const Value* other = b.dict().find(k);
        if (!other || !equal(v, *other)) return false;
      }
      return true;
    }
    default:
      return a.object == b.object;
  }
}

bool less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return a.is_integer() && b.is_integer() ? a.as_integer() < b.as_integer() : a.as_double() < b.as_double();
  if (a.is_string() && b.is_string()) return a.str().text < b.str().text;  // UTF-8 keeps the order of code points
  if (a.is_list() && a.kind == b.kind) {
    a.list().charge.step(1);
    return std::lexicographical_compare(a.list().items.begin(), a.list().items.end(), b.list().items.begin(),
                                        b.list().items.end(), less);
  }
  fail(Code::template_error, "template: '<' not supported between '", type_name(a), "' and '", type_name(b), "'");
}

const char* type_name(const Value& v) noexcept {
  switch (v.kind) {
    case Kind::undefined:
      return "Undefined";
    case Kind::none:
      return "NoneType";
    case Kind::boolean:
      return "bool";
    case Kind::integer:
      return "int";
    case Kind::floating:
      return "float";
    case Kind::string:
      return "str";
    case Kind::list:
      return "list";
    case Kind::tuple:
      return "tuple";
    case Kind::dict:
      return "dict";
    case Kind::space:
      return "Namespace";
    default:
      return "function";
  }
}

std::string float_text(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d < 0 ? "-inf" : "inf";
  char raw[32];
  const auto end = std::to_chars(raw, raw + sizeof raw, d, std::chars_format::scientific).ptr;
  const std::string s(raw, end);
  const std::size_t e = s.find('e');
  const int exponent = std::atoi(s.c_str() + e + 1);
  if (exponent >= -4 && exponent < 16) {
    char fixed[400];
    std::string out(fixed, std::to_chars(fixed, fixed + sizeof fixed, d, std::chars_format::fixed).ptr);
    return out.find('.') == std::string::npos ? out + ".0" : out;
  }
  return s;  // "1e-05": two digits of exponent, as Python writes it
}

void append_repr(TextBuilder& out, const Value& v) {
  out.budget()->step();
  if (v.is_string()) return append_quoted(out, v.str());
  append_str(out, v);
}

void append_str(TextBuilder& out, const Value& v) {
  switch (v.kind) {
    case Kind::undefined:
      return;
    case Kind::none:
      return out.append("None");
    case Kind::boolean:
      return out.append(v.b ? "True" : "False");
    case Kind::integer:
      return out.append(std::to_string(v.i));
    case Kind::floating:
      return out.append(float_text(v.d));
    case Kind::string:
      return out.append(v.str());
    case Kind::list:
    case Kind::tuple:
      return append_items(out, v);
    case Kind::dict: {
      out.append("{");
      bool first = true;
      for (const auto& [k, x] : v.dict().items) {
        if (!first) out.append(", ");
        first = false;
        append_repr(out, k);
        out.append(": ");
        append_repr(out, x);
      }
      return out.append("}");
    }
    case Kind::space:
      return out.append("<Namespace>");
    case Kind::callable:
      return out.append("<function>");
  }
}

Value to_string(const std::shared_ptr<Budget>& b, const Value& v) {
  if (v.is_string()) return v;
  TextBuilder out(b);
  append_str(out, v);
  return out.finish();
}

std::size_t char_length(std::string_view s, std::size_t at) noexcept {
  const unsigned char c = static_cast<unsigned char>(s[at]);
  const std::size_t n = c < 0x80                ? 1
                        : c >= 0xc2 && c < 0xe0 ? 2
                        : c >= 0xe0 && c < 0xf0 ? 3
                        : c >= 0xf0 && c < 0xf5 ? 4
                                                : 1;
  if (n > s.size() - at) return 1;
  for (std::size_t i = 1; i < n; ++i)
    if ((static_cast<unsigned char>(s[at + i]) & 0xc0) != 0x80) return 1;
  return n;
}

std::size_t count_chars(std::string_view s) noexcept {
  std::size_t n = 0;
  for (std::size_t i = 0; i < s.size(); i += char_length(s, i)) ++n;
  return n;
}

bool is_space_at(std::string_view s, std::size_t at, std::size_t n) noexcept {
  const std::string_view c = s.substr(at, n);
  if (n == 1) return (c[0] >= 9 && c[0] <= 13) || (c[0] >= 28 && c[0] <= 32);
  if (n == 2) return c == "\xc2\x85" || c == "\xc2\xa0";
  if (n != 3) return false;
  const auto last = static_cast<unsigned char>(c[2]);
  if (c.substr(0, 2) == "\xe2\x80") return last <= 0x8a || last == 0xa8 || last == 0xa9 || last == 0xaf;
  return c == "\xe1\x9a\x80" || c == "\xe2\x81\x9f" || c == "\xe3\x80\x80";
}

}  // namespace lq::jinja
