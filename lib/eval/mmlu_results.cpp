#include "mmlu_results.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"

namespace lq::mmlu {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail_io(const std::string& path) {
  fail(Code::io, "mmlu: results file '", path, "': ", std::strerror(errno));
}

bool read_answer(const Json& j, MmluAnswer& out) {
  try {
    out.subject = j.at("subject").get<std::string>();
    out.index = j.at("index").get<std::size_t>();
    out.right = j.at("right").get<int>();
    out.chosen = j.at("chosen").get<int>();
    out.shots = j.at("shots").get<std::size_t>();
    for (std::size_t i = 0; i < 4; ++i) out.probability[i] = j.at("probability").at(i).get<double>();
    return out.right >= 0 && out.right < 4 && out.chosen >= 0 && out.chosen < 4;
  } catch (const Json::exception&) {
    return false;
  }
  return out.right >= 0 && out.right < 4 && out.chosen >= 0 && out.chosen < 4;
}

}  // namespace

Results::Results(const std::string& path, const std::string& run) : path_(path) {
  std::size_t good = 0;  // bytes of whole lines
  if (std::ifstream in(path, std::ios::binary); in) {
    std::string line;
    for (bool first = true; std::getline(in, line) && !in.eof(); first = false) {
      if (first)
        LQ_CHECK(line == run, Code::mismatch, "mmlu: results file '", path, "' is of another run: it says ",
                 line.substr(0, 200), ", this one is ", run);
      MmluAnswer answer;
      if (!first) {
        LQ_CHECK(read_answer(Json::parse(line, nullptr, false), answer), Code::bad_file, "mmlu: results file '", path,
                 "': a line is no answer: ", line.substr(0, 200));
        known_.insert_or_assign({answer.subject, answer.index}, answer);
      }
      good += line.size() + 1;
    }
    if (truncate(path.c_str(), static_cast<off_t>(good)) != 0) fail_io(path);
  }
  file_.reset(std::fopen(path.c_str(), "ab"));
  if (!file_) fail_io(path);
  if (good == 0) write_line(run);
}

const MmluAnswer* Results::find(const std::string& subject, std::size_t index) const {
  const auto at = known_.find({subject, index});
  return at == known_.end() ? nullptr : &at->second;
}

void Results::add(const MmluAnswer& a) {
  const std::string line = Json{{"subject", a.subject}, {"index", a.index}, {"right", a.right},
                                {"chosen", a.chosen},   {"shots", a.shots}, {"probability", a.probability}}
                               .dump();
  write_line(line);
}

void Results::write_line(std::string line) {
  line += '\n';
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
    fail_io(path_);
}

}  // namespace lq::mmlu
