// Counters and histograms in Prometheus' text format.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace server {

// Seconds, counted in fixed buckets.
class Histogram {
 public:
  void observe(double seconds);
  void render(std::string& out, const char* name, const char* help) const;

 private:
  static constexpr std::array<double, 12> kBounds = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};
  std::array<std::atomic<std::uint64_t>, 13> buckets_ = {};
  std::atomic<double> sum_ = 0;
};

struct Metrics {
  std::atomic<std::uint64_t> prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;
  std::atomic<std::uint64_t> finished = 0, cancelled = 0, timed_out = 0, failed = 0, refused = 0;
  std::atomic<std::uint64_t> steps = 0, step_sessions = 0;  // passes over the weights, and the sessions in them
  std::atomic<std::int64_t> active = 0, queued = 0, requests_in_flight = 0;
  Histogram first_token, duration;

  void count_response(const std::string& path, int status);
  std::string render() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> responses_;
};

}  // namespace server
