// Tokens to a tree, by precedence climbing: few stack frames per level of nesting, and nesting is bounded.
#include <algorithm>
#include <charconv>

#include "ast.hpp"
#include "lexer.hpp"

namespace lq::jinja {
namespace {

struct Binary {
  std::string_view text;
  Op op;
  int power;  // binds tighter the larger
};

constexpr int kOr = 1, kAnd = 2, kNot = 3, kCompare = 4, kAdd = 5, kConcat = 6, kMultiply = 7, kPower = 8;

constexpr Binary kBinaries[] = {
    {"or", Op::logical_or, kOr},
    {"and", Op::logical_and, kAnd},
    {"==", Op::equal, kCompare},
    {"!=", Op::not_equal, kCompare},
    {"<", Op::less, kCompare},
    {"<=", Op::less_equal, kCompare},
    {">", Op::greater, kCompare},
    {">=", Op::greater_equal, kCompare},
    {"in", Op::in, kCompare},
    {"+", Op::add, kAdd},
    {"-", Op::subtract, kAdd},
    {"~", Op::concat, kConcat},
    {"*", Op::multiply, kMultiply},
    {"/", Op::divide, kMultiply},
    {"//", Op::floor_divide, kMultiply},
    {"%", Op::modulo, kMultiply},
    {"**", Op::power, kPower},
};

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  NodePtr run() {
    NodePtr body = block({});
    if (peek().kind != Tok::end) wrong("an unexpected tag");
    return body;
  }

 private:
  // Counts nesting for as long as it lives.
  class Level {
   public:
    explicit Level(Parser& p) : p_(p) {
      p_.stack_.check();
      LQ_CHECK(++p_.depth_ <= kMaxNesting, Code::limit, "template: line ", p_.peek().line, ": nested over ",
               kMaxNesting, " deep");
    }
    ~Level() { --p_.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Parser& p_;
  };

  const Token& peek(std::size_t n = 0) const { return tokens_[std::min(at_ + n, tokens_.size() - 1)]; }
  Token take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  bool is_op(std::string_view s, std::size_t n = 0) const { return peek(n).kind == Tok::op && peek(n).text == s; }
  bool is_name(std::string_view s, std::size_t n = 0) const { return peek(n).kind == Tok::name && peek(n).text == s; }
  bool accept_op(std::string_view s) { return is_op(s) ? (take(), true) : false; }
  bool accept_name(std::string_view s) { return is_name(s) ? (take(), true) : false; }
  void expect_op(std::string_view s) {
    if (!accept_op(s)) wrong(lq::str("expected '", s, "'"));
  }
  void expect(Tok kind, const char* what) {
    if (peek().kind != kind) wrong(lq::str("expected ", what));
    take();
  }
  std::string expect_name() {
    if (peek().kind != Tok::name) wrong("expected a name");
    return take().text;
  }
  [[noreturn]] void wrong(const std::string& what) const {
    const std::string found = peek().kind == Tok::end ? "the end" : peek().text.substr(0, 40);
    fail(Code::template_error, "template: line ", peek().line, ": ", what, found.empty() ? "" : ", found '", found,
         found.empty() ? "" : "'");
  }
  // A tree is as deep as it is high: bounded, since the interpreter and the destructor descend it.
  NodePtr done(NodePtr n) const {
    unsigned height = 0;
    for (const NodePtr& k : n->kids) height = std::max(height, k ? k->height : 0);
    for (const Argument& a : n->args) height = std::max(height, a.value ? a.value->height : 0);
    n->height = height + 1;
    LQ_CHECK(n->height <= 2 * kMaxNesting, Code::limit, "template: line ", n->line, ": nested over ", 2 * kMaxNesting,
             " deep");
    return n;
  }
  NodePtr node(Op op) const { return std::make_unique<Node>(op, peek().line); }

  NodePtr block(std::initializer_list<std::string_view> ends);
  NodePtr statement(const std::string& tag);
  NodePtr if_statement();
  NodePtr for_statement();
  NodePtr set_statement();
  NodePtr macro_statement();
  NodePtr call_statement();
  NodePtr filter_statement();
  NodePtr with_statement();
  std::vector<Argument> parameters();
  void end_tag(std::string_view name);

