// Finds stop strings in streamed text, holding back what may be the start of one.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lq {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops = {}) : stops_(std::move(stops)) {}

  // Appends text and returns what is certain not to belong to a stop string. Once one is found, matched() holds, the
  // text before it has been returned, and everything after is dropped.
  std::string feed(std::string_view text) {
    if (matched_) return {};
    held_.append(text);
    std::size_t end = std::string::npos;
    for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
    matched_ = end != std::string::npos;
    if (!matched_) end = held_.size() - longest_start();
    std::string out = held_.substr(0, end);
    held_.erase(0, matched_ ? held_.size() : end);
    return out;
  }
  // What was held back; nothing more will come.
  std::string flush() { return std::exchange(held_, {}); }
  bool matched() const noexcept { return matched_; }

 private:
  // Length of the longest end of held_ that starts a stop string.
  std::size_t longest_start() const noexcept {
    std::size_t longest = 0;
    for (const std::string& stop : stops_)
      for (std::size_t n = std::min(stop.size() - 1, held_.size()); n > longest; --n)
        if (std::string_view(held_).substr(held_.size() - n) == std::string_view(stop).substr(0, n)) longest = n;
    return longest;
  }

  std::vector<std::string> stops_;
  std::string held_;
  bool matched_ = false;
};

}  // namespace lq
