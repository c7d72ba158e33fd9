#include "engine.hpp"

#include <algorithm>

namespace server {

std::vector<Update> Ticket::wait(std::chrono::milliseconds most) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, most, [&] { return !updates_.empty(); });
  return std::exchange(updates_, {});
}

bool Ticket::over() const {
  const std::lock_guard lock(mutex_);
  return open_ == 0 && updates_.empty();
}

void Ticket::post(Update update) {
  {
    const std::lock_guard lock(mutex_);
    if (update.end != End::none) --open_;
    updates_.push_back(std::move(update));
  }
  arrived_.notify_one();
}

Engine::Engine(loquor::Model model, const Limits& limits, Metrics& metrics)
    : model_(std::move(model)),
      limits_(limits),
      metrics_(metrics),
      prefixes_(model_, limits.prefix_cache),
      batch_(model_, limits.parallel) {
  const std::uint32_t trained = model_.info().n_ctx_train;
  if (limits_.context == 0 || (trained && limits_.context > trained)) limits_.context = trained ? trained : 4096;
  if (limits_.max_tokens == 0) limits_.max_tokens = limits_.context;
  thread_ = std::thread([this] { run(); });
}

Engine::~Engine() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

std::unique_ptr<Engine::Job> Engine::prepare(const Work& work, std::size_t prompt, std::uint32_t choice) {
  auto job = std::make_unique<Job>();
  loquor::SessionOptions o;
  o.n_ctx = limits_.context;
  o.kv_type = limits_.kv_type;
  job->session = std::make_unique<loquor::Session>(model_, o);
  job->session->use_prefix_cache(&prefixes_);
  const loquor::Sampler sampler = work.sampler(choice);
  loquor::GenerateOptions options = work.options;
  options.sampler = &sampler;
  options.grammar = work.grammar.get();
  const auto& p = work.prompts[prompt];
  if (const auto* chat = std::get_if<Conversation>(&p))
    job->session->start_chat(chat->messages, options, chat->options);
  else if (const auto* text = std::get_if<std::string>(&p))
    job->session->start(*text, options);
  else
    job->session->start(std::get<loquor::Tokens>(p), options);
  job->choice = prompt * work.choices + choice;
  job->began = Clock::now();
  return job;
}

std::shared_ptr<Ticket> Engine::submit(const Work& work, const std::string& client) {
  const std::size_t count = work.prompts.size() * work.choices;
  const auto check_room = [&] {
    if (!refusing_ && queued_ + count <= limits_.queue) return;
    ++metrics_.refused;
    throw Busy(refusing_ ? "the server is stopping" : "too many requests are waiting");
  };
  {
    const std::lock_guard lock(mutex_);
    check_room();  // before the work of tokenizing
  }
  auto ticket = std::make_shared<Ticket>(count);
  Jobs jobs;
  for (std::size_t p = 0; p < work.prompts.size(); ++p)
    for (std::uint32_t c = 0; c < work.choices; ++c) jobs.push_back(prepare(work, p, c));
  for (auto& job : jobs) job->ticket = ticket;
  {
    const std::lock_guard lock(mutex_);
    check_room();
    auto at = std::find_if(queue_.begin(), queue_.end(), [&](const auto& c) { return c.first == client; });
    if (at == queue_.end()) at = queue_.emplace(queue_.end(), client, std::deque<std::unique_ptr<Job>>());
    for (auto& job : jobs) at->second.push_back(std::move(job));
    metrics_.queued = static_cast<std::int64_t>(queued_ += count);
  }
  wake_.notify_one();
  return ticket;
}

void Engine::run() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      // Waiting ones can time out or lose their client too, but not sooner than something is computed for others.
      wake_.wait(lock, [&] { return stop_ || queued_ || !active_.empty(); });
      if (stop_) break;
      admit(lock);
    }
    sweep();
    if (!active_.empty()) step();
    metrics_.active = static_cast<std::int64_t>(active_.size());
  }
  for (auto& job : active_) finish(*job, End::cancelled);
  for (auto& client : queue_)
    for (auto& job : client.second) finish(*job, End::cancelled);
}

