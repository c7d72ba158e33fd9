#include "metrics.hpp"

#include <cstdio>

namespace server {
namespace {

void head(std::string& out, const char* name, const char* kind, const char* help) {
  out += std::string("# HELP ") + name + " " + help + "\n# TYPE " + name + " " + kind + "\n";
}

void line(std::string& out, const char* name, const char* kind, const char* help, std::int64_t value) {
  head(out, name, kind, help);
  out += std::string(name) + " " + std::to_string(value) + "\n";
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

}  // namespace

void Histogram::observe(double seconds) {
  std::size_t i = 0;
  while (i < kBounds.size() && seconds > kBounds[i]) ++i;
  ++buckets_[i];
  sum_.fetch_add(seconds);
}

void Histogram::render(std::string& out, const char* name, const char* help) const {
  head(out, name, "histogram", help);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    total += buckets_[i];
    const std::string bound = i < kBounds.size() ? number(kBounds[i]) : "+Inf";
    out += std::string(name) + "_bucket{le=\"" + bound + "\"} " + std::to_string(total) + "\n";
  }
  out += std::string(name) + "_sum " + number(sum_) + "\n" + name + "_count " + std::to_string(total) + "\n";
}

void Metrics::count_response(const std::string& path, int status) {
  const std::lock_guard lock(mutex_);
  ++responses_[{path, status}];
}

std::string Metrics::render() const {
  std::string out;
  head(out, "loquor_http_responses_total", "counter", "Responses by path and status.");
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, count] : responses_)
      out += "loquor_http_responses_total{path=\"" + key.first + "\",status=\"" + std::to_string(key.second) + "\"} " +
             std::to_string(count) + "\n";
  }
  const auto counter = [&](const char* name, const char* help, std::uint64_t value) {
    line(out, name, "counter", help, static_cast<std::int64_t>(value));
  };
  counter("loquor_prompt_tokens_total", "Tokens of prompts.", prompt_tokens);
  counter("loquor_prompt_tokens_reused_total", "Tokens of prompts taken from the prefix cache.", reused_tokens);
  counter("loquor_generated_tokens_total", "Tokens generated.", generated_tokens);
  counter("loquor_generations_finished_total", "Generations that came to their end.", finished);
  counter("loquor_generations_cancelled_total", "Generations whose client went away.", cancelled);
  counter("loquor_generations_timed_out_total", "Generations that took too long.", timed_out);
  counter("loquor_generations_failed_total", "Generations that ended with an error.", failed);
  counter("loquor_requests_refused_total", "Requests refused because the queue was full or the server was stopping.",
          refused);
  counter("loquor_steps_total", "Passes over the weights.", steps);
  counter("loquor_step_sessions_total", "Sessions computed in those passes.", step_sessions);
  line(out, "loquor_generations_active", "gauge", "Generations being computed.", active);
  line(out, "loquor_generations_queued", "gauge", "Generations waiting for their turn.", queued);
  line(out, "loquor_requests_in_flight", "gauge", "Requests being answered.", requests_in_flight);
  first_token.render(out, "loquor_first_token_seconds", "From the request to its first token.");
  duration.render(out, "loquor_generation_seconds", "From the request to its last token.");
  return out;
}

}  // namespace server
