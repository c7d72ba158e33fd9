// A game loop at 60 frames a second that writes text on the side: each frame gives lq_session_step a budget of 2 ms on
// one thread. Prints how long the steps and frames took, and by how much steps overran their budget.
//   frame_loop [MODEL] [SECONDS] [BUDGET_US] [--json] [--control]
// --json prints the figures only, as one JSON document; --control only watches the clock instead of generating, which
// shows what the machine itself adds. Run it under `taskset -c 0` to see it on one core.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <loquor.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))];
}

void print_histogram(const std::vector<double>& values, double width, const char* title) {
  std::vector<std::size_t> bins(16);
  for (const double v : values) ++bins[std::min(bins.size() - 1, static_cast<std::size_t>(v / width))];
  std::size_t most = 1;
  for (const std::size_t n : bins) most = std::max(most, n);
  std::printf("%s\n", title);
  for (std::size_t i = 0; i < bins.size(); ++i)
    if (bins[i])
      std::printf("  %s%6.2f ms %7zu %s\n", i + 1 == bins.size() ? ">=" : "  ", static_cast<double>(i) * width / 1000,
                  bins[i], std::string(1 + bins[i] * 50 / most, '#').c_str());
}

// What a run is judged by; milliseconds.
struct Figures {
  std::size_t tokens;
  double budget_us;
  std::vector<double> steps, frames;

  double over(double p) const {
    std::vector<double> over;
    for (const double s : steps) over.push_back(std::max(0.0, s - budget_us));
    return percentile(over, p) / 1000;
  }

  void print_json() const {
    std::printf(
        "{\"frames\": %zu, \"tokens\": %zu, \"budget_ms\": %.3f, \"step_ms_p50\": %.4f, \"frame_ms_p999\": %.4f,\n",
        frames.size(), tokens, budget_us / 1000, percentile(steps, 0.5) / 1000, percentile(frames, 0.999) / 1000);
    std::printf(" \"over_ms\": {\"p50\": %.4f, \"p99\": %.4f, \"p999\": %.4f, \"most\": %.4f}}\n", over(0.5),
                over(0.99), over(0.999), over(1));
  }

  void print() const {
    std::printf("\n\n%zu tokens in %zu frames\n", tokens, frames.size());
    print_histogram(frames, 2000, "frame time");
    print_histogram(steps, 250, "time in lq_session_step");
    std::printf("over the budget of %.2f ms by: p50 %.3f ms, p99 %.3f ms, p99.9 %.3f ms, most %.3f ms\n",
                budget_us / 1000, over(0.5), over(0.99), over(0.999), over(1));
  }
};

struct Options {
  std::string model = "smollm2";
  double seconds = 10;
  std::uint64_t budget_us = 2000;
  bool json = false, control = false;
};

Options parse(int argc, char** argv) {
  Options o;
  int place = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string arg = argv[i];
    if (arg == "--json")
      o.json = true;
    else if (arg == "--control")
      o.control = true;
    else if (++place == 1)
      o.model = arg;
    else
      place == 2 ? void(o.seconds = std::atof(argv[i]))
                 : void(o.budget_us = static_cast<std::uint64_t>(std::atoi(argv[i])));
  }
  return o;
}

// Instead of a step: uses the budget up looking at the clock.
void wait_only(std::uint64_t budget_us) {
  const auto end = Clock::now() + std::chrono::microseconds(budget_us);
  while (Clock::now() < end) {
  }
}

Figures run(const Options& o) {
  loquor::ContextOptions one_thread;
  one_thread.threads = 1;  // the game keeps the other cores
  const loquor::Model model(o.model, {}, loquor::Context(one_thread));
  loquor::Session session(model);
  loquor::GenerateOptions options;
  options.max_tokens = 400;
  Figures figures{0, static_cast<double>(o.budget_us), {}, {}};
  const auto frame = std::chrono::microseconds(16667);
  const auto begin = Clock::now();
  bool idle = true;
  for (auto next = begin + frame; Clock::now() - begin < std::chrono::duration<double>(o.seconds); next += frame) {
    const auto frame_start = Clock::now();
    if (idle) {
      session.start_chat({{"user", "A dragon lands in front of you. Describe what happens next."}}, options);
      idle = false;
    }
    const auto step_start = Clock::now();
    if (o.control) {
      wait_only(o.budget_us);
      figures.steps.push_back(Micros(Clock::now() - step_start).count());
    } else {
      const loquor::Event event = session.step(o.budget_us);
      figures.steps.push_back(Micros(Clock::now() - step_start).count());
      figures.tokens += event.kind() == LQ_EVENT_TOKEN;
      idle = event.done();
      if (!o.json) std::cout << event.text() << std::flush;
    }
    // ... the game's own work would be here ...
    std::this_thread::sleep_until(next);
    figures.frames.push_back(Micros(Clock::now() - frame_start).count());
  }
  return figures;
}

}  // namespace

int main(int argc, char** argv) try {
  const Options o = parse(argc, argv);
  const Figures figures = run(o);
  o.json ? figures.print_json() : figures.print();
  return figures.tokens > 0 || o.control ? 0 : 1;
} catch (const std::exception& e) {
  std::cerr << "frame_loop: " << e.what() << '\n';
  return 1;
}