  NodePtr expression(bool conditional = true);
  NodePtr binary(int power);
  NodePtr binary_rest(NodePtr left, int power);
  NodePtr unary(bool filters);
  NodePtr primary();
  NodePtr string_constant();
  NodePtr brackets();
  NodePtr postfix(NodePtr base);
  NodePtr subscript(NodePtr base);
  NodePtr filters_and_tests(NodePtr base);
  NodePtr filter(NodePtr base);
  NodePtr test(NodePtr base);
  NodePtr tuple(bool conditional, bool target);
  std::vector<Argument> arguments();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  unsigned depth_ = 0;
  StackGuard stack_;
};

// Statements until a tag named in `ends`, which is left for the caller, its block_begin taken.
NodePtr Parser::block(std::initializer_list<std::string_view> ends) {
  const Level level(*this);
  NodePtr body = node(Op::block);
  for (;;) {
    const Token& t = peek();
    if (t.kind == Tok::data) {
      NodePtr n = node(Op::data);
      n->text = take().text;
      body->kids.push_back(std::move(n));
    } else if (t.kind == Tok::variable_begin) {
      take();
      NodePtr n = node(Op::output);
      n->kids.push_back(tuple(true, false));
      expect(Tok::variable_end, "'}}'");
      body->kids.push_back(std::move(n));
    } else if (t.kind == Tok::block_begin) {
      take();
      for (std::string_view end : ends)
        if (is_name(end)) return done(std::move(body));
      const std::string tag = expect_name();
      body->kids.push_back(statement(tag));
    } else {
      if (ends.size() > 0) wrong(lq::str("a '", *(ends.end() - 1), "' is missing"));
      return done(std::move(body));
    }
  }
}

void Parser::end_tag(std::string_view name) {
  if (!accept_name(name)) wrong(lq::str("expected '", name, "'"));
  expect(Tok::block_end, "'%}'");
}

NodePtr Parser::statement(const std::string& tag) {
  if (tag == "if") return if_statement();
  if (tag == "for") return for_statement();
  if (tag == "set") return set_statement();
  if (tag == "macro") return macro_statement();
  if (tag == "call") return call_statement();
  if (tag == "filter") return filter_statement();
  if (tag == "with") return with_statement();
  if (tag == "generation") {
    expect(Tok::block_end, "'%}'");
    NodePtr body = block({"endgeneration"});
    end_tag("endgeneration");
    return body;
  }
  if (tag == "break" || tag == "continue") {
    NodePtr n = node(tag == "break" ? Op::break_ : Op::continue_);
    expect(Tok::block_end, "'%}'");
    return done(std::move(n));
  }
  wrong(lq::str("unknown tag '", tag.substr(0, 40), "'"));
}

NodePtr Parser::if_statement() {
  NodePtr n = node(Op::if_);
  for (;;) {
    n->kids.push_back(tuple(true, false));
    expect(Tok::block_end, "'%}'");
    n->kids.push_back(block({"elif", "else", "endif"}));
    if (accept_name("elif")) continue;
    if (accept_name("else")) {
      expect(Tok::block_end, "'%}'");
      n->kids.push_back(block({"endif"}));
    }
    end_tag("endif");
    return done(std::move(n));
  }
}

NodePtr Parser::for_statement() {
  NodePtr n = node(Op::for_);
  n->kids.push_back(tuple(false, true));
  if (!accept_name("in")) wrong("expected 'in'");
  n->kids.push_back(tuple(false, false));
  n->kids.push_back(accept_name("if") ? expression() : nullptr);
  n->flag = accept_name("recursive");
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"else", "endfor"}));
  n->kids.push_back(nullptr);
  if (accept_name("else")) {
    expect(Tok::block_end, "'%}'");
    n->kids.back() = block({"endfor"});
  }
  end_tag("endfor");
  return done(std::move(n));
}

