// The file a run adds its answers to: a line of JSON that says which run it is, then one for each answer. A line that
// was not finished when the run was killed is dropped and its question asked again.
#pragma once

#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "loquor/eval/mmlu.hpp"

namespace lq::mmlu {

class Results {
 public:
  // `run`: what makes the run what it is, as JSON. Throws Error{mismatch|io}.
  Results(const std::string& path, const std::string& run);
  const MmluAnswer* find(const std::string& subject, std::size_t index) const;
  void add(const MmluAnswer& answer);  // throws Error{io}

 private:
  struct Close {
    void operator()(std::FILE* f) const noexcept { std::fclose(f); }
  };
  void write_line(std::string line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::pair<std::string, std::size_t>, MmluAnswer> known_;
};

}  // namespace lq::mmlu
