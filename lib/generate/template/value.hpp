// Values of the template language, with Python's semantics. Strings remember which of their characters came from
// outside (messages, tools): `marks`. Containers are immutable, so the only cycles can run through namespaces, which
// the interpreter empties when it ends. Memory is charged to a budget, in bytes, while an object lives.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/core/status.hpp"
#include "loquor/text/tokenizer.hpp"

namespace lq::jinja {

// What a rendering may still use.
class Budget {
 public:
  Budget(std::uint64_t steps, std::size_t memory, std::size_t output)
      : steps_(steps), memory_(memory), output_(output) {}
  void step(std::uint64_t n = 1) {
    LQ_CHECK(n <= steps_, Code::limit, "template: too many steps");
    steps_ -= n;
  }
  void take(std::size_t bytes) {
    LQ_CHECK(bytes <= memory_, Code::limit, "template: too much memory");
    memory_ -= bytes;
  }
  void give(std::size_t bytes) noexcept { memory_ += bytes; }
  void check_output(std::size_t bytes) const { LQ_CHECK(bytes <= output_, Code::limit, "template: too much output"); }

 private:
  std::uint64_t steps_;
  std::size_t memory_, output_;
};

// Bytes charged for as long as this lives. The budget is shared: values may outlive the interpreter's frames.
class Charge {
 public:
  Charge() noexcept = default;
  Charge(std::shared_ptr<Budget> budget, std::size_t bytes) : budget_(std::move(budget)), bytes_(bytes) {
    if (budget_) budget_->take(bytes_);
  }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() {
    if (budget_) budget_->give(bytes_);
  }
  void step(std::uint64_t n) const {
    if (budget_) budget_->step(n);
  }

 private:
  std::shared_ptr<Budget> budget_;
  std::size_t bytes_ = 0;
};

enum class Kind : std::uint8_t {
  undefined,
  none,
  boolean,
  integer,
  floating,
  string,
  list,
  tuple,
  dict,
  space,
  callable
};

struct String;
struct List;
struct Dict;
struct Space;
struct Callable;

struct Value {
  Kind kind = Kind::undefined;
  union {
    bool b;
    std::int64_t i;
    double d;
  };
  std::shared_ptr<const void> object;

  Value() noexcept : i(0) {}
  static Value none() noexcept { return of(Kind::none); }
  static Value boolean(bool x) noexcept {
    Value v = of(Kind::boolean);
    v.b = x;
    return v;
  }
  static Value integer(std::int64_t x) noexcept {
    Value v = of(Kind::integer);
    v.i = x;
    return v;
  }
  static Value floating(double x) noexcept {
    Value v = of(Kind::floating);
    v.d = x;
    return v;
  }
  static Value of(Kind kind, std::shared_ptr<const void> object = {}) noexcept {
    Value v;
    v.kind = kind;
    v.object = std::move(object);
    return v;
  }

