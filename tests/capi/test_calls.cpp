// What must hold for every function of the C interface: it works with right arguments, refuses every wrong handle, and
// lets no exception out.
#include <catch2/catch.hpp>
#include <cstring>
#include <new>
#include <set>
#include <stdexcept>
#include <string>

#include "calls.hpp"
#include "guard.hpp"

using namespace lq_test;
using lq::capi::Kind;

namespace {

// Functions that cannot fail.
const std::set<std::string> kInfallible = {"lq_status_name", "lq_last_error", "lq_version", "lq_abi_version",
                                           "lq_finish_name"};

bool is_free(const std::string& name) { return name.size() > 5 && name.compare(name.size() - 5, 5, "_free") == 0; }

struct HookScope {
  explicit HookScope(void (*hook)(const char*)) { lq::capi::test_hook = hook; }
  ~HookScope() { lq::capi::test_hook = nullptr; }
};

}  // namespace

TEST_CASE("the table of calls has every exported function", "[capi]") {
  std::set<std::string> rows;
  for (const CallRow& row : all_calls()) CHECK(rows.insert(row.function).second);
  for (const std::string& name : exported_names()) {
    INFO(name);
    CHECK(rows.erase(name) == (is_free(name) || kInfallible.count(name) ? 0 : 1));
  }
  for (const std::string& name : rows) FAIL_CHECK(name << " is not exported");
}

TEST_CASE("every function succeeds with right arguments", "[capi]") {
  for (const CallRow& row : all_calls()) {
    Handles h;
    INFO(row.function);
    const lq_status status = row.call(h, row.takes == Takes::handle ? h.of(row.kind) : nullptr);
    INFO(lq_last_error());
    CHECK(status == LQ_OK);
  }
}

TEST_CASE("every function refuses NULL, freed, foreign and mistyped handles and stays usable", "[capi]") {
  Handles h;
  for (const CallRow& row : all_calls()) {
    if (row.takes == Takes::no_handle) continue;
    INFO(row.function);
    lq_cancel* freed = nullptr;
    REQUIRE(lq_cancel_create(&freed) == LQ_OK);
    lq_cancel_free(freed);
    int local = 0;
    void* other = row.kind == Kind::cancel ? static_cast<void*>(h.sampler) : static_cast<void*>(h.cancel);
    for (void* bad : {static_cast<void*>(nullptr), static_cast<void*>(freed), static_cast<void*>(&local), other}) {
      CHECK(row.call(h, bad) == LQ_ERR_INVALID_ARGUMENT);
      CHECK(std::strlen(lq_last_error()) > 0);
    }
  }
  for (const CallRow& row : all_calls()) {
    Handles again;
    INFO(row.function);
    CHECK(row.call(again, row.takes == Takes::handle ? again.of(row.kind) : nullptr) == LQ_OK);
  }
}

TEST_CASE("no exception leaves a function, whatever is thrown inside it", "[capi]") {
  struct Throw {
    void (*hook)(const char*);
    lq_status status;
    const char* message;
  };
  const Throw throws[] = {
      {[](const char*) { throw std::bad_alloc(); }, LQ_ERR_OUT_OF_MEMORY, "out of memory: an allocation failed"},
      {[](const char*) { throw std::length_error("too long"); }, LQ_ERR_LIMIT, "too long"},
      {[](const char*) { throw std::runtime_error("boom"); }, LQ_ERR_INTERNAL, "boom"},
      {[](const char*) { throw lq::Error(lq::Code::mismatch, "another model"); }, LQ_ERR_MISMATCH, "another model"},
      {[](const char*) { throw lq::Error(lq::Code::io, ""); }, LQ_ERR_IO, "io"},
      {[](const char*) { throw lq::Error(lq::Code::ok, "lied"); }, LQ_ERR_INTERNAL, "lied"},
      {[](const char*) { throw 42; }, LQ_ERR_INTERNAL, "an exception of unknown type"},
  };
  Handles h;
  for (const CallRow& row : all_calls())
    for (const Throw& t : throws) {
      INFO(row.function << " " << t.message);
      const HookScope scope(t.hook);
      CHECK(row.call(h, row.takes == Takes::handle ? h.of(row.kind) : nullptr) == t.status);
      CHECK(std::string(lq_last_error()) == t.message);
    }
}

TEST_CASE("a handle remembers the last failure of a call made on it, and other handles do not", "[capi]") {
  Handles h;
  const auto message = [](auto get, auto* handle) {
    char text[600] = "?";
    REQUIRE(get(text, sizeof text, nullptr, handle) == LQ_OK);
    return std::string(text);
  };
  CHECK(message(lq_session_error, h.session) == "");
  CHECK(lq_session_rewind(h.session, 1000) == LQ_ERR_INVALID_ARGUMENT);
  CHECK(message(lq_session_error, h.session) == lq_last_error());
  CHECK(message(lq_session_error, h.session).find("1000") != std::string::npos);
  CHECK(message(lq_model_error, h.model) == "");
  CHECK(lq_model_metadata_value(nullptr, 0, nullptr, h.model, "no.such.key") == LQ_ERR_NOT_FOUND);
  CHECK(message(lq_model_error, h.model).find("no.such.key") != std::string::npos);
  CHECK(message(lq_session_error, h.session).find("1000") != std::string::npos);
}

TEST_CASE("an overlong message is cut, and an empty one gets the status' name", "[capi]") {
  Handles h;
  const HookScope scope([](const char*) { throw lq::Error(lq::Code::limit, std::string(100000, 'x')); });
  CHECK(lq_session_rewind(h.session, 0) == LQ_ERR_LIMIT);
  CHECK(std::strlen(lq_last_error()) == 1023);
}

TEST_CASE("every handle may be freed in any order, twice, and as NULL", "[capi]") {
  const std::size_t before = lq::capi::live_handles();
  {
    Handles h;
    lq_context_free(h.context);
    lq_model_free(h.model);
    lq_generate_options o = LQ_GENERATE_OPTIONS_INIT;
    o.max_tokens = 2;
    CHECK(lq_session_generate(nullptr, h.session, "hello", LQ_NTS, &o, nullptr, nullptr) == LQ_OK);
  }
  lq_context_free(nullptr);
  lq_model_free(nullptr);
  lq_stream_free(nullptr);
  lq_chat_template_free(nullptr);
  lq_sampler_free(nullptr);
  lq_session_free(nullptr);
  lq_batch_free(nullptr);
  lq_cancel_free(nullptr);
  CHECK(lq::capi::live_handles() == before);
}
