#include "loquor/eval/csv.hpp"

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 20;

class CsvReader {
 public:
  CsvReader(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  std::vector<CsvRow> read() {
    std::vector<CsvRow> rows;
    while (at_ < text_.size()) {
      CsvRow row{line_, {}};
      do row.fields.push_back(field());
      while (take(','));
      if (!take('\r') || !take('\n')) take('\n');
      ++line_;
      if (row.fields.size() > 1 || !row.fields[0].empty()) rows.push_back(std::move(row));
    }
    return rows;
  }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string field() {
    std::string out;
    if (!take('"')) {
      while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') out += text_[at_++];
      return out;
    }
    const std::size_t first = line_;
    for (;;) {
      LQ_CHECK(at_ < text_.size(), Code::bad_file, "'", name_, "', line ", first, ": a quoted field does not end");
      const char c = text_[at_++];
      if (c == '"' && !take('"')) break;
      line_ += c == '\n';
      out += c;
    }
    // What follows a closing quote belongs to the field, as most programs read it.
    while (at_ < text_.size() && text_[at_] != ',' && text_[at_] != '\n' && text_[at_] != '\r') out += text_[at_++];
    return out;
  }

  std::string_view text_;
  const std::string& name_;
  std::size_t at_ = 0, line_ = 1;
};

}  // namespace

std::vector<CsvRow> read_csv(std::string_view text, const std::string& name) {
  LQ_CHECK(text.size() <= kMaxText, Code::limit, "'", name, "': ", text.size(), " bytes, at most ", kMaxText);
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return CsvReader(text, name).read();
}

}  // namespace lq