  bool is_string() const noexcept { return kind == Kind::string; }
  bool is_list() const noexcept { return kind == Kind::list || kind == Kind::tuple; }
  bool is_dict() const noexcept { return kind == Kind::dict; }
  bool is_number() const noexcept { return kind == Kind::integer || kind == Kind::floating || kind == Kind::boolean; }
  bool is_integer() const noexcept { return kind == Kind::integer || kind == Kind::boolean; }
  std::int64_t as_integer() const noexcept { return kind == Kind::boolean ? b : i; }
  double as_double() const noexcept { return kind == Kind::floating ? d : static_cast<double>(as_integer()); }
  bool is_generator() const noexcept;  // what map, select, ... give: can be iterated, and nothing else
  const String& str() const noexcept { return *static_cast<const String*>(object.get()); }
  const List& list() const noexcept { return *static_cast<const List*>(object.get()); }
  const Dict& dict() const noexcept { return *static_cast<const Dict*>(object.get()); }
  Space& space() const noexcept { return *const_cast<Space*>(static_cast<const Space*>(object.get())); }
  const Callable& callable() const noexcept { return *static_cast<const Callable*>(object.get()); }
};

struct String {
  std::string text;
  std::vector<TextRange> marks;  // what came from outside: sorted, disjoint
  bool safe = false;             // made by the filter "safe": joined to other text, that text is escaped as HTML
  Charge charge;
  String(std::string t, std::vector<TextRange> m, std::shared_ptr<Budget> b)
      : text(std::move(t)),
        marks(std::move(m)),
        charge(std::move(b), 96 + text.size() + marks.size() * sizeof(TextRange)) {}
};

struct List {
  std::vector<Value> items;
  unsigned depth;  // of nesting: bounded, so that comparing and destroying may recurse
  bool generator = false;
  Charge charge;
  List(std::vector<Value> v, unsigned d, std::shared_ptr<Budget> b)
      : items(std::move(v)), depth(d), charge(std::move(b), 64 + items.size() * sizeof(Value)) {}
};

struct Dict {
  std::vector<std::pair<Value, Value>> items;  // in order of insertion
  unsigned depth;
  Charge charge;
  Dict(std::vector<std::pair<Value, Value>> v, unsigned d, std::shared_ptr<Budget> b)
      : items(std::move(v)), depth(d), charge(std::move(b), 64 + items.size() * 2 * sizeof(Value)) {}
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
};

inline bool Value::is_generator() const noexcept { return is_list() && list().generator; }

// namespace(): the only thing a template can change.
struct Space {
  std::map<std::string, Value, std::less<>> values;
};

// Appends pieces of strings with their marks.
class TextBuilder {
 public:
  explicit TextBuilder(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  ~TextBuilder() { budget_->give(charged_); }
  TextBuilder(const TextBuilder&) = delete;
  TextBuilder& operator=(const TextBuilder&) = delete;

  void append(std::string_view trusted) {
    grow(trusted.size());
    text_.append(trusted);
  }
  void append(const String& s) { append(s, 0, s.text.size()); }
  void append(const String& s, std::size_t begin, std::size_t end);
  void append_marked(std::string_view s, bool marked);
  std::size_t size() const noexcept { return text_.size(); }
  const std::string& text() const noexcept { return text_; }
  Value finish(bool safe = false);
  std::pair<std::string, std::vector<TextRange>> release() { return {std::move(text_), std::move(marks_)}; }
  const std::shared_ptr<Budget>& budget() const noexcept { return budget_; }

 private:
  void grow(std::size_t n);
  void mark(std::size_t begin, std::size_t end);

  std::shared_ptr<Budget> budget_;
  std::size_t charged_ = 0;
  std::string text_;
  std::vector<TextRange> marks_;
};

constexpr unsigned kMaxDepth = 128;  // of nested lists and dictionaries

Value make_string(const std::shared_ptr<Budget>& b, std::string text, bool marked = false);
Value make_list(const std::shared_ptr<Budget>& b, std::vector<Value> items, bool tuple = false);
Value make_dict(const std::shared_ptr<Budget>& b, std::vector<std::pair<Value, Value>> items);
// Part of a string by bytes, marks included.
Value substring(const std::shared_ptr<Budget>& b, const String& s, std::size_t begin, std::size_t end);
// The text with &, <, >, ' and " as HTML entities, unless it is safe already.
void append_escaped(TextBuilder& out, const String& s);
bool is_marked(const String& s, std::size_t byte) noexcept;

// Where `what` begins in `s`, at `from` or after it (for the last: anywhere); npos if nowhere. What a hostile pair of
// strings makes slow ends with the budget.
std::size_t find_text(Budget& b, std::string_view s, std::string_view what, std::size_t from = 0);
std::size_t find_last_text(Budget& b, std::string_view s, std::string_view what);

bool truthy(const Value& v) noexcept;
bool equal(const Value& a, const Value& b);  // takes steps: lists that share their parts can be huge
// < of two numbers, strings or lists; throws Error{template_error} for others.
bool less(const Value& a, const Value& b);
const char* type_name(const Value& v) noexcept;  // Python's: "str", "dict", ...
// str(v) and repr(v), appended.
void append_str(TextBuilder& out, const Value& v);
void append_repr(TextBuilder& out, const Value& v);
std::string float_text(double d);  // Python's repr
Value to_string(const std::shared_ptr<Budget>& b, const Value& v);

struct JsonStyle {
  int indent = -1;
  std::string item_separator, key_separator;  // "" = Python's defaults
  bool sort_keys = false, ascii = false;
};
void append_json(TextBuilder& out, const Value& v, const JsonStyle& style, unsigned level = 0);
// Throws Error{invalid_argument} naming `what` and the offset. Strings are marked.
Value parse_json(const std::shared_ptr<Budget>& b, std::string_view text, const char* what);

// Code points of UTF-8; a byte that is not part of a valid sequence counts as one.
std::size_t char_length(std::string_view s, std::size_t at) noexcept;
std::size_t count_chars(std::string_view s) noexcept;
bool is_space_at(std::string_view s, std::size_t at, std::size_t n) noexcept;  // Python's str.isspace of one character

}  // namespace lq::jinja
