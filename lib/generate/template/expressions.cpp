// Evaluating expressions.
#include <algorithm>
#include <cmath>

#include "interpreter.hpp"

namespace lq::jinja {

Value Interpreter::eval(const Node& n) {
  stack_.check();
  budget_->step();
  line_ = n.line;
  switch (n.op) {
    case Op::constant:
      return n.value;
    case Op::name:
      return eval_name(n);
    case Op::list:
    case Op::tuple:
      return eval_items(n);
    case Op::dict:
      return eval_dict(n);
    case Op::attribute:
      return attribute(eval(*n.kids[0]), n.text);
    case Op::item: {
      const Value object = eval(*n.kids[0]);
      return item(object, eval(*n.kids[1]));
    }
    case Op::slice:
      return eval_slice(n);
    case Op::call:
      return eval_call(n);
    case Op::filter:
      return eval_filter(n);
    case Op::test:
      return eval_test(n);
    case Op::logical_not:
      return Value::boolean(!truthy(eval(*n.kids[0])));
    case Op::logical_and: {
      Value a = eval(*n.kids[0]);
      return truthy(a) ? eval(*n.kids[1]) : a;
    }
    case Op::logical_or: {
      Value a = eval(*n.kids[0]);
      return truthy(a) ? a : eval(*n.kids[1]);
    }
    case Op::conditional:
      if (truthy(eval(*n.kids[1]))) return eval(*n.kids[0]);
      return n.kids[2] ? eval(*n.kids[2]) : Value();
    case Op::compare:
      return eval_compare(n);
    default:
      return eval_binary(n);
  }
}

Value Interpreter::eval_name(const Node& n) {
  for (const Scope* s = scope_.get(); s; s = s->parent.get()) {
    budget_->step();
    for (const auto& [k, v] : s->variables)
      if (k == n.text) return v;
  }
  return Value::of(Kind::undefined, make_string(budget_, n.text).object);
}

Value Interpreter::eval_items(const Node& n) {
  std::vector<Value> items;
  for (const NodePtr& k : n.kids) items.push_back(eval(*k));
  return make_list(budget_, std::move(items), n.op == Op::tuple);
}

Value Interpreter::eval_dict(const Node& n) {
  std::vector<std::pair<Value, Value>> items;
  for (std::size_t i = 0; i < n.kids.size(); i += 2) {
    Value key = eval(*n.kids[i]);
    if (key.kind == Kind::list || key.is_dict()) wrong(lq::str("unhashable type: '", type_name(key), "'"));
    Value v = eval(*n.kids[i + 1]);
    const auto same = std::find_if(items.begin(), items.end(), [&](const auto& x) { return equal(x.first, key); });
    if (same != items.end())
      same->second = std::move(v);
    else
      items.emplace_back(std::move(key), std::move(v));
  }
  return make_dict(budget_, std::move(items));
}

Value Interpreter::loop_attribute(const Value& loop, std::string_view name) {
  const LoopState& s = *loop.callable().loop;
  const auto count = static_cast<std::int64_t>(s.items->items.size()), at = static_cast<std::int64_t>(s.index);
  if (name == "index") return Value::integer(at + 1);
  if (name == "index0") return Value::integer(at);
  if (name == "first") return Value::boolean(at == 0);
  if (name == "last") return Value::boolean(at + 1 == count);
  if (name == "length") return Value::integer(count);
  if (name == "revindex") return Value::integer(count - at);
  if (name == "revindex0") return Value::integer(count - at - 1);
  if (name == "depth") return Value::integer(s.depth);
  if (name == "depth0") return Value::integer(s.depth - 1);
  if (name == "previtem") return at > 0 ? s.items->items[s.index - 1] : Value();
  if (name == "nextitem") return at + 1 < count ? s.items->items[s.index + 1] : Value();
  if (name != "cycle" && name != "changed") return Value();
  auto m = std::make_shared<Callable>();
  m->type = Callable::Type::method;
  m->name = std::string(name);
  m->self = loop;
  return Value::of(Kind::callable, std::move(m));
}

// environment.getattr: a method of the object, else an item.
Value Interpreter::attribute(const Value& object, std::string_view name) {
  if (object.kind == Kind::undefined)
    wrong(lq::str(object.object ? "'" + object.str().text + "'" : std::string("a value"),
                  " is undefined, so it has no attribute '", name.substr(0, 64), "'"));
  if (object.kind == Kind::space) {
    const auto found = object.space().values.find(name);
    return found != object.space().values.end() ? found->second : Value();
  }
  if (object.kind == Kind::callable) {
    if (object.callable().type == Callable::Type::loop) return loop_attribute(object, name);
    if (name == "name" && object.callable().node) return string(object.callable().node->text);
    return Value();
  }
  if (has_method(object, name)) {
    auto m = std::make_shared<Callable>();
    m->type = Callable::Type::method;
    m->name = std::string(name);
    m->self = object;
    return Value::of(Kind::callable, std::move(m));
  }
  if (object.is_dict())
    if (const Value* v = object.dict().find(name)) return *v;
  return Value::of(Kind::undefined, make_string(budget_, std::string(name)).object);
}

// environment.getitem: an item, else for strings an attribute.
Value Interpreter::item(const Value& object, const Value& key) {
  if (object.kind == Kind::undefined)
    wrong(lq::str(object.object ? "'" + object.str().text + "'" : std::string("a value"),
                  " is undefined, so it has no items"));
  if (object.is_dict()) {
    budget_->step(object.dict().items.size() / 16);
    if (const Value* v = object.dict().find(key)) return *v;
    if (key.is_string() && has_method(object, key.str().text)) return attribute(object, key.str().text);
    return Value::of(Kind::undefined, to_string(budget_, key).object);
  }
  if (object.is_generator()) return Value();
  if (key.is_integer() && (object.is_list() || object.is_string())) {
    const bool text = object.is_string();
    const auto count = static_cast<std::int64_t>(text ? count_chars(object.str().text) : object.list().items.size());
    const std::int64_t i = key.as_integer() < 0 ? key.as_integer() + count : key.as_integer();
    if (i < 0 || i >= count) return Value();
    if (!text) return object.list().items[static_cast<std::size_t>(i)];
    const String& s = object.str();
    budget_->step(s.text.size() / 8);
    std::size_t at = 0;
    for (std::int64_t k = 0; k < i; ++k) at += char_length(s.text, at);
    return substring(budget_, s, at, at + char_length(s.text, at));
  }
  return key.is_string() ? attribute(object, key.str().text) : Value();
}

Value Interpreter::eval_slice(const Node& n) {
  const Value object = eval(*n.kids[0]);
  std::optional<std::int64_t> part[3];
  for (std::size_t i = 0; i < 3; ++i) {
    if (!n.kids[i + 1]) continue;
    const Value v = eval(*n.kids[i + 1]);
    if (v.kind == Kind::none) continue;
    if (!v.is_integer()) wrong("slice indices must be integers or None");
    part[i] = v.as_integer();
  }
  if (object.kind == Kind::undefined) return Value();
  if ((!object.is_list() && !object.is_string()) || object.is_generator())
    wrong(lq::str("'", type_name(object), "' object cannot be sliced"));
  const std::int64_t step = part[2].value_or(1);
  if (step == 0) wrong("slice step cannot be zero");
  const std::vector<Value> items = iterate(object);
  const auto count = static_cast<std::int64_t>(items.size());
  // Python's slice.indices: bounds are clamped, negative ones count from the end.
  const auto bound = [&](std::optional<std::int64_t> x, std::int64_t absent) {
    if (!x) return absent;
    const std::int64_t low = step < 0 ? -1 : 0, high = step < 0 ? count - 1 : count;
    return *x < 0 ? std::max(*x + count < *x ? low : *x + count, low) : std::min(*x, high);
  };
  const std::int64_t first = bound(part[0], step < 0 ? count - 1 : 0), last = bound(part[1], step < 0 ? -1 : count);
  std::vector<Value> out;
  for (std::int64_t i = first; step < 0 ? i > last : i < last;) {
    out.push_back(items[static_cast<std::size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  if (object.is_list()) return make_list(budget_, std::move(out), object.kind == Kind::tuple);
  TextBuilder text(budget_);
  for (const Value& v : out) text.append(v.str());
  return text.finish();
}

Value Interpreter::eval_call(const Node& n) {
  const Value callee = eval(*n.kids[0]);
  CallArguments args = eval_arguments(n.args);
  line_ = n.line;
  return call(callee, std::move(args));
}

Value Interpreter::eval_filter(const Node& n, const Value* input) {
  // Inside a filter block the innermost input is the block's text.
  const Value in = !n.kids[0] ? (input ? *input : Value()) : input ? eval_filter(*n.kids[0], input) : eval(*n.kids[0]);
  CallArguments args = eval_arguments(n.args);
  line_ = n.line;
  return apply_filter(n.text, in, args);
}

Value Interpreter::eval_test(const Node& n) {
  const Value in = eval(*n.kids[0]);
  CallArguments args = eval_arguments(n.args);
  return Value::boolean(apply_test(n.text, in, args));
}

Value Interpreter::eval_compare(const Node& n) {
  const Node& first = *n.kids[0];
  Value left = eval(*first.kids[0]);
  for (const NodePtr& k : n.kids) {
    Value right = eval(*k->kids[1]);
    if (!compare(k->op, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::eval_binary(const Node& n) {
  const Value a = eval(*n.kids[0]);
  if (n.op == Op::negate || n.op == Op::plus)
    return arithmetic(n.op == Op::negate ? Op::subtract : Op::add, Value::integer(0), a);
  const Value b = eval(*n.kids[1]);
  line_ = n.line;
  switch (n.op) {
    case Op::concat: {
      // Without autoescaping "~" makes plain text even of safe strings, unlike "+".
      TextBuilder out(budget_);
      append_str(out, a);
      append_str(out, b);
      return out.finish();
    }
    case Op::add:
    case Op::subtract:
    case Op::multiply:
    case Op::divide:
    case Op::floor_divide:
    case Op::modulo:
    case Op::power:
      return arithmetic(n.op, a, b);
    default:
      return Value::boolean(compare(n.op, a, b));
  }
}

bool Interpreter::compare(Op op, const Value& a, const Value& b) {
  switch (op) {
    case Op::equal:
      return equal(a, b);
    case Op::not_equal:
      return !equal(a, b);
    case Op::less:
      return less(a, b);
    case Op::greater:
      return less(b, a);
    case Op::less_equal:
      return !less(b, a);
    case Op::greater_equal:
      return !less(a, b);
    case Op::in:
      return contains(b, a);
    default:
      return !contains(b, a);
  }
}

bool Interpreter::contains(const Value& container, const Value& v) {
  if (container.is_string()) {
    if (!v.is_string()) wrong(lq::str("'in <string>' requires string as left operand, not ", type_name(v)));
    return find_text(*budget_, container.str().text, v.str().text) != std::string::npos;
  }
  if (container.is_dict()) return container.dict().find(v) != nullptr;
  const std::vector<Value> items = iterate(container);
  return std::any_of(items.begin(), items.end(), [&](const Value& x) { return equal(x, v); });
}

Value Interpreter::repeat(const Value& sequence, std::int64_t times) {
  if (times < 0) times = 0;
  if (sequence.is_string()) {
    TextBuilder out(budget_);
    const String& s = sequence.str();
    if (s.text.empty()) times = 0;
    for (std::int64_t i = 0; i < times; ++i) {
      budget_->step();
      out.append(s);
    }
    return out.finish();
  }
  std::vector<Value> items;
  const auto& source = sequence.list().items;
  if (source.empty()) times = 0;
  for (std::int64_t i = 0; i < times; ++i) {
    budget_->step(source.size() + 1);
    items.insert(items.end(), source.begin(), source.end());
  }
  return make_list(budget_, std::move(items), sequence.kind == Kind::tuple);
}

Value Interpreter::join_text(const String& a, const String& b) {
  TextBuilder out(budget_);
  if (a.safe || b.safe) {
    append_escaped(out, a);
    append_escaped(out, b);
    return out.finish(true);
  }
  out.append(a);
  out.append(b);
  return out.finish();
}

Value Interpreter::arithmetic(Op op, const Value& a, const Value& b) {
  const auto unsupported = [&] {
    wrong(lq::str("unsupported operand types: '", type_name(a), "' and '", type_name(b), "'"));
  };
  if (op == Op::add && a.is_string() && b.is_string()) {
    return join_text(a.str(), b.str());
  }
  if (op == Op::add && a.is_list() && a.kind == b.kind && !a.is_generator() && !b.is_generator()) {
    std::vector<Value> items = a.list().items;
    items.insert(items.end(), b.list().items.begin(), b.list().items.end());
    return make_list(budget_, std::move(items), a.kind == Kind::tuple);
  }
  if (op == Op::multiply && (a.is_string() || a.is_list()) && b.is_integer()) return repeat(a, b.as_integer());
  if (op == Op::multiply && (b.is_string() || b.is_list()) && a.is_integer()) return repeat(b, a.as_integer());
  if (op == Op::modulo && a.is_string()) return format_percent(a.str(), b);
  if (!a.is_number() || !b.is_number()) unsupported();
  const bool integers = a.is_integer() && b.is_integer();
  const std::int64_t x = integers ? a.as_integer() : 0, y = integers ? b.as_integer() : 0;
  const double u = a.as_double(), v = b.as_double();
  std::int64_t r = 0;
  bool overflow = false;
  if ((op == Op::divide || op == Op::floor_divide || op == Op::modulo) && v == 0) wrong("division by zero");
  switch (op) {
    case Op::add:
      overflow = integers && __builtin_add_overflow(x, y, &r);
      break;
    case Op::subtract:
      overflow = integers && __builtin_sub_overflow(x, y, &r);
      break;
    case Op::multiply:
      overflow = integers && __builtin_mul_overflow(x, y, &r);
      break;
    case Op::divide:
      return Value::floating(u / v);
    case Op::floor_divide:
      if (!integers) return Value::floating(std::floor(u / v));
      overflow = x == INT64_MIN && y == -1;
      if (!overflow) r = x / y - (x % y != 0 && (x % y < 0) != (y < 0));
      break;
    case Op::modulo:
      if (!integers) return Value::floating(u - v * std::floor(u / v));
      r = y == -1 ? 0 : x % y;
      if (r != 0 && (r < 0) != (y < 0)) r += y;
      break;
    default:
      if (!integers || y < 0) return Value::floating(std::pow(u, v));
      r = 1;
      for (std::int64_t i = 0; i < y && !overflow && (x != 1 && x != 0); ++i)
        overflow = __builtin_mul_overflow(r, x, &r) || (x == -1 && i > 1000);
      if (x == 0 && y > 0) r = 0;
      if (x == -1) {
        overflow = false;
        r = y % 2 ? -1 : 1;
      }
  }
  if (overflow) wrong("an integer over 64 bits");
  if (integers) return Value::integer(r);
  return Value::floating(op == Op::add ? u + v : op == Op::subtract ? u - v : u * v);
}

// printf-style formatting: %s %r %d %i %f %x %%, with width and precision kept small.
Value Interpreter::format_percent(const String& format, const Value& values) {
  TextBuilder out(budget_);
  std::size_t next = 0, from = 0;
  const std::string& f = format.text;
  const auto value = [&]() -> Value {
    if (values.kind != Kind::tuple) {
      if (next++ > 0) wrong("not enough arguments for format string");
      return values;
    }
    if (next >= values.list().items.size()) wrong("not enough arguments for format string");
    return values.list().items[next++];
  };
  for (std::size_t i = 0; i < f.size(); ++i) {
    if (f[i] != '%') continue;
    out.append(format, from, i);
    std::size_t end = i + 1;
    while (end < f.size() && std::string_view("0123456789.-+ #").find(f[end]) != std::string_view::npos) ++end;
    if (end >= f.size() || end - i > 8) wrong("incomplete or oversized format");
    const char kind = f[end];
    from = end + 1;
    if (kind == '%') {
      out.append("%");
    } else if (kind == 's' && end == i + 1) {
      append_str(out, value());
    } else if (kind == 'r' && end == i + 1) {
      append_repr(out, value());
    } else if (kind == 'd' || kind == 'i' || kind == 'x' || kind == 'f') {
      const Value v = value();
      if (!v.is_number()) wrong(lq::str("%", kind, " format: a number is required, not ", type_name(v)));
      const std::size_t dot = f.find('.', i);
      const int width = std::atoi(f.c_str() + std::min(f.find_first_of("123456789", i), end)),
                precision = dot < end ? std::atoi(f.c_str() + dot + 1) : 6;
      if (width > 200 || precision > 50) wrong("an oversized format");
      char text[512];
      const std::string spec = "%" + f.substr(i + 1, end - i - 1) + (kind == 'f' ? "f" : kind == 'x' ? "llx" : "lld");
      const int n =
          kind == 'f'
              ? std::snprintf(text, sizeof text, spec.c_str(), v.as_double())
              : std::snprintf(text, sizeof text, spec.c_str(),
                              static_cast<long long>(v.is_integer() ? v.as_integer() : static_cast<std::int64_t>(v.d)));
      out.append(std::string_view(text, static_cast<std::size_t>(std::clamp(n, 0, 511))));
    } else {
      wrong("an unsupported format character");
    }
    i = end;
  }
  out.append(format, from, f.size());
  return out.finish();
}

}  // namespace lq::jinja