NodePtr Parser::set_statement() {
  NodePtr n = node(Op::set);
  n->kids.push_back(tuple(false, true));
  if (accept_op("=")) {
    n->kids.push_back(tuple(true, false));
    expect(Tok::block_end, "'%}'");
    return done(std::move(n));
  }
  n->op = Op::set_block;
  NodePtr chain;  // filters around the block's text
  while (is_op("|")) chain = filter(std::move(chain));
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"endset"}));
  n->kids.push_back(std::move(chain));
  end_tag("endset");
  return done(std::move(n));
}

std::vector<Argument> Parser::parameters() {
  std::vector<Argument> out;
  expect_op("(");
  while (!accept_op(")")) {
    if (!out.empty()) {
      expect_op(",");
      if (accept_op(")")) break;
    }
    Argument a;
    a.name = expect_name();
    if (accept_op("="))
      a.value = expression();
    else if (!out.empty() && out.back().value)
      wrong("a parameter without a default after one with");
    out.push_back(std::move(a));
  }
  return out;
}

NodePtr Parser::macro_statement() {
  NodePtr n = node(Op::macro);
  n->text = expect_name();
  n->args = parameters();
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"endmacro"}));
  if (peek(1).kind == Tok::name) take();  // the name may be repeated
  end_tag("endmacro");
  return done(std::move(n));
}

NodePtr Parser::call_statement() {
  NodePtr n = node(Op::call_block);
  if (is_op("(")) n->args = parameters();
  n->kids.push_back(expression());
  if (n->kids[0]->op != Op::call) wrong("expected a call");
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"endcall"}));
  end_tag("endcall");
  return done(std::move(n));
}

NodePtr Parser::filter_statement() {
  NodePtr n = node(Op::filter_block);
  NodePtr first = node(Op::filter);
  first->text = expect_name();
  first->kids.push_back(nullptr);
  if (is_op("(")) first->args = arguments();
  while (is_op("|")) first = filter(std::move(first));
  n->kids.push_back(std::move(first));
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"endfilter"}));
  end_tag("endfilter");
  return done(std::move(n));
}

NodePtr Parser::with_statement() {
  NodePtr n = node(Op::with);
  while (peek().kind != Tok::block_end) {
    if (!n->kids.empty()) expect_op(",");
    n->kids.push_back(tuple(false, true));
    expect_op("=");
    n->kids.push_back(expression());
  }
  expect(Tok::block_end, "'%}'");
  n->kids.push_back(block({"endwith"}));
  end_tag("endwith");
  return done(std::move(n));
}

// One expression, or several with commas between them. A target is names, attributes of namespaces, or tuples of them.
NodePtr Parser::tuple(bool conditional, bool target) {
  const auto item = [&]() -> NodePtr {
    if (!target) return expression(conditional);
    const Level level(*this);
    NodePtr n;
    if (accept_op("(")) {
      n = tuple(false, true);
      expect_op(")");
      return done(std::move(n));
    }
    n = node(Op::name);
    n->text = expect_name();
    if (!accept_op(".")) return done(std::move(n));
    NodePtr a = node(Op::attribute);
    a->text = expect_name();
    a->kids.push_back(std::move(n));
    return done(std::move(a));
  };
  NodePtr first = item();
  if (!is_op(",")) return first;
  NodePtr n = node(Op::tuple);
  n->kids.push_back(std::move(first));
  while (accept_op(",")) {
    if (peek().kind == Tok::variable_end || peek().kind == Tok::block_end || is_op(")") || is_op("=") || is_name("in"))
      break;
    n->kids.push_back(item());
  }
  return done(std::move(n));
}

NodePtr Parser::expression(bool conditional) {
  const Level level(*this);
  NodePtr value = binary(kOr);
  while (conditional && is_name("if")) {
    NodePtr n = node(Op::conditional);
    take();
    n->kids.push_back(std::move(value));
    n->kids.push_back(binary(kOr));
    n->kids.push_back(accept_name("else") ? expression() : nullptr);
    value = done(std::move(n));
  }
  return value;
}

NodePtr Parser::binary(int power) {
  if (power <= kNot && is_name("not")) {
    const Level level(*this);
    NodePtr n = node(Op::logical_not);
    take();
    n->kids.push_back(binary(kNot));
    return power < kNot ? binary_rest(std::move(n), power) : std::move(n);
  }
  return binary_rest(unary(true), power);
}