// Clients take turns; each one's generations come in their order.
void Engine::admit(std::unique_lock<std::mutex>&) {
  while (queued_ && active_.size() < limits_.parallel) {
    auto& [client, jobs] = queue_.front();
    active_.push_back(std::move(jobs.front()));
    jobs.pop_front();
    --queued_;
    if (jobs.empty())
      queue_.pop_front();
    else
      queue_.splice(queue_.end(), queue_, queue_.begin());
  }
  // Those that nobody waits for any more need not wait for their turn.
  const auto now = Clock::now();
  for (auto client = queue_.begin(); client != queue_.end();) {
    std::erase_if(client->second, [&](const auto& job) {
      const bool cancelled = job->ticket->cancelled_ || cancel_all_;
      if (!cancelled && now - job->began < limits_.time) return false;
      finish(*job, cancelled ? End::cancelled : End::timeout);
      --queued_;
      return true;
    });
    client = client->second.empty() ? queue_.erase(client) : std::next(client);
  }
  metrics_.queued = static_cast<std::int64_t>(queued_);
}

void Engine::sweep() {
  const auto now = Clock::now();
  std::erase_if(active_, [&](const auto& job) {
    const bool cancelled = job->ticket->cancelled_ || cancel_all_;
    if (!cancelled && now - job->began < limits_.time) return false;
    finish(*job, cancelled ? End::cancelled : End::timeout);
    return true;
  });
}

void Engine::step() {
  std::vector<loquor::Session*> sessions;
  for (auto& job : active_) sessions.push_back(job->session.get());
  std::vector<loquor::Event> events;
  try {
    events = batch_.step(sessions);
  } catch (const std::exception& e) {  // the pass did not happen: nothing is known of what any of them would have got
    for (auto& job : active_) finish(*job, End::failed, {}, e.what());
    active_.clear();
    return;
  }
  ++metrics_.steps;
  metrics_.step_sessions += sessions.size();
  for (std::size_t i = 0; i < events.size(); ++i) {
    const loquor::Event& e = events[i];
    Job& job = *active_[i];
    if (e.kind() == LQ_EVENT_WORKING) continue;
    if (!job.has_token) {
      job.has_token = true;
      metrics_.first_token.observe(std::chrono::duration<double>(Clock::now() - job.began).count());
    }
    if (e.done()) {
      const lq_finish f = e.finish();
      const bool length = f == LQ_FINISH_LENGTH || f == LQ_FINISH_CONTEXT_FULL;
      const bool failed = f == LQ_FINISH_CALLBACK || f == LQ_FINISH_CANCELLED;
      finish(job,
             failed   ? End::failed
             : length ? End::length
                      : End::stop,
             std::string(e.text()),
             failed ? "the generation was given up (memory, or a constraint that allows no token)" : "");
      active_[i] = nullptr;
      continue;
    }
    Update u;
    u.choice = job.choice;
    u.token = e.token();
    u.text = e.text();
    u.logprob = e.logprob();
    u.top = e.top();
    job.ticket->post(std::move(u));
  }
  std::erase(active_, nullptr);
}

void Engine::finish(Job& job, End end, std::string text, std::string error) {
  Update u;
  u.choice = job.choice;
  u.text = std::move(text);
  u.end = end;
  u.error = std::move(error);
  const lq_result r = job.session->result();
  u.prompt_tokens = r.prompt_tokens;
  u.reused_tokens = r.reused_tokens;
  u.generated_tokens = r.generated_tokens;
  metrics_.prompt_tokens += r.prompt_tokens;
  metrics_.reused_tokens += r.reused_tokens;
  metrics_.generated_tokens += r.generated_tokens;
  metrics_.duration.observe(std::chrono::duration<double>(Clock::now() - job.began).count());
  ++(end == End::cancelled ? metrics_.cancelled
     : end == End::timeout ? metrics_.timed_out
     : end == End::failed  ? metrics_.failed
                           : metrics_.finished);
  job.session.reset();  // its memory is free before anybody is told
  job.ticket->post(std::move(u));
}

}  // namespace server
