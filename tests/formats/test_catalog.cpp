#include "loquor/formats/catalog.hpp"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "loquor/core/status.hpp"

namespace {

// Sets an environment variable for a scope.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name), had_(getenv(name) != nullptr) {
    if (had_) old_ = getenv(name);
    if (value)
      setenv(name, value, 1);
    else
      unsetenv(name);
  }
  ~Variable() {
    if (had_)
      setenv(name_, old_.c_str(), 1);
    else
      unsetenv(name_);
  }

 private:
  const char* name_;
  bool had_;
  std::string old_;
};

std::string error_of(const std::string& source) {
  try {
    lq::resolve_model(source);
  } catch (const lq::Error& e) {
    CHECK(e.code() == lq::Code::not_found);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the catalogue is well-formed and the default model comes first", "[formats]") {
  REQUIRE(!lq::catalog().empty());
  CHECK(lq::catalog()[0].name == "smollm2");
  for (const lq::CatalogEntry& e : lq::catalog()) {
    CHECK(lq::find_model(e.name) == &e);
    CHECK(e.sha256.size() == 64);
    CHECK(e.sha256.find_first_not_of("0123456789abcdef") == std::string_view::npos);
    CHECK(e.bytes > 0);
    CHECK(e.file.find('/') == std::string_view::npos);
    CHECK(!e.licence.empty());
    CHECK(!e.source.empty());
  }
  CHECK(lq::find_model("no-such-model") == nullptr);
}

TEST_CASE("a name leads to the cache, whose place the environment decides", "[formats]") {
  const lq::CatalogEntry& e = lq::catalog()[0];
  const std::string tail = "/models/" + std::string(e.file);
  const Variable home("HOME", "/h");
  {
    const Variable own("LOQUOR_CACHE", "/own"), xdg("XDG_CACHE_HOME", "/xdg");
    CHECK(lq::cached_path(e) == "/own" + tail);
    CHECK(error_of("smollm2").find("/own" + tail) != std::string::npos);
  }
  const Variable own("LOQUOR_CACHE", nullptr);
  {
    const Variable xdg("XDG_CACHE_HOME", "/xdg");
    CHECK(lq::cached_path(e) == "/xdg/loquor" + tail);
  }
  const Variable xdg("XDG_CACHE_HOME", nullptr);
  CHECK(lq::cached_path(e) == "/h/.cache/loquor" + tail);
  const Variable no_home("HOME", nullptr);
  CHECK_THROWS_AS(lq::cached_path(e), lq::Error);
}

TEST_CASE("a path stands for itself, and what is neither is refused with the names known", "[formats]") {
  CHECK(lq::resolve_model("/dev/null") == "/dev/null");
  CHECK(error_of("/nonexistent/m.gguf").find("/nonexistent/m.gguf") != std::string::npos);
  CHECK(error_of("smolm2").find("smollm2") != std::string::npos);
  CHECK(error_of("") != "");
}