// Operators that bind at least as tightly as `power`, left to right; comparisons chain as in Python.
NodePtr Parser::binary_rest(NodePtr left, int power) {
  for (unsigned chain = 0;; ++chain) {
    // A long chain makes a deep tree on its left side, which the interpreter descends.
    LQ_CHECK(chain <= kMaxNesting, Code::limit, "template: line ", peek().line, ": over ", kMaxNesting,
             " operators in a row");
    const Token& t = peek();
    const bool not_in = is_name("not") && is_name("in", 1);
    const Binary* found = nullptr;
    if (t.kind == Tok::op || t.kind == Tok::name)
      for (const Binary& b : kBinaries)
        if (b.text == (not_in ? std::string_view("in") : std::string_view(t.text))) found = &b;
    if (!found || found->power < power) return left;
    NodePtr n = node(not_in ? Op::not_in : found->op);
    take();
    if (not_in) take();
    n->kids.push_back(nullptr);
    n->kids.push_back(found->op == Op::power ? unary(true) : binary(found->power + 1));
    const bool comparison = found->power == kCompare;
    if (comparison && left->op == Op::compare) {
      left->kids.push_back(std::move(n));
    } else if (comparison && left->flag && left->op != Op::compare) {
      NodePtr both = node(Op::compare);
      both->kids.push_back(std::move(left));
      both->kids.push_back(std::move(n));
      left = done(std::move(both));
    } else {
      n->kids[0] = std::move(left);
      n->flag = comparison;  // an unbracketed comparison: what follows chains to it
      left = done(std::move(n));
    }
  }
}

NodePtr Parser::unary(bool filters) {
  const Level level(*this);
  NodePtr n;
  if (is_op("-") || is_op("+")) {
    n = node(is_op("-") ? Op::negate : Op::plus);
    take();
    n->kids.push_back(unary(false));
    n = postfix(std::move(n));
  } else {
    n = postfix(primary());
  }
  return filters ? filters_and_tests(std::move(n)) : std::move(n);
}

NodePtr Parser::primary() {
  NodePtr n = node(Op::constant);
  const Token t = peek();
  if (t.kind == Tok::string) return string_constant();
  if (t.kind == Tok::op) return brackets();
  take();
  if (t.kind == Tok::integer) {
    std::int64_t i = 0;
    const auto end = t.text.data() + t.text.size();
    if (std::from_chars(t.text.data(), end, i).ec != std::errc()) wrong("a number over 64 bits");
    n->value = Value::integer(i);
  } else if (t.kind == Tok::floating) {
    double d = 0;
    std::from_chars(t.text.data(), t.text.data() + t.text.size(), d);
    n->value = Value::floating(d);
  } else if (t.kind == Tok::name) {
    if (t.text == "true" || t.text == "True" || t.text == "false" || t.text == "False") {
      n->value = Value::boolean(t.text[0] == 't' || t.text[0] == 'T');
    } else if (t.text == "none" || t.text == "None") {
      n->value = Value::none();
    } else {
      n->op = Op::name;
      n->text = t.text;
    }
  } else {
    --at_;
    wrong("expected an expression");
  }
  return done(std::move(n));
}

NodePtr Parser::string_constant() {
  NodePtr n = node(Op::constant);
  std::string text;
  while (peek().kind == Tok::string) text += take().text;  // neighbours join
  n->value = make_string(nullptr, std::move(text));
  return done(std::move(n));
}

NodePtr Parser::brackets() {
  const Level level(*this);
  NodePtr n = node(Op::list);
  if (accept_op("(")) {
    if (accept_op(")")) {
      n->op = Op::tuple;
      return done(std::move(n));
    }
    n = tuple(true, false);
    n->flag = false;
    expect_op(")");
    return done(std::move(n));
  }
  if (accept_op("[")) {
    while (!accept_op("]")) {
      if (!n->kids.empty()) {
        expect_op(",");
        if (accept_op("]")) break;
      }
      n->kids.push_back(expression());
    }
    return done(std::move(n));
  }
  if (!accept_op("{")) wrong("expected an expression");
  n->op = Op::dict;
  while (!accept_op("}")) {
    if (!n->kids.empty()) {
      expect_op(",");
      if (accept_op("}")) break;
    }
    n->kids.push_back(expression());
    expect_op(":");
    n->kids.push_back(expression());
  }
  return done(std::move(n));
}

