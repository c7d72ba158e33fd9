#include "loquor/formats/gguf.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/generate/session.hpp"
#include "temp_folder.hpp"
#include "test_data.hpp"
#include "tiny_model.hpp"

using namespace lq;

namespace {

// Bytes of a GGUF file, written field by field so that every one of them can be wrong.
struct Bytes {
  std::string s;
  Bytes& raw(std::string_view v) {
    s += v;
    return *this;
  }
  template <class T>
  Bytes& num(T v) {
    s.append(reinterpret_cast<const char*>(&v), sizeof v);
    return *this;
  }
  Bytes& u32(std::uint32_t v) { return num(v); }
  Bytes& u64(std::uint64_t v) { return num(v); }
  Bytes& str(std::string_view v) { return u64(v.size()).raw(v); }
  Bytes& head(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
    return raw("GGUF").u32(version).u64(tensors).u64(keys);
  }
  Bytes& key(std::string_view name, std::uint32_t type) { return str(name).u32(type); }
  Bytes& tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type, std::uint64_t offset) {
    str(name).u32(static_cast<std::uint32_t>(dims.size()));
    for (std::uint64_t d : dims) u64(d);
    return u32(type).u64(offset);
  }
  Bytes& pad(std::size_t to = 32) {
    while (s.size() % to) s += '\0';
    return *this;
  }
};

GgufFile open(const std::string& bytes) { return GgufFile::from_memory(bytes.data(), bytes.size(), "test"); }

std::string error_of(const std::string& bytes) {
  try {
    open(bytes);
    return "";
  } catch (const Error& e) {
    CHECK((e.code() == Code::bad_file || e.code() == Code::unsupported));
    return e.what();
  }
}

