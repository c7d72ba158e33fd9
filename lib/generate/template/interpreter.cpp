#include "interpreter.hpp"

#include <algorithm>

namespace lq::jinja {
namespace {

constexpr unsigned kMaxCalls = 200;

// Puts a scope on for as long as it lives.
class ScopeGuard {
 public:
  ScopeGuard(std::shared_ptr<Scope>& current, std::shared_ptr<Scope> next)
      : current_(current), before_(std::move(current)) {
    current_ = std::move(next);
  }
  ~ScopeGuard() { current_ = std::move(before_); }
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

 private:
  std::shared_ptr<Scope>& current_;
  std::shared_ptr<Scope> before_;
};

std::shared_ptr<Scope> inner(const std::shared_ptr<Scope>& parent) {
  return std::make_shared<Scope>(Scope{parent, {}});
}

}  // namespace

const Value* argument(const CallArguments& args, std::size_t index, std::string_view name) {
  if (index < args.positional.size()) return &args.positional[index];
  for (const auto& [k, v] : args.named)
    if (k == name) return &v;
  return nullptr;
}

Interpreter::Interpreter(std::shared_ptr<Budget> budget, std::int64_t now)
    : budget_(std::move(budget)), globals_(std::make_shared<Scope>()), scope_(globals_), now_(now) {
  for (const char* name : {"range", "dict", "namespace", "raise_exception", "strftime_now"}) {
    auto f = std::make_shared<Callable>();
    f->type = Callable::Type::function;
    f->name = name;
    define(name, Value::of(Kind::callable, std::move(f)));
  }
}

Interpreter::~Interpreter() {
  globals_->variables.clear();
  for (const auto& space : spaces_) space->values.clear();
}

Value Interpreter::generator(std::vector<Value> items) const {
  Value v = make_list(budget_, std::move(items));
  const_cast<List&>(v.list()).generator = true;  // nobody else has seen it yet
  return v;
}

void Interpreter::define(std::string_view name, Value value) {
  globals_->variables.emplace_back(name, std::move(value));
}

void Interpreter::run(const Node& root, TextBuilder& out) {
  scope_ = inner(globals_);
  const std::shared_ptr<Scope> top = scope_;
  try {
    exec(root, out);
  } catch (...) {
    top->variables.clear();
    throw;
  }
  top->variables.clear();
}

Value Interpreter::make_space(CallArguments args) {
  auto space = std::make_shared<Space>();
  for (const Value& v : args.positional) {
    if (!v.is_dict()) wrong("namespace() takes a dictionary or keywords");
    for (const auto& [k, x] : v.dict().items)
      if (k.is_string()) space->values[k.str().text] = x;
  }
  for (auto& [k, v] : args.named) space->values[k] = std::move(v);
  spaces_.push_back(space);
  budget_->take(256);  // never given back: a template cannot make namespaces without end
  return Value::of(Kind::space, std::move(space));
}

Interpreter::Flow Interpreter::exec(const Node& n, TextBuilder& out) {
  stack_.check();
  budget_->step();
  line_ = n.line;
  switch (n.op) {
    case Op::block:
      return exec_block(n, out);
    case Op::data:
      out.append(n.text);
      break;
    case Op::output:
      append_str(out, eval(*n.kids[0]));
      break;
    case Op::if_:
      return exec_if(n, out);
    case Op::for_:
      return exec_for(n, out);
    case Op::set:
      assign(*n.kids[0], eval(*n.kids[1]));
      break;
    case Op::set_block:
      exec_set_block(n);
      break;
    case Op::with:
      exec_with(n, out);
      break;
    case Op::macro: {
      auto macro = std::make_shared<Callable>();
      macro->type = Callable::Type::macro;
      macro->node = &n;
      macro->closure = scope_;
      set(n.text, Value::of(Kind::callable, std::move(macro)));
      break;
    }
    case Op::call_block:
      exec_call_block(n, out);
      break;
    case Op::filter_block:
      exec_filter_block(n, out);
      break;
    case Op::break_:
      return Flow::leave;
    case Op::continue_:
      return Flow::again;
    default:
      wrong("an expression where a statement belongs");
  }
  budget_->check_output(out.size());
  return Flow::next;
}

Interpreter::Flow Interpreter::exec_block(const Node& n, TextBuilder& out) {
  for (const NodePtr& k : n.kids) {
    const Flow flow = exec(*k, out);
    if (flow != Flow::next) return flow;
  }
  return Flow::next;
}

Interpreter::Flow Interpreter::exec_if(const Node& n, TextBuilder& out) {
  std::size_t i = 0;
  for (; i + 1 < n.kids.size(); i += 2)
    if (truthy(eval(*n.kids[i]))) return exec(*n.kids[i + 1], out);
  return i < n.kids.size() ? exec(*n.kids[i], out) : Flow::next;
}

Interpreter::Flow Interpreter::exec_for(const Node& n, TextBuilder& out) {
  Flow flow = Flow::next;
  run_loop(n, eval(*n.kids[1]), 1, out, flow);
  return flow;
}

void Interpreter::run_loop(const Node& n, const Value& iterable, unsigned depth, TextBuilder& out, Flow& flow) {
  std::vector<Value> items = iterate(iterable);
  if (n.kids[2]) {  // the filter sees the loop's target, not its state
    std::vector<Value> kept;
    for (Value& v : items) {
      budget_->step();
      const ScopeGuard guard(scope_, inner(scope_));
      assign(*n.kids[0], v);
      if (truthy(eval(*n.kids[2]))) kept.push_back(std::move(v));
    }
    items = std::move(kept);
  }
  auto state = std::make_shared<LoopState>();
  const Value list = make_list(budget_, std::move(items));
  state->items = std::static_pointer_cast<const List>(list.object);
  state->depth = depth;
  state->node = &n;
  auto callable = std::make_shared<Callable>();
  callable->type = Callable::Type::loop;
  callable->node = &n;
  callable->loop = state;
  const Value loop = Value::of(Kind::callable, std::move(callable));
  const std::size_t count = state->items->items.size();
  for (; state->index < count; ++state->index) {
    budget_->step();
    const ScopeGuard guard(scope_, inner(scope_));
    set("loop", loop);
    assign(*n.kids[0], state->items->items[state->index]);
    const Flow f = exec(*n.kids[3], out);
    if (f == Flow::leave) break;
  }
  if (count == 0 && n.kids[4]) flow = exec(*n.kids[4], out);
}

void Interpreter::exec_set_block(const Node& n) {
  TextBuilder text(budget_);
  {
    const ScopeGuard guard(scope_, inner(scope_));
    exec(*n.kids[1], text);
  }
  Value v = text.finish();
  if (n.kids[2]) v = eval_filter(*n.kids[2], &v);
  assign(*n.kids[0], v);
}

void Interpreter::exec_with(const Node& n, TextBuilder& out) {
  auto scope = inner(scope_);
  std::vector<Value> values;
  for (std::size_t i = 0; i + 1 < n.kids.size(); i += 2) values.push_back(eval(*n.kids[i + 1]));
  const ScopeGuard guard(scope_, std::move(scope));
  for (std::size_t i = 0; i + 1 < n.kids.size(); i += 2) assign(*n.kids[i], values[i / 2]);
  exec(*n.kids.back(), out);
}

void Interpreter::exec_call_block(const Node& n, TextBuilder& out) {
  auto caller = std::make_shared<Callable>();
  caller->type = Callable::Type::caller;
  caller->node = &n;
  caller->closure = scope_;
  CallArguments args = eval_arguments(n.kids[0]->args);
  args.named.emplace_back("caller", Value::of(Kind::callable, std::move(caller)));
  append_str(out, call(eval(*n.kids[0]->kids[0]), std::move(args)));
}

void Interpreter::exec_filter_block(const Node& n, TextBuilder& out) {
  TextBuilder text(budget_);
  {
    const ScopeGuard guard(scope_, inner(scope_));
    exec(*n.kids[1], text);
  }
  const Value v = text.finish();
  append_str(out, eval_filter(*n.kids[0], &v));
}

void Interpreter::set(std::string_view name, Value v) {
  for (auto& [k, x] : scope_->variables)
    if (k == name) {
      x = std::move(v);
      return;
    }
  scope_->variables.emplace_back(name, std::move(v));
}

void Interpreter::assign(const Node& target, const Value& v) {
  if (target.op == Op::name) return set(target.text, v);
  if (target.op == Op::attribute) {
    const Value object = eval(*target.kids[0]);
    if (object.kind != Kind::space) wrong("cannot assign attribute on non-namespace object");
    object.space().values[target.text] = v;
    return;
  }
  const std::vector<Value> items = iterate(v);
  if (items.size() != target.kids.size())
    wrong(lq::str("cannot unpack ", items.size(), " values into ", target.kids.size()));
  for (std::size_t i = 0; i < items.size(); ++i) assign(*target.kids[i], items[i]);
}

CallArguments Interpreter::eval_arguments(const std::vector<Argument>& args) {
  CallArguments out;
  for (const Argument& a : args) {
    Value v = eval(*a.value);
    if (a.stars == 1) {
      for (Value& x : iterate(v)) out.positional.push_back(std::move(x));
    } else if (a.stars == 2) {
      if (!v.is_dict()) wrong("argument after ** must be a mapping");
      for (const auto& [k, x] : v.dict().items) out.named.emplace_back(k.is_string() ? k.str().text : std::string(), x);
    } else if (a.name.empty()) {
      out.positional.push_back(std::move(v));
    } else {
      out.named.emplace_back(a.name, std::move(v));
    }
  }
  return out;
}

Value Interpreter::call(const Value& callee, CallArguments args) {
  stack_.check();
  if (callee.kind == Kind::undefined)
    wrong(lq::str(callee.object ? "'" + callee.str().text + "'" : std::string("a value"), " is undefined"));
  if (callee.kind != Kind::callable) wrong(lq::str("'", type_name(callee), "' object is not callable"));
  const Callable& c = callee.callable();
  switch (c.type) {
    case Callable::Type::macro:
    case Callable::Type::caller:
      return call_macro(c, std::move(args));
    case Callable::Type::loop:
      return call_loop(c, std::move(args));
    case Callable::Type::function:
      return call_function(c, args);
    default:
      return call_method(c, args);
  }
}

Value Interpreter::call_loop(const Callable& c, CallArguments args) {
  if (!c.node->flag || args.positional.size() != 1) wrong("this loop is not recursive");
  TextBuilder out(budget_);
  Flow flow = Flow::next;
  run_loop(*c.node, args.positional[0], c.loop->depth + 1, out, flow);
  return out.finish();
}

Value Interpreter::call_macro(const Callable& macro, CallArguments args) {
  LQ_CHECK(++calls_ <= kMaxCalls, Code::limit, "template: line ", line_, ": over ", kMaxCalls, " calls deep");
  struct Leave {
    unsigned& n;
    ~Leave() { --n; }
  } leave{calls_};
  const Node& n = *macro.node;
  auto closure = macro.closure.lock();
  auto scope = inner(closure ? closure : globals_);
  const ScopeGuard guard(scope_, scope);
  std::vector<Value> rest;
  std::vector<std::pair<Value, Value>> others;
  for (std::size_t i = n.args.size(); i < args.positional.size(); ++i) rest.push_back(args.positional[i]);
  for (auto& [k, v] : args.named) {
    const bool known = std::any_of(n.args.begin(), n.args.end(), [&k = k](const Argument& a) { return a.name == k; });
    if (k == "caller")
      set("caller", v);
    else if (!known)
      others.emplace_back(string(k), v);
  }
  if (!rest.empty()) set("varargs", make_list(budget_, std::move(rest), true));
  if (!others.empty()) set("kwargs", make_dict(budget_, std::move(others)));
  for (std::size_t i = 0; i < n.args.size(); ++i) {
    const Argument& p = n.args[i];
    const Value* given = argument(args, i, p.name);
    set(p.name, given ? *given : p.value ? eval(*p.value) : Value());
  }
  TextBuilder out(budget_);
  exec(*n.kids[macro.type == Callable::Type::caller ? 1 : 0], out);
  return out.finish();
}

std::vector<Value> Interpreter::iterate(const Value& v) const {
  std::vector<Value> out;
  switch (v.kind) {
    case Kind::undefined:
      return out;
    case Kind::list:
    case Kind::tuple:
      budget_->step(v.list().items.size() / 8);
      return v.list().items;
    case Kind::dict:
      for (const auto& item : v.dict().items) out.push_back(item.first);
      return out;
    case Kind::string: {
      const String& s = v.str();
      for (std::size_t i = 0; i < s.text.size();) {
        budget_->step();
        const std::size_t n = char_length(s.text, i);
        out.push_back(substring(budget_, s, i, i + n));
        i += n;
      }
      return out;
    }
    default:
      wrong(lq::str("'", type_name(v), "' object is not iterable"));
  }
}

}  // namespace lq::jinja
