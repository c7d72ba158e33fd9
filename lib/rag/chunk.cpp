#include "loquor/rag/chunk.hpp"

#include <algorithm>
#include <array>

#include "loquor/core/status.hpp"
#include "utf8.hpp"

namespace lq {
namespace {

// The smallest piece that a chunk begins or ends at.
struct Unit {
  std::size_t begin, end, tokens = 0;
  int level = 0;  // what begins here: 0 a sentence, 1 a paragraph, 2 a section
  std::size_t section = 0;
};

bool blank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

bool sentence_end(std::string_view text, std::size_t i) {
  if (text[i] != '.' && text[i] != '!' && text[i] != '?') return false;
  std::size_t next = i + 1;
  while (next < text.size() && (text[next] == '"' || text[next] == '\'' || text[next] == ')')) ++next;
  return next < text.size() && (text[next] == ' ' || text[next] == '\n' || text[next] == '\t');
}

class Splitter {
 public:
  Splitter(std::string_view text, TextKind kind, std::size_t most,
           const std::function<std::size_t(std::string_view)>& count)
      : text_(text), kind_(kind), most_(most), count_(count), headings_(1) {}

  void run() {
    std::size_t begin = 0, at = 0;
    bool fence = false, was_blank = false;
    const auto close = [&](std::size_t end) {
      paragraph(begin, end);
      begin = end;
    };
    while (at < text_.size()) {
      const std::size_t line_end = std::min(text_.find('\n', at), text_.size());
      const std::string_view line = text_.substr(at, line_end - at);
      const std::size_t next = std::min(line_end + 1, text_.size());
      if (kind_ == TextKind::markdown && (line.starts_with("```") || line.starts_with("~~~"))) {
        if (!fence) close(at);
        fence = !fence;
        if (!fence) close(next);
      } else if (!fence) {
        if (blank(line)) {
          if (kind_ != TextKind::code) close(next);
        } else if (kind_ == TextKind::markdown && heading(line)) {
          close(at);
          enter(line);
          close(next);
        } else if (kind_ == TextKind::code && was_blank && line[0] != ' ' && line[0] != '\t') {
          close(at);
        }
      }
      was_blank = blank(line);
      at = next;
    }
    close(text_.size());
  }

  const std::vector<Unit>& units() const { return units_; }
  const std::string& heading_of(std::size_t section) const { return headings_[section]; }

 private:
  static std::size_t heading(std::string_view line) {
    const std::size_t n = line.find_first_not_of('#');
    return n != std::string_view::npos && n >= 1 && n <= 6 && line[n] == ' ' ? n : 0;
  }

  void enter(std::string_view line) {
    const std::size_t level = heading(line);
    std::string_view title = line.substr(level);
    title.remove_prefix(std::min(title.find_first_not_of(' '), title.size()));
    title = title.substr(0, title.find_last_not_of(" #\r\t") + 1);
    for (std::size_t i = level - 1; i < path_.size(); ++i) path_[i].clear();
    path_[level - 1] = std::string(title);
    std::string all;
    for (const std::string& p : path_)
      if (!p.empty()) all += (all.empty() ? "" : " > ") + p;
    headings_.push_back(all);
    level_ = 2;
  }

  void paragraph(std::size_t begin, std::size_t end) {
    while (begin < end && (text_[begin] == '\n' || text_[begin] == '\r')) ++begin;
    while (end > begin && (text_[end - 1] == '\n' || text_[end - 1] == '\r' || text_[end - 1] == ' ')) --end;
    if (begin == end) return;
    level_ = std::max(level_, 1);
    std::size_t from = begin;
    for (std::size_t i = begin; i < end; ++i) {
      const bool cut = kind_ == TextKind::code ? text_[i] == '\n' : sentence_end(text_, i);
      if (!cut) continue;
      std::size_t to = i + 1;
      while (to < end && kind_ != TextKind::code && text_[to] != ' ' && text_[to] != '\n') ++to;
      add(from, to);
      from = to;
      i = to - 1;
    }
    if (from < end) add(from, end);
  }

