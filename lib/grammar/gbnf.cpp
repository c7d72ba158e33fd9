// GBNF, the notation of llama.cpp's grammars. A rule ends at the end of its line, but for lines that end in "::=" or
// "|", and inside parentheses. One addition: %json{...} stands for the JSON that the schema between the braces allows.
#include <unordered_map>

#include "loquor/core/status.hpp"
#include "loquor/grammar/grammar.hpp"
#include "loquor/text/unicode.hpp"
#include "schema/schema_rules.hpp"

namespace lq {
namespace {

constexpr int kDepth = 100;
constexpr std::size_t kMaxRules = 20'000;
constexpr std::uint32_t kMostRepeats = 1'000'000;
constexpr std::size_t kMaxText = std::size_t{4} << 20;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

class GbnfReader {
 public:
  explicit GbnfReader(std::string_view text) : text_(text) {}

  RuleSet read(std::string_view root) {
    skip(true);
    while (!done()) read_rule();
    for (std::size_t r = 0; r < rules_.rules.size(); ++r)
      LQ_CHECK(defined_[r], Code::invalid_argument, "grammar: rule '", rules_.rules[r].name, "' is not defined");
    const auto at = names_.find(std::string(root));
    LQ_CHECK(at != names_.end(), Code::invalid_argument, "grammar: there is no rule '", root, "' to begin with");
    rules_.root = at->second;
    return std::move(rules_);
  }

 private:
  bool done() const noexcept { return at_ == text_.size(); }
  char peek() const noexcept { return done() ? '\0' : text_[at_]; }
  bool take(std::string_view what) {
    if (!text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }

  [[noreturn]] void malformed(std::string_view why) const {
    std::size_t line = 1, column = 1;
    for (std::size_t i = 0; i < at_; ++i) text_[i] == '\n' ? (++line, column = 1) : ++column;
    fail(Code::invalid_argument, "grammar, line ", line, ", column ", column, ": ", why);
  }

  void skip(bool lines) {
    for (; !done(); ++at_) {
      const char c = text_[at_];
      if (c == '#')
        while (at_ + 1 < text_.size() && text_[at_ + 1] != '\n' && text_[at_ + 1] != '\r') ++at_;
      else if (c != ' ' && c != '\t' && !(lines && (c == '\n' || c == '\r')))
        return;
    }
  }

  std::string_view name() {
    const std::size_t first = at_;
    while (is_name_char(peek())) ++at_;
    if (at_ == first) malformed("a rule's name is missing");
    return text_.substr(first, at_ - first);
  }

  std::uint32_t rule(std::string_view name) {
    const auto [at, is_new] = names_.try_emplace(std::string(name), static_cast<std::uint32_t>(rules_.rules.size()));
    if (is_new) {
      LQ_CHECK(rules_.rules.size() < kMaxRules, Code::limit, "grammar: more than ", kMaxRules, " rules");
      rules_.rules.push_back({std::string(name), {}, false});
      defined_.push_back(false);
    }
    return at->second;
  }

  void read_rule() {
    const std::string_view called = name();
    const std::uint32_t r = rule(called);
    skip(false);
    if (!take("::=")) malformed("'::=' is missing");
    if (defined_[r]) malformed(str("rule '", called, "' is defined twice"));
    defined_[r] = true;
    skip(true);
    Expr body = alternatives(0);
    rules_.rules[r].body = std::move(body);
    if (!done() && peek() != '\n' && peek() != '\r') malformed("the end of the rule is missing");
    skip(true);
  }

  Expr alternatives(int depth) {
    LQ_CHECK(depth <= kDepth, Code::limit, "grammar: parentheses nested deeper than ", kDepth);
    std::vector<Expr> branches;
    do {
      skip(true);
      branches.push_back(sequence(depth));
    } while (take("|"));
    return branches.size() == 1 ? std::move(branches[0]) : Expr::choice_of(std::move(branches));
  }

  Expr sequence(int depth) {
    std::vector<Expr> parts;
    while (!done()) {
      const char c = peek();
      if (c == '"')
        parts.push_back(literal());
      else if (c == '[')
        parts.push_back(char_class());
      else if (take("."))
        parts.push_back(Expr::of(CharSet::any()));
      else if (take("("))
        parts.push_back(group(depth));
      else if (take("%json"))
        parts.push_back(schema());
      else if (is_name_char(c))
        parts.push_back(Expr::call_of(rule(name())));
      else if (c == '<' || c == '!')
        fail(Code::unsupported, "grammar: '", c, "', a token instead of text, is not supported");
      else if (c == '*' || c == '+' || c == '?' || c == '{')
        repeat(parts);
      else
        break;
      skip(depth > 0);
    }
    return Expr::sequence_of(std::move(parts));
  }

  Expr group(int depth) {
    Expr e = alternatives(depth + 1);
    if (!take(")")) malformed("')' is missing");
    return e;
  }

  void repeat(std::vector<Expr>& parts) {
    if (parts.empty()) malformed("there is nothing to repeat");
    std::uint32_t min = 0, max = Expr::kNoLimit;
    if (take("+"))
      min = 1;
    else if (take("?"))
      max = 1;
    else if (take("{"))
      counts(min, max);
    else
      take("*");
    parts.back() = Expr::repeat_of(std::move(parts.back()), min, max);
  }

  void counts(std::uint32_t& min, std::uint32_t& max) {
    skip(true);
    min = max = number();
    skip(true);
    if (take(",")) {
      skip(true);
      max = peek() == '}' ? Expr::kNoLimit : number();
      skip(true);
    }
    if (!take("}")) malformed("'}' is missing");
    if (min > max) malformed("the least number of repetitions is larger than the most");
  }

  std::uint32_t number() {
    if (peek() < '0' || peek() > '9') malformed("a number is missing");
    std::uint64_t n = 0;
    for (; peek() >= '0' && peek() <= '9'; ++at_) {
      n = n * 10 + static_cast<std::uint64_t>(peek() - '0');
      LQ_CHECK(n <= kMostRepeats, Code::limit, "grammar: more than ", kMostRepeats, " repetitions");
    }
    return static_cast<std::uint32_t>(n);
  }

  std::uint32_t hex(int digits) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = peek();
      const int d = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
      if (d < 0) malformed("a hexadecimal digit is missing");
      value = value << 4 | static_cast<std::uint32_t>(d);
    }
    if (value > kLastCodePoint) malformed("a character beyond Unicode");
    return value;
  }

