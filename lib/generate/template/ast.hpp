// What a template is compiled to.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "value.hpp"

namespace lq::jinja {

enum class Op : std::uint8_t {
  // expressions
  constant,   // value
  name,       // text
  list,       // kids
  tuple,      // kids
  dict,       // kids: key, value, key, value, ...
  attribute,  // kids[0] . text
  item,       // kids[0] [ kids[1] ]
  slice,      // kids[0] [ kids[1] : kids[2] : kids[3] ], absent ones are null
  call,       // kids[0] ( args )
  filter,     // kids[0] | text ( args ); kids[0] is null inside a filter block
  test,       // kids[0] is text ( args )
  negate,
  plus,
  logical_not,
  logical_and,
  logical_or,
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
  concat,
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  in,
  not_in,
  compare,      // a < b < c: kids are comparisons whose left side is evaluated once
  conditional,  // kids: value, condition, otherwise (may be null)
  // statements
  data,          // text
  output,        // kids[0]
  block,         // kids in order
  if_,           // kids: condition, block, condition, block, ..., [else block]
  for_,          // kids: target, iterable, filter (or null), body, else (or null); flag: recursive
  set,           // kids: target, value
  set_block,     // kids: target, body; args: the filters around it
  with,          // kids: target, value, target, value, ..., body
  macro,         // text, params, kids[0] = body
  call_block,    // kids: call, body; params
  filter_block,  // kids: filter chain whose innermost input is null, body
  break_,
  continue_,
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

struct Argument {
  std::string name;  // keyword, "" = positional
  NodePtr value;
  int stars = 0;  // 1: *value, 2: **value
};

struct Node {
  Op op;
  int line;
  std::string text;
  Value value;
  std::vector<NodePtr> kids;
  std::vector<Argument> args;  // of calls; of macros: parameters with their defaults (value may be null)
  bool flag = false;
  unsigned height = 1;
  Node(Op o, int l) : op(o), line(l) {}
};

constexpr unsigned kMaxNesting = 200;  // of tags and brackets: what a 128 KiB stack bears, with room to spare

// Recursion here follows what a template says: it ends with an error before it can end a small stack (128 KiB, of which
// the host may have used some).
class StackGuard {
 public:
  StackGuard() noexcept : base_(static_cast<const char*>(__builtin_frame_address(0))) {}
  void check() const {
    const char* here = static_cast<const char*>(__builtin_frame_address(0));
    LQ_CHECK(base_ - here < kMaxStack && here - base_ < kMaxStack, Code::limit, "template: nested too deep");
  }

 private:
#if defined(__SANITIZE_ADDRESS__) || !defined(__OPTIMIZE__)
  static constexpr std::ptrdiff_t kMaxStack = 1024 * 1024;  // frames are many times as large
#else
  static constexpr std::ptrdiff_t kMaxStack = 64 * 1024;
#endif
  const char* base_;
};

// Throws Error{template_error} with the line, Error{limit}.
NodePtr parse_template(std::string_view source);

}  // namespace lq::jinja