// Loads and uses whatever loads: a mutated file may still be a good one.
bool load_and_use(const std::string& bytes) {
  ContextOptions o;
  o.threads.threads = 1;
  try {
    const auto model = Model::load(std::make_shared<Context>(o), std::as_bytes(std::span(bytes.data(), bytes.size())));
    const auto ids = model->tokenizer()->encode("Hello <|im_end|> \xff", {true, true});
    if (!model->decoder() || ids.empty()) return true;
    SessionOptions s;
    s.n_ctx = 16;
    Session session(model, s);
    GenerateOptions g;
    g.max_tokens = 1;
    session.start(std::span<const std::int32_t>(ids).first(std::min<std::size_t>(ids.size(), 8)), g);
    while (session.step().kind != EventKind::done) {
    }
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

TEST_CASE("every metadata type is read, and converts where it fits", "[gguf]") {
  Bytes b;
  b.head(0, 14);
  b.key("u8", 0).num<std::uint8_t>(200).key("i8", 1).num<std::int8_t>(-7).key("u16", 2).num<std::uint16_t>(60000);
  b.key("i16", 3).num<std::int16_t>(-300).key("u32", 4).u32(4000000000u).key("i32", 5).num<std::int32_t>(-5);
  b.key("f32", 6).num(1.5f).key("bool", 7).num<std::uint8_t>(1).key("str", 8).str("h\xc3\xa9llo");
  b.key("ints", 9).u32(5).u64(3).num<std::int32_t>(1).num<std::int32_t>(-2).num<std::int32_t>(3);
  b.key("u64", 10).u64(~0ull).key("i64", 11).num<std::int64_t>(INT64_MIN).key("f64", 12).num(2.25);
  b.key("strs", 9).u32(8).u64(2).str("a").str("");
  for (std::uint32_t version : {2u, 3u}) {
    std::string s = b.s;
    s[4] = static_cast<char>(version);
    const GgufFile f = open(s);
    CHECK(f.version() == version);
    REQUIRE(f.metadata().size() == 14);
    CHECK(f.find("u8")->as_uint() == 200);
    CHECK(f.find("i8")->as_int() == -7);
    CHECK_FALSE(f.find("i8")->as_uint());
    CHECK(f.find("u16")->as_uint() == 60000);
    CHECK(f.find("i16")->as_int() == -300);
    CHECK(f.find("u32")->as_uint() == 4000000000u);
    CHECK(f.find("i32")->as_int() == -5);
    CHECK(f.find("f32")->as_double() == 1.5);
    CHECK(f.find("bool")->as_bool() == true);
    CHECK(f.find("str")->as_string() == "h\xc3\xa9llo");
    CHECK_FALSE(f.find("str")->as_uint());
    CHECK(f.find("ints")->as_ints() == std::vector<std::int64_t>{1, -2, 3});
    CHECK(f.find("u64")->as_uint() == ~0ull);
    CHECK_FALSE(f.find("u64")->as_int());
    CHECK(f.find("i64")->as_int() == INT64_MIN);
    CHECK(f.find("f64")->as_double() == 2.25);
    CHECK(f.find("strs")->as_strings() == std::vector<std::string_view>{"a", ""});
    CHECK(f.find("absent") == nullptr);
  }
}

TEST_CASE("tensors are views with outermost dimensions first", "[gguf]") {
  Bytes b;
  b.head(2, 1).key("general.alignment", 4).u32(64);
  b.tensor("a", {32, 2}, 8, 0).tensor("b", {3}, 0, 128).pad(64);
  b.raw(std::string(68, 'q')).pad(64).num(1.0f).num(2.0f).num(3.0f);
  const GgufFile f = open(b.s);
  REQUIRE(f.find_tensor("a"));
  CHECK(f.find_tensor("a")->shape == Shape{2, 32});
  CHECK(f.find_tensor("a")->nbytes == 68);
  CHECK(f.find_tensor("b")->type == DType::F32);
  float x[3];
  std::memcpy(x, f.find_tensor("b")->data, sizeof x);
  CHECK(x[2] == 3.0f);
}

TEST_CASE("wrong files are refused with the key or tensor and what is wrong with it", "[gguf]") {
  const auto one = [](auto build) {
    Bytes b;
    build(b);
    return b.s;
  };
  const std::pair<std::string, const char*> cases[] = {
      {"", "test"},
      {"GGUX" + std::string(20, '\0'), "test"},
      {one([](Bytes& b) { b.head(0, 0, 1); }), "version"},
      {one([](Bytes& b) { b.head(0, 0, 0x03000000u); }), "version"},
      {one([](Bytes& b) { b.head(~0ull, 0); }), "tensor"},
      {one([](Bytes& b) { b.head(0, ~0ull); }), "test"},
      {one([](Bytes& b) { b.head(0, 1).u64(~0ull); }), "test"},
      {one([](Bytes& b) { b.head(0, 1).key("k", 99).u32(0); }), "k"},
      {one([](Bytes& b) { b.head(0, 1).key("k", 8).u64(1ull << 62); }), "k"},
      {one([](Bytes& b) { b.head(0, 1).key("k", 9).u32(4).u64(1ull << 62); }), "k"},
      {one([](Bytes& b) { b.head(0, 1).key("k", 9).u32(8).u64(1ull << 40).str("x"); }), "k"},
      {one([](Bytes& b) { b.head(0, 1).key("k", 7).num<std::uint8_t>(2); }), "k"},
      {one([](Bytes& b) { b.head(0, 2).key("k", 4).u32(1).key("k", 4).u32(1); }), "k"},
      {one([](Bytes& b) { b.head(0, 1).key("general.alignment", 4).u32(0); }), "alignment"},
      {one([](Bytes& b) { b.head(0, 1).key("general.alignment", 4).u32(48); }), "alignment"},
      {one([](Bytes& b) {
         b.head(1, 0).tensor("t", {1ull << 40, 1ull << 40}, 0, 0).pad();
       }),
       "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {4}, 0, 0).pad(); }), "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {4}, 0, ~0ull - 31).pad().raw(std::string(64, 'x')); }), "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {4}, 0, 4).pad().raw(std::string(64, 'x')); }), "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {33}, 8, 0).pad().raw(std::string(128, 'x')); }), "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {4}, 12345, 0).pad().raw(std::string(64, 'x')); }), "12345"},
      {one([](Bytes& b) {
         b.head(1, 0).tensor("t", {1, 1, 1, 1, 1}, 0, 0).pad().raw(std::string(64, 'x'));
       }),
       "t"},
      {one([](Bytes& b) { b.head(1, 0).tensor("t", {0}, 0, 0).pad().raw(std::string(64, 'x')); }), "t"},
      {one([](Bytes& b) {
         b.head(2, 0).tensor("t", {4}, 0, 0).tensor("t", {4}, 0, 32).pad().raw(std::string(64, 'x'));
       }),
       "t"},
  };
  for (const auto& [bytes, names] : cases) {
    INFO("expected to name '" << names << "'");
    const std::string what = error_of(bytes);
    CHECK_THAT(what, Catch::Contains(names));
    CHECK(what.size() > 10);
  }
  std::string nested = "GGUF";
  Bytes b;
  b.head(0, 1).key("k", 9);
  for (int i = 0; i < 2000; ++i) b.u32(9).u64(1);
  CHECK_THAT(error_of(b.s), Catch::Contains("k"));
}

TEST_CASE("a file cut anywhere is refused", "[gguf]") {
  const std::string whole = lq_test::TinyModel().gguf();
  REQUIRE(load_and_use(whole));
  Random rng(5);
  std::vector<std::size_t> cuts;
  for (std::size_t i = 0; i < std::min<std::size_t>(4096, whole.size()); ++i) cuts.push_back(i);
  for (int i = 0; i < 500; ++i) cuts.push_back(rng.next() % whole.size());
  cuts.push_back(whole.size() - 1);
  for (std::size_t cut : cuts) {
    // A copy of its own, so that a sanitizer sees a read past the end.
    const std::string part(whole.data(), cut);
    CHECK_THROWS_AS(open(part), Error);
  }
}

