#include "handles.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "loquor/core/status.hpp"

using namespace lq::capi;

namespace {

// Counts its living instances.
struct Probe final : Object {
  static constexpr Kind kKind = Kind::sampler;
  explicit Probe(std::atomic<int>* count, Kind kind = kKind) : Object(kind), count_(count) { ++*count_; }
  ~Probe() override { --*count_; }

 private:
  std::atomic<int>* count_;
};

// The message of the error that `fn` throws, after its code; "" if it throws none.
template <class Fn>
std::string error_of(Fn&& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return std::string(lq::code_name(e.code())) + " " + e.what();
  }
  return "";
}

std::string acquire_error(const void* handle, Kind kind) {
  return error_of([&] { Pin::acquire(handle, kind, "f", "h"); });
}

}  // namespace

TEST_CASE("a handle leads to its object until it is freed, and only once", "[capi]") {
  std::atomic<int> count{0};
  const std::size_t before = live_handles();
  void* h = make_handle(std::make_unique<Probe>(&count));
  CHECK(live_handles() == before + 1);
  CHECK(acquire_error(h, Kind::sampler) == "");
  free_handle(h, Kind::sampler);
  CHECK(count == 0);
  CHECK(live_handles() == before);
  CHECK(acquire_error(h, Kind::sampler) == "invalid_argument f: h is a handle that was freed");
  free_handle(h, Kind::sampler);
  CHECK(live_handles() == before);
}

TEST_CASE("a freed handle stays refused when its slot is in use again", "[capi]") {
  std::atomic<int> count{0};
  std::set<void*> seen;
  std::vector<void*> stale;
  for (int i = 0; i < 2000; ++i) {
    void* h = make_handle(std::make_unique<Probe>(&count));
    CHECK(seen.insert(h).second);
    free_handle(h, Kind::sampler);
    stale.push_back(h);
  }
  void* live = make_handle(std::make_unique<Probe>(&count));
  std::size_t refused = 0;
  for (void* h : stale) refused += acquire_error(h, Kind::sampler) != "";
  CHECK(refused == stale.size());
  for (void* h : stale) free_handle(h, Kind::sampler);
  CHECK(acquire_error(live, Kind::sampler) == "");
  free_handle(live, Kind::sampler);
  CHECK(count == 0);
}

TEST_CASE("handles of another type, NULL, and addresses are refused by name", "[capi]") {
  std::atomic<int> count{0};
  void* h = make_handle(std::make_unique<Probe>(&count));
  CHECK(acquire_error(h, Kind::model) == "invalid_argument f: h is a lq_sampler, not a lq_model");
  CHECK(acquire_error(nullptr, Kind::model) == "invalid_argument f: h is NULL");
  CHECK(acquire_error(&count, Kind::model) == "invalid_argument f: h is not a handle of this library");
  const auto bits = reinterpret_cast<std::uintptr_t>(h);
  for (unsigned bit = 0; bit < 8 * sizeof(void*); ++bit)
    CHECK(acquire_error(reinterpret_cast<void*>(bits ^ (std::uintptr_t{1} << bit)), Kind::sampler) != "");
  CHECK(acquire_error(reinterpret_cast<void*>(~std::uintptr_t{0}), Kind::sampler) != "");
  free_handle(h, Kind::model);  // the wrong type: ignored
  CHECK(count == 1);
  free_handle(h, Kind::sampler);
  CHECK(count == 0);
}

TEST_CASE("an object freed during a call is destroyed when the call ends", "[capi]") {
  std::atomic<int> count{0};
  void* h = make_handle(std::make_unique<Probe>(&count));
  {
    const Pin pin = Pin::acquire(h, Kind::sampler, "f", "h");
    std::thread([&] { free_handle(h, Kind::sampler); }).join();
    CHECK(count == 1);
    CHECK(acquire_error(h, Kind::sampler) != "");
  }
  CHECK(count == 0);
}

TEST_CASE("threads that make, use and free handles at once lose none", "[capi]") {
  std::atomic<int> count{0};
  std::atomic<std::size_t> refused{0};
  const std::size_t before = live_handles();
  std::vector<std::thread> threads;
  std::atomic<void*> shared{nullptr};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3000; ++i) {
        void* h = make_handle(std::make_unique<Probe>(&count));
        // Every thread also uses what another may be freeing at this moment.
        if (void* other = shared.exchange(h)) free_handle(other, Kind::sampler);
        if (void* other = shared.load())
          refused += error_of([&] { Pin::acquire(other, Kind::sampler, "f", "h"); }) != "";
        if ((i + t) % 3 == 0) free_handle(h, Kind::sampler);
      }
    });
  for (std::thread& t : threads) t.join();
  free_handle(shared.load(), Kind::sampler);
  CHECK(count == 0);
  CHECK(live_handles() == before);
}

TEST_CASE("the table grows to ten thousand handles and is reused afterwards", "[capi]") {
  std::atomic<int> count{0};
  std::set<void*> handles;
  for (int i = 0; i < 10000; ++i) handles.insert(make_handle(std::make_unique<Probe>(&count)));
  CHECK(handles.size() == 10000);
  for (void* h : handles) free_handle(h, Kind::sampler);
  CHECK(count == 0);
}

TEST_CASE("a handle of the parent process is refused in a forked child", "[capi]") {
  std::atomic<int> count{0};
  void* h = make_handle(std::make_unique<Probe>(&count));
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const bool refused = acquire_error(h, Kind::sampler).rfind("forked ", 0) == 0;
    free_handle(h, Kind::sampler);  // releases nothing
    const bool kept = count == 1;
    void* own = make_handle(std::make_unique<Probe>(&count));
    const bool works = acquire_error(own, Kind::sampler).empty();
    _exit(refused && kept && works ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  free_handle(h, Kind::sampler);
}

TEST_CASE("a handle's message is cut to its fixed size", "[capi]") {
  Message m;
  char out[Message::kCapacity];
  CHECK(m.get(out) == 0);
  m.set("short");
  CHECK(m.get(out) == 5);
  m.set(std::string(5000, 'x').c_str());
  CHECK(m.get(out) == Message::kCapacity - 1);
  CHECK(std::string(out) == std::string(Message::kCapacity - 1, 'x'));
}
