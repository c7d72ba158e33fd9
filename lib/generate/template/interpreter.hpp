// Runs a template's tree. One rendering, one interpreter; nothing outlives it but strings.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ast.hpp"

namespace lq::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string_view, Value>> variables;  // names belong to the tree
};

struct LoopState {
  std::shared_ptr<const List> items;
  std::size_t index = 0;
  unsigned depth = 1;
  std::optional<Value> changed;
  const Node* node = nullptr;
};

struct Callable {
  enum class Type : std::uint8_t { macro, caller, function, method, loop } type;
  const Node* node = nullptr;    // macro, caller, loop
  std::weak_ptr<Scope> closure;  // macro, caller; gone: the global scope
  std::string name;              // function, method
  Value self;                    // method
  std::shared_ptr<LoopState> loop;
};

struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
  std::size_t count() const noexcept { return positional.size() + named.size(); }
};

class Interpreter {
 public:
  Interpreter(std::shared_ptr<Budget> budget, std::int64_t now);
  ~Interpreter();

  void define(std::string_view name, Value value);  // `name` must outlive the interpreter
  void run(const Node& root, TextBuilder& out);

  // For filters, tests and methods.
  const std::shared_ptr<Budget>& budget() const noexcept { return budget_; }
  [[noreturn]] void wrong(const std::string& what) const {
    fail(Code::template_error, "template: line ", line_, ": ", what);
  }
  Value call(const Value& callee, CallArguments args);
  Value attribute(const Value& object, std::string_view name);
  Value item(const Value& object, const Value& key);
  std::vector<Value> iterate(const Value& v) const;  // throws for what Python cannot iterate
  Value string(std::string s) const { return make_string(budget_, std::move(s)); }
  Value list(std::vector<Value> items) const { return make_list(budget_, std::move(items)); }
  Value generator(std::vector<Value> items) const;
  Value apply_filter(std::string_view name, const Value& in, CallArguments& args);
  bool apply_test(std::string_view name, const Value& in, CallArguments& args);
  std::int64_t now() const noexcept { return now_; }
  Value make_space(CallArguments args);

 private:
  enum class Flow : std::uint8_t { next, leave, again };

  Flow exec(const Node& n, TextBuilder& out);
  Flow exec_block(const Node& n, TextBuilder& out);
  Flow exec_if(const Node& n, TextBuilder& out);
  Flow exec_for(const Node& n, TextBuilder& out);
  void run_loop(const Node& n, const Value& iterable, unsigned depth, TextBuilder& out, Flow& flow);
  void exec_set_block(const Node& n);
  void exec_with(const Node& n, TextBuilder& out);
  void exec_call_block(const Node& n, TextBuilder& out);
  void exec_filter_block(const Node& n, TextBuilder& out);
  void assign(const Node& target, const Value& v);
  void set(std::string_view name, Value v);

  Value eval(const Node& n);
  Value eval_name(const Node& n);
  Value eval_items(const Node& n);
  Value eval_dict(const Node& n);
  Value eval_slice(const Node& n);
  Value eval_call(const Node& n);
  Value eval_filter(const Node& n, const Value* input = nullptr);
  Value eval_test(const Node& n);
  Value eval_binary(const Node& n);
  Value eval_compare(const Node& n);
  Value arithmetic(Op op, const Value& a, const Value& b);
  Value join_text(const String& a, const String& b);
  Value repeat(const Value& sequence, std::int64_t times);
  Value format_percent(const String& format, const Value& values);
  bool compare(Op op, const Value& a, const Value& b);
  bool contains(const Value& container, const Value& v);
  CallArguments eval_arguments(const std::vector<Argument>& args);
  Value call_macro(const Callable& macro, CallArguments args);
  Value call_loop(const Callable& c, CallArguments args);
  Value call_function(const Callable& f, CallArguments& args);
  Value call_method(const Callable& m, CallArguments& args);
  Value loop_attribute(const Value& loop, std::string_view name);

  std::shared_ptr<Budget> budget_;
  std::shared_ptr<Scope> globals_, scope_;
  std::vector<std::shared_ptr<Space>> spaces_;  // emptied at the end: they may refer to each other
  StackGuard stack_;
  unsigned calls_ = 0;
  int line_ = 1;
  std::int64_t now_;
};

// The argument at `index`, or named `name`; nullptr if absent.
const Value* argument(const CallArguments& args, std::size_t index, std::string_view name);
bool has_method(const Value& v, std::string_view name);
Value call_string_method(Interpreter& in, const Value& self, std::string_view name, CallArguments& args);
Value call_container_method(Interpreter& in, const Value& self, std::string_view name, CallArguments& args);
bool is_filter(std::string_view name);
bool is_test(std::string_view name);
std::string format_time(std::int64_t now, const std::string& format);

}  // namespace lq::jinja