NodePtr Parser::postfix(NodePtr base) {
  for (unsigned chain = 0;; ++chain) {
    LQ_CHECK(chain <= kMaxNesting, Code::limit, "template: line ", peek().line, ": over ", kMaxNesting,
             " look-ups in a row");
    if (is_op(".")) {
      NodePtr n = node(Op::attribute);
      take();
      n->kids.push_back(std::move(base));
      if (peek().kind == Tok::integer) {
        n->op = Op::item;
        n->kids.push_back(primary());
      } else {
        n->text = expect_name();
      }
      base = done(std::move(n));
    } else if (is_op("[")) {
      base = subscript(std::move(base));
    } else if (is_op("(")) {
      NodePtr n = node(Op::call);
      n->kids.push_back(std::move(base));
      n->args = arguments();
      base = done(std::move(n));
    } else {
      return base;
    }
  }
}

NodePtr Parser::subscript(NodePtr base) {
  NodePtr n = node(Op::item);
  take();
  n->kids.push_back(std::move(base));
  if (!is_op(":")) n->kids.push_back(tuple(true, false));
  if (is_op(":")) {
    n->op = Op::slice;
    if (n->kids.size() == 1) n->kids.push_back(nullptr);
    while (n->kids.size() < 4 && accept_op(":")) n->kids.push_back(is_op(":") || is_op("]") ? nullptr : expression());
    while (n->kids.size() < 4) n->kids.push_back(nullptr);
  }
  expect_op("]");
  return done(std::move(n));
}

std::vector<Argument> Parser::arguments() {
  std::vector<Argument> out;
  expect_op("(");
  while (!accept_op(")")) {
    if (!out.empty()) {
      expect_op(",");
      if (accept_op(")")) break;
    }
    Argument a;
    a.stars = accept_op("**") ? 2 : accept_op("*") ? 1 : 0;
    if (!a.stars && peek().kind == Tok::name && is_op("=", 1)) {
      a.name = take().text;
      take();
    }
    a.value = expression();
    out.push_back(std::move(a));
  }
  return out;
}

NodePtr Parser::filters_and_tests(NodePtr base) {
  for (unsigned chain = 0;; ++chain) {
    LQ_CHECK(chain <= kMaxNesting, Code::limit, "template: line ", peek().line, ": over ", kMaxNesting,
             " filters in a row");
    if (is_op("|"))
      base = filter(std::move(base));
    else if (is_name("is"))
      base = test(std::move(base));
    else if (is_op("(")) {
      NodePtr n = node(Op::call);
      n->kids.push_back(std::move(base));
      n->args = arguments();
      base = done(std::move(n));
    } else {
      return base;
    }
  }
}

NodePtr Parser::filter(NodePtr base) {
  NodePtr n = node(Op::filter);
  expect_op("|");
  n->text = expect_name();
  n->kids.push_back(std::move(base));
  if (is_op("(")) n->args = arguments();
  return done(std::move(n));
}

NodePtr Parser::test(NodePtr base) {
  take();
  const bool negated = accept_name("not");
  NodePtr n = node(Op::test);
  n->text = expect_name();
  n->kids.push_back(std::move(base));
  const Token& t = peek();
  const bool word = t.kind == Tok::name && t.text != "else" && t.text != "or" && t.text != "and" && t.text != "is" &&
                    t.text != "if" && t.text != "not" && t.text != "in";
  if (is_op("(")) {
    n->args = arguments();
  } else if (word || t.kind == Tok::string || t.kind == Tok::integer || t.kind == Tok::floating || is_op("[") ||
             is_op("{")) {
    Argument a;
    a.value = postfix(primary());
    n->args.push_back(std::move(a));
  }
  if (!negated) return done(std::move(n));
  NodePtr no = node(Op::logical_not);
  no->kids.push_back(std::move(n));
  return done(std::move(no));
}

}  // namespace

NodePtr parse_template(std::string_view source) { return Parser(tokenize(source)).run(); }

}  // namespace lq::jinja