  std::uint32_t character() {
    if (done()) malformed("the text ends in a literal");
    if (!take("\\")) {
      const CodePoint c = decode_utf8(text_.data() + at_, text_.size() - at_);
      if (c.length == 0) malformed("not valid UTF-8");
      at_ += c.length;
      return c.value;
    }
    const char c = peek();
    if (!done()) ++at_;
    switch (c) {
      case 'x':
        return hex(2);
      case 'u':
        return hex(4);
      case 'U':
        return hex(8);
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<std::uint32_t>(c);
      default:
        malformed("an unknown escape");
    }
  }

  std::uint32_t append(RuleSet more) {
    const auto first = static_cast<std::uint32_t>(rules_.rules.size());
    LQ_CHECK(first + more.rules.size() <= kMaxRules, Code::limit, "grammar: more than ", kMaxRules, " rules");
    for (Rule& r : more.rules) {
      r.body.renumber(first);
      rules_.rules.push_back(std::move(r));
      defined_.push_back(true);
    }
    return first + more.root;
  }

  // The braces that belong together, strings left aside, hold the schema.
  Expr schema() {
    skip(false);
    const std::size_t first = at_;
    std::size_t open = 0;
    bool quoted = false;
    do {
      if (done() || (at_ == first && peek() != '{')) malformed("%json needs a schema in braces");
      const char c = text_[at_++];
      if (quoted && c == '\\' && !done())
        ++at_;
      else if (c == '"')
        quoted = !quoted;
      else if (!quoted && c == '{')
        ++open;
      else if (!quoted && c == '}')
        --open;
    } while (open);
    return Expr::call_of(append(schema::rules_of_schema(text_.substr(first, at_ - first), {})));
  }

  Expr literal() {
    ++at_;
    std::vector<Expr> chars;
    while (!take("\"")) {
      const std::uint32_t c = character();
      chars.push_back(Expr::of({c, c}));
    }
    return Expr::sequence_of(std::move(chars));
  }

  Expr char_class() {
    ++at_;
    const bool negated = take("^");
    CharSet set;
    while (!take("]")) {
      const std::uint32_t first = character();
      std::uint32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = character();
        if (first > last) malformed("a range out of order");
      }
      set.add(first, last);
    }
    return Expr::of(negated ? set.complement() : std::move(set));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  RuleSet rules_;
  std::vector<bool> defined_;
  std::unordered_map<std::string, std::uint32_t> names_;
};

}  // namespace

std::shared_ptr<const Grammar> Grammar::from_gbnf(std::string_view text, std::string_view root) {
  LQ_CHECK(text.size() <= kMaxText, Code::limit, "grammar: ", text.size(), " bytes, at most ", kMaxText);
  return std::make_shared<const Grammar>(GbnfReader(text).read(root));
}

}  // namespace lq
