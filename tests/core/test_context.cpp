#include "loquor/core/config.hpp"
#include "loquor/core/context.hpp"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "loquor/core/status.hpp"

TEST_CASE("a context uses the allocator, threads and log it was given", "[core][context]") {
  struct Seen {
    std::size_t live = 0, calls = 0;
    std::vector<std::string> messages;
  } seen;
  lq::ContextOptions o;
  o.threads.threads = 3;
  o.allocator.user = &seen;
  o.allocator.allocate = [](void* user, std::size_t bytes, std::size_t alignment) {
    Seen& s = *static_cast<Seen*>(user);
    ++s.calls;
    s.live += bytes;
    return lq::default_allocator().allocate(nullptr, bytes, alignment);
  };
  o.allocator.release = [](void* user, void* p, std::size_t bytes, std::size_t alignment) {
    static_cast<Seen*>(user)->live -= bytes;
    lq::default_allocator().release(nullptr, p, bytes, alignment);
  };
  o.log_user = &seen;
  o.log = [](void* user, lq::LogLevel level, const char* text) {
    static_cast<Seen*>(user)->messages.push_back(std::to_string(static_cast<int>(level)) + text);
  };
  const lq::Context ctx(o);
  CHECK(ctx.pool().size() == 3);
  {
    const lq::Storage s = ctx.allocate(1000);
    CHECK(s.size() == 1000);
    CHECK(reinterpret_cast<std::uintptr_t>(s.data()) % lq::kAlignment == 0);
    CHECK(seen.calls == 1);
    CHECK(seen.live >= 1000);
  }
  CHECK(seen.live == 0);
  ctx.log(lq::LogLevel::warning, std::string_view("abc!", 3));
  CHECK(seen.messages == std::vector<std::string>{"2abc"});
}

TEST_CASE("a context is silent without a log and survives a log that throws", "[core][context]") {
  lq::ContextOptions o;
  lq::Context(o).log(lq::LogLevel::error, "nobody hears this");
  o.log = [](void*, lq::LogLevel, const char*) { throw std::runtime_error("log"); };
  lq::Context(o).log(lq::LogLevel::error, "x");
}

TEST_CASE("a context refuses an unknown instruction set by name and a half-given allocator", "[core][context]") {
  lq::ContextOptions o;
  o.isa = "pentium";
  try {
    lq::Context ctx(o);
    FAIL("accepted");
  } catch (const lq::Error& e) {
    CHECK(e.code() == lq::Code::unsupported);
    CHECK(std::string(e.what()).find("pentium") != std::string::npos);
    CHECK(std::string(e.what()).find("scalar") != std::string::npos);
  }
  o.isa = "scalar";
  lq::Context ok(o);
  o.allocator.release = nullptr;
  CHECK_THROWS_AS(lq::Context(o), lq::Error);
}

TEST_CASE("a context counts at least one available CPU", "[core][context]") {
  CHECK(lq::ThreadPool::available_cpus() >= 1);
  CHECK(lq::Context().pool().size() == lq::ThreadPool::available_cpus());
}
