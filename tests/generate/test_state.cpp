#include <catch2/catch.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tiny_session.hpp"

using namespace lq_test;
using lq::Code;

namespace {

lq::Session with_state(const LoadedTiny& tiny, std::size_t n, lq::DType type = lq::DType::F16) {
  lq::SessionOptions o;
  o.kv_type = type;
  lq::Session s(tiny.model, o);
  s.feed(some_tokens(n));
  return s;
}

std::string temporary_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "lq_state_XXXXXX").string();
  REQUIRE(mkdtemp(name.data()));
  return name;
}

}  // namespace

TEST_CASE("a session restored from memory goes on as if nothing had happened", "[generate]") {
  TinyModel spec;
  spec.d_model = 128;
  const LoadedTiny tiny(spec);
  for (const lq::DType type : {lq::DType::F16, lq::DType::F32, lq::DType::Q8_0}) {
    for (const std::size_t n : {1u, 64u, 100u}) {
      lq::Session s = with_state(tiny, n, type);
      const auto state = s.save();
      lq::SessionOptions o;
      o.kv_type = type;
      lq::Session restored(tiny.model, o);
      restored.load(state);
      CHECK(restored.tokens() == s.tokens());
      CHECK(restored.save() == state);
      CHECK(restored.set_prompt(s.tokens()) == n);  // from the cache, not computed anew
      s.start(std::nullopt, random_options(20));
      restored.start(std::nullopt, random_options(20));
      CHECK(run(restored).tokens == run(s).tokens);
      CHECK(same_bits(logits_of(restored), logits_of(s)));
    }
  }
}

TEST_CASE("each of ten thousand single-bit flips of a state is refused", "[generate]") {
  const LoadedTiny tiny;
  lq::Session s = with_state(tiny, 70), target = with_state(tiny, 9);
  auto state = s.save();
  const auto before = target.save();
  lq::Random random(5);
  for (std::size_t i = 0; i < 10'000; ++i) {
    // Every bit of the first 500, which hold the header, then anywhere.
    const std::size_t bit = i < 4000 ? i : random.next() % (state.size() * 8);
    state[bit / 8] ^= std::byte{1} << (bit % 8);
    const Code code = code_of([&] { target.load(state); });
    if (code != Code::bad_file && code != Code::mismatch) FAIL_CHECK("bit " << bit << " gave " << lq::code_name(code));
    state[bit / 8] ^= std::byte{1} << (bit % 8);
  }
  CHECK(target.save() == before);
  target.load(state);
  CHECK(target.save() == state);
}

TEST_CASE("a state cut anywhere, or with more after it, is refused", "[generate]") {
  const LoadedTiny tiny;
  const auto state = with_state(tiny, 70).save();
  lq::Session target = with_state(tiny, 9);
  for (std::size_t n = 0; n < state.size(); n += n < 600 ? 1 : 97)
    if (code_of([&] { target.load(std::span(state).first(n)); }) != Code::bad_file) FAIL_CHECK("cut at " << n);
  auto longer = state;
  longer.push_back(std::byte{0});
  CHECK(code_of([&] { target.load(longer); }) == Code::bad_file);
  CHECK(target.tokens() == some_tokens(9));
}

TEST_CASE("a state of another model, cache type or too small a context is refused", "[generate]") {
  TinyModel spec;
  const LoadedTiny tiny(spec);
  spec.seed = 2;
  const LoadedTiny other(spec);
  const auto state = with_state(tiny, 70).save();
  lq::Session stranger(other.model);
  CHECK(code_of([&] { stranger.load(state); }) == Code::mismatch);
  lq::SessionOptions o;
  o.kv_type = lq::DType::F32;
  lq::Session typed(tiny.model, o);
  CHECK(code_of([&] { typed.load(state); }) == Code::mismatch);
  o = {};
  o.n_ctx = 69;
  lq::Session small(tiny.model, o);
  CHECK(code_of([&] { small.load(state); }) == Code::context_full);
  CHECK(small.tokens().empty());
}

TEST_CASE("a state file is private, complete, and survives a failed overwrite", "[generate]") {
  const LoadedTiny tiny;
  const std::string folder = temporary_folder(), path = folder + "/s.state";
  lq::Session s = with_state(tiny, 70);
  s.save_file(path);
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  lq::Session restored(tiny.model);
  restored.load_file(path);
  CHECK(restored.save() == s.save());
  CHECK(code_of([&] { s.save_file(folder + "/missing/s.state"); }) != Code::ok);
  CHECK(code_of([&] { restored.load_file(folder + "/missing"); }) == Code::not_found);
  CHECK(code_of([&] { restored.load_file(folder); }) != Code::ok);
  s.feed(some_tokens(5));
  s.save_file(path);
  restored.load_file(path);
  CHECK(restored.tokens() == s.tokens());
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++files;
  CHECK(files == 1);  // no temporary is left
  std::filesystem::remove_all(folder);
}

TEST_CASE("an empty session and one in the middle of a prompt can be saved", "[generate]") {
  const LoadedTiny tiny;
  lq::Session empty(tiny.model), restored = with_state(tiny, 3);
  restored.load(empty.save());
  CHECK(restored.tokens().empty());
  lq::Session s(tiny.model);
  s.start(some_tokens(120), random_options(5));
  for (int i = 0; i < 30; ++i) s.step(0);
  restored.load(s.save());
  CHECK(restored.tokens() == some_tokens(120));
  CHECK(same_bits(logits_of(restored), fresh_logits(tiny, some_tokens(120))));
}