TEST_CASE("mutated headers are loaded or refused, quickly, and never bring the host down", "[gguf]") {
  const std::string whole = lq_test::TinyModel().gguf();
  const std::size_t header = whole.size() / 4;  // metadata and directory; the rest is weights
  const char* env = std::getenv("LQ_MUTATIONS");
  const int count = env ? std::atoi(env) : 2000;
  Random rng(11);
  int good = 0;
  double slowest = 0;
  for (int i = 0; i < count; ++i) {
    std::string s = whole;
    for (std::uint64_t k = 0, n = 1 + rng.next() % 4; k < n; ++k) {
      const std::size_t at = rng.next() % header;
      static constexpr unsigned char kNasty[] = {0x00, 0xff, 0x7f, 0x80, 0x01};
      s[at] = static_cast<char>(rng.next() % 2 ? kNasty[rng.next() % 5] : rng.next());
    }
    const auto begin = std::chrono::steady_clock::now();
    good += load_and_use(s);
    slowest = std::max(slowest, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  CHECK(good > 0);
  CHECK(good < count);
  CHECK(slowest < 1.0);
}

TEST_CASE("real files load", "[gguf]") {
  const std::string folder = lq_test::data("tokenizers");
  LQ_NEED_FILE(folder);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    INFO(entry.path());
    for (auto mode : {GgufFile::Mode::map, GgufFile::Mode::read}) {
      const GgufFile f = GgufFile::open(entry.path(), mode);
      CHECK(f.find("tokenizer.ggml.tokens")->as_strings()->size() > 1000);
    }
    ++files;
  }
  CHECK(files >= 7);
}

namespace {

// A part of a split model with one tensor.
std::string part(std::uint32_t number, std::uint32_t count, const std::string& tensor, std::int32_t declared) {
  lq_test::detail::GgufWriter w;
  w.str("general.architecture", "llama");
  w.u32("split.no", number);
  w.u32("split.count", count);
  if (declared) w.u32("split.tensors.count", static_cast<std::uint32_t>(declared));
  w.tensor(tensor, 0, {4},
           lq_test::detail::f32s(4, [&](std::size_t i) { return 10.0 * number + static_cast<double>(i); }));
  return w.finish();
}

}  // namespace

TEST_CASE("a split model is opened by its first part", "[gguf]") {
  const lq_test::TempFolder folder;
  const auto path = [&](int i) { return folder / ("m-0000" + std::to_string(i) + "-of-00003.gguf"); };
  for (int i = 1; i <= 3; ++i)
    lq_test::write_bytes(path(i), part(static_cast<std::uint32_t>(i - 1), 3, "t" + std::to_string(i), 3));
  const GgufFile file = GgufFile::open(path(1));
  REQUIRE(file.tensors().size() == 3);
  for (int i = 1; i <= 3; ++i) {
    const GgufTensor* t = file.find_tensor("t" + std::to_string(i));
    REQUIRE(t);
    float x;
    std::memcpy(&x, t->data + 4, 4);
    CHECK(x == static_cast<float>(10 * (i - 1) + 1));
    file.drop_pages({t->data, t->nbytes});
  }
  CHECK(file.file_size() == 3 * std::filesystem::file_size(path(1)));
  CHECK_THROWS_WITH(GgufFile::open(path(2)), Catch::Contains("is part 2 of 3; open the first"));
  lq_test::write_bytes(path(3), part(2, 3, "t1", 3));
  CHECK_THROWS_WITH(GgufFile::open(path(1)), Catch::Contains("tensor 't1' appears twice"));
  lq_test::write_bytes(path(3), part(1, 3, "t3", 3));
  CHECK_THROWS_WITH(GgufFile::open(path(1)), Catch::Contains("are 1 and 3, expected 2 and 3"));
  lq_test::write_bytes(path(3), part(2, 3, "t3", 3));
  lq_test::write_bytes(path(1), part(0, 3, "t1", 4));
  CHECK_THROWS_WITH(GgufFile::open(path(1)),
                    Catch::Contains("the parts have 3 tensors, key 'split.tensors.count' says 4"));
  std::filesystem::remove(path(3));
  CHECK_THROWS_WITH(GgufFile::open(path(1)), Catch::Contains("m-00003-of-00003.gguf"));
  lq_test::write_bytes(folder / "other.gguf", part(0, 3, "t1", 0));
  CHECK_THROWS_WITH(GgufFile::open(folder / "other.gguf"), Catch::Contains("not named <name>-00001-of-00003.gguf"));
}

TEST_CASE("what cannot be opened is said", "[gguf]") {
  CHECK_THROWS_WITH(GgufFile::open("/no/such/file.gguf"), Catch::Contains("/no/such/file.gguf"));
  CHECK_THROWS_AS(GgufFile::open("/tmp"), Error);
  CHECK_THROWS_AS(GgufFile::open("/dev/null"), Error);
}
