// One model for many requests: one thread brings all their sessions forward together, one token a pass.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <list>
#include <loquor.hpp>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "metrics.hpp"

namespace server {

using Clock = std::chrono::steady_clock;

struct Limits {
  std::uint32_t context = 4096;    // tokens in one session
  std::uint32_t max_tokens = 0;    // most that a request may generate; 0 = what the context holds
  std::uint32_t parallel = 16;     // sessions computed together
  std::uint32_t queue = 256;       // generations waiting
  std::chrono::seconds time{300};  // for one request, waiting included
  std::uint64_t prefix_cache = std::uint64_t{256} << 20;
  std::string kv_type;
};

// The queue is full, or the server is stopping: try again later.
struct Busy : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Conversation {
  std::vector<loquor::Message> messages;
  loquor::ChatOptions options;
};

// What a request wants generated; `choices` times for each prompt.
struct Work {
  std::vector<std::variant<Conversation, std::string, loquor::Tokens>> prompts;
  std::uint32_t choices = 1;
  loquor::GenerateOptions options;  // without a sampler:
  std::function<loquor::Sampler(std::uint32_t choice)> sampler;
  std::shared_ptr<const loquor::Grammar> grammar;  // what is generated is one of its texts; nullptr: any text
};

enum class End { none, stop, length, cancelled, timeout, failed };

// One token, or the end, of one choice of a request.
struct Update {
  std::size_t choice = 0;
  std::int32_t token = -1;
  std::string text;
  float logprob = 0;
  std::vector<lq_logprob> top;
  End end = End::none;
  std::string error;                                                         // End::failed
  std::uint32_t prompt_tokens = 0, reused_tokens = 0, generated_tokens = 0;  // with an end
};

// Where the thread that answers a request waits for its updates.
class Ticket {
 public:
  explicit Ticket(std::size_t choices) : open_(choices) {}
  // What has come since the last call; waits for something at most that long.
  std::vector<Update> wait(std::chrono::milliseconds most);
  // Its sessions are let go of before the next token.
  void cancel() noexcept { cancelled_ = true; }
  bool over() const;  // every choice has ended, and that was read

 private:
  friend class Engine;
  void post(Update update);
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Update> updates_;
  std::size_t open_;
  std::atomic<bool> cancelled_ = false;
};

class Engine {
 public:
  Engine(loquor::Model model, const Limits& limits, Metrics& metrics);
  ~Engine();

  // Tokenizes and queues. `client` is who asks: clients take turns. Throws Busy, or loquor::Error for a bad prompt.
  std::shared_ptr<Ticket> submit(const Work& work, const std::string& client);

  void refuse() noexcept { refusing_ = true; }        // from now on submit() throws Busy
  void cancel_all() noexcept { cancel_all_ = true; }  // ends what is left
  const loquor::Model& model() const { return model_; }
  const Limits& limits() const { return limits_; }

 private:
  struct Job {
    std::unique_ptr<loquor::Session> session;
    std::shared_ptr<Ticket> ticket;
    std::size_t choice;
    Clock::time_point began;
    bool has_token = false;
  };
  using Jobs = std::vector<std::unique_ptr<Job>>;

  std::unique_ptr<Job> prepare(const Work& work, std::size_t prompt, std::uint32_t choice);
  void run();
  void admit(std::unique_lock<std::mutex>& lock);
  void sweep();
  void step();
  void finish(Job& job, End end, std::string text = {}, std::string error = {});

  loquor::Model model_;
  Limits limits_;
  Metrics& metrics_;
  loquor::PrefixCache prefixes_;
  loquor::Batch batch_;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<std::pair<std::string, std::deque<std::unique_ptr<Job>>>>
      queue_;  // by client; the first one's turn is next
  std::size_t queued_ = 0;
  bool stop_ = false;
  std::atomic<bool> refusing_ = false, cancel_all_ = false;
  Jobs active_;  // of the engine's thread
  std::thread thread_;
};

}  // namespace server