  void add(std::size_t begin, std::size_t end) {
    while (begin < end && kind_ != TextKind::code && (text_[begin] == ' ' || text_[begin] == '\n')) ++begin;
    if (begin == end) return;
    const std::size_t n = count_(text_.substr(begin, end - begin));
    if (n <= most_ || end - begin == 1) {
      units_.push_back({begin, end, n, level_, headings_.size() - 1});
      level_ = 0;
      return;
    }
    const std::size_t middle = cut_near(begin, begin + (end - begin) / 2, end);
    add(begin, middle);
    add(middle, end);
  }

  // A place to cut that is strictly inside: after white space, or else between characters.
  std::size_t cut_near(std::size_t begin, std::size_t middle, std::size_t end) const {
    for (std::size_t d = 0; d < (end - begin) / 2; ++d)
      for (const std::size_t i : {middle + d, middle - d})
        if (i > begin && i < end && (text_[i - 1] == ' ' || text_[i - 1] == '\n')) return i;
    std::size_t i = middle;
    while (i > begin + 1 && is_continuation(text_[i])) --i;
    if (is_continuation(text_[i]) || i == begin)
      for (i = middle; i < end && is_continuation(text_[i]);) ++i;
    return i > begin && i < end ? i : begin + 1;
  }

  std::string_view text_;
  TextKind kind_;
  std::size_t most_;
  const std::function<std::size_t(std::string_view)>& count_;
  std::vector<Unit> units_;
  std::vector<std::string> headings_;
  std::array<std::string, 6> path_;
  int level_ = 2;
};

// The end of the chunk that begins with unit `first`: as many as fit, but rather a whole paragraph less than a torn one
// if three fifths are filled without it.
std::size_t chunk_end(const std::vector<Unit>& units, std::size_t first, std::size_t fresh, std::size_t most) {
  std::size_t tokens = 0, paragraph = 0, i = first;
  for (; i < units.size(); ++i) {
    if (i > fresh && units[i].level == 2) return i;
    if (i > fresh && tokens + units[i].tokens > most) break;
    if (i > fresh && units[i].level == 1 && tokens * 5 >= most * 3) paragraph = i;
    tokens += units[i].tokens;
  }
  return i < units.size() && paragraph > fresh ? paragraph : i;
}

}  // namespace

std::vector<Chunk> chunk_text(std::string_view text, TextKind kind, const ChunkOptions& options,
                              const std::function<std::size_t(std::string_view)>& count) {
  LQ_CHECK(options.max_tokens > 0 && options.overlap < options.max_tokens, Code::invalid_argument, "chunks of ",
           options.max_tokens, " tokens that overlap by ", options.overlap);
  const std::size_t bad = first_not_utf8(text);
  LQ_CHECK(bad == text.size(), Code::invalid_argument, "the text is not UTF-8 at byte ", bad);
  Splitter s(text, kind, options.max_tokens, count);
  s.run();
  const std::vector<Unit>& units = s.units();
  std::vector<Chunk> out;
  for (std::size_t first = 0, fresh = 0; fresh < units.size();) {
    const std::size_t end = chunk_end(units, first, fresh, options.max_tokens);
    out.push_back({units[first].begin, units[end - 1].end, s.heading_of(units[fresh].section)});
    fresh = first = end;
    if (end == units.size() || units[end].level == 2) continue;
    // The next chunk begins with the last sentences of this one, of the same section, if it has room for more.
    std::size_t tokens = 0;
    while (first > 0 && units[first - 1].section == units[end].section && units[first - 1].begin > out.back().begin &&
           tokens + units[first - 1].tokens <= options.overlap &&
           tokens + units[first - 1].tokens + units[end].tokens <= options.max_tokens)
      tokens += units[--first].tokens;
  }
  return out;
}

TextKind kind_of_file(std::string_view name, bool* html) {
  const std::size_t dot = name.rfind('.');
  std::string ending(dot == std::string_view::npos ? "" : name.substr(dot + 1));
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  if (html) *html = ending == "html" || ending == "htm" || ending == "xhtml";
  if (ending == "html" || ending == "htm" || ending == "xhtml" || ending == "md" || ending == "markdown")
    return TextKind::markdown;
  for (const char* code :
       {"c",  "h",  "cc",   "cpp", "cxx",   "hpp", "cs",  "py", "js", "ts",  "jsx",   "tsx", "go",
        "rs", "rb", "java", "kt",  "swift", "php", "lua", "sh", "pl", "sql", "cmake", "gd",  "scala"})
    if (ending == code) return TextKind::code;
  return TextKind::plain;
}

}  // namespace lq
