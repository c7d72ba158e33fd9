#include "loquor/formats/gguf_writer.hpp"

#include <sys/resource.h>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>

#include "loquor/core/status.hpp"
#include "temp_folder.hpp"
#include "tiny_model.hpp"

namespace {

using namespace lq;
using lq_test::read_bytes;
using lq_test::TempFolder;
using lq_test::write_bytes;

std::span<const std::byte> bytes_of(const GgufTensor& t) { return {t.data, t.nbytes}; }
bool same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

// All keys and tensors of `a`, written again in pieces of `piece` bytes.
void rewrite(const GgufFile& a, const std::string& path, std::size_t piece) {
  GgufWriter w(a.alignment());
  for (const GgufFile::Entry& e : a.metadata()) w.add(e.key, e.value);
  for (const GgufTensor& t : a.tensors()) w.add_tensor(t.name, t.type, t.shape);
  w.begin(path);
  for (const GgufTensor& t : a.tensors())
    for (std::size_t at = 0; at < t.nbytes; at += piece) w.write(t.data + at, std::min(piece, t.nbytes - at));
  w.commit();
  CHECK(w.file_size() == std::filesystem::file_size(path));
}

void check_equal(const GgufFile& a, const GgufFile& b) {
  CHECK(a.alignment() == b.alignment());
  REQUIRE(a.metadata().size() == b.metadata().size());
  for (std::size_t i = 0; i < a.metadata().size(); ++i) {
    const GgufFile::Entry &x = a.metadata()[i], &y = b.metadata()[i];
    INFO(x.key);
    CHECK(x.key == y.key);
    CHECK(x.value.type() == y.value.type());
    CHECK(x.value.element_type() == y.value.element_type());
    CHECK(x.value.size() == y.value.size());
    CHECK(same(x.value.bytes(), y.value.bytes()));
  }
  REQUIRE(a.tensors().size() == b.tensors().size());
  for (std::size_t i = 0; i < a.tensors().size(); ++i) {
    const GgufTensor &x = a.tensors()[i], &y = b.tensors()[i];
    INFO(x.name);
    CHECK(x.name == y.name);
    CHECK(x.type == y.type);
    CHECK(x.shape == y.shape);
    CHECK(same(bytes_of(x), bytes_of(y)));
    CHECK((y.data - b.storage()->data()) % static_cast<std::ptrdiff_t>(b.alignment()) == 0);
  }
}

// A file with every kind of value, arrays of arrays and of each element type, and the alignment given.
std::string all_kinds(std::uint32_t alignment) {
  using lq_test::detail::put;
  using lq_test::detail::put_str;
  using lq_test::detail::put_u32;
  using lq_test::detail::put_u64;
  constexpr std::size_t kWidth[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  const std::string pattern("\1\0\0\0\0\0\0\0\1\1\0\1\0\1\1\0", 16);
  std::string meta;
  std::uint64_t keys = 0;
  const auto key = [&](const std::string& name, std::uint32_t type) {
    put_str(meta, name);
    put_u32(meta, type);
    ++keys;
  };
  for (std::uint32_t type = 0; type <= 12; ++type) {
    if (kWidth[type]) {
      key("scalar." + std::to_string(type), type);
      meta += pattern.substr(0, kWidth[type]);
      for (const std::uint64_t count : {0, 1, 3}) {
        key("array." + std::to_string(type) + "." + std::to_string(count), 9);
        put_u32(meta, type);
        put_u64(meta, count);
        for (std::uint64_t i = 0; i < count; ++i) meta += pattern.substr(0, kWidth[type]);
      }
    }
  }
  key("string", 8);
  put_str(meta, std::string("a\0b \xff", 5));
  key("string.empty", 8);
  put_str(meta, "");
  key("general.alignment", 4);
  put_u32(meta, alignment);
  key("strings", 9);
  put_u32(meta, 8);
  put_u64(meta, 2);
  put_str(meta, "x");
  put_str(meta, "");
  key("nested", 9);
  put_u32(meta, 9);
  put_u64(meta, 2);
  for (const std::uint64_t count : {2, 0}) {
    put_u32(meta, 4);
    put_u64(meta, count);
    for (std::uint64_t i = 0; i < count; ++i) put_u32(meta, 7);
  }
  std::string out = "GGUF";
  put_u32(out, 3);
  put_u64(out, 2);
  put_u64(out, keys);
  out += meta;
  std::uint64_t offset = 0;
  for (const char* name : {"first", "second"}) {
    put_str(out, name);
    put_u32(out, 1);
    put_u64(out, 3);
    put_u32(out, 0);
    put_u64(out, offset);
    offset += (12 + alignment - 1) / alignment * alignment;
  }
  out.resize((out.size() + alignment - 1) / alignment * alignment);
  const float values[] = {1, 2, 3};
  for (int i = 0; i < 2; ++i) {
    put(out, values, sizeof values);
    out.resize((out.size() + alignment - 1) / alignment * alignment);
  }
  return out;
}

}  // namespace

TEST_CASE("a file written again has the same keys and tensors", "[gguf_writer]") {
  const TempFolder folder;
  for (const std::size_t piece : {std::size_t{1} << 30, std::size_t{997}}) {
    const std::string tiny = lq_test::TinyModel().gguf();
    const GgufFile a = GgufFile::from_memory(tiny.data(), tiny.size());
    rewrite(a, folder / "tiny.gguf", piece);
    check_equal(a, GgufFile::open(folder / "tiny.gguf"));
    CHECK(read_bytes(folder / "tiny.gguf") == tiny);
  }
  CHECK(folder.files() == 1);
}

TEST_CASE("every kind of value is copied exactly, at every alignment", "[gguf_writer]") {
  const TempFolder folder;
  for (const std::uint32_t alignment : {1u, 8u, 32u, 64u, 4096u}) {
    INFO("alignment " << alignment);
    const std::string data = all_kinds(alignment);
    const GgufFile a = GgufFile::from_memory(data.data(), data.size());
    REQUIRE(a.metadata().size() > 40);
    rewrite(a, folder / "kinds.gguf", 5);
    check_equal(a, GgufFile::open(folder / "kinds.gguf"));
    CHECK(read_bytes(folder / "kinds.gguf") == data);
  }
}

TEST_CASE("values that were added one by one read back", "[gguf_writer]") {
  const TempFolder folder;
  GgufWriter w(128);
  w.add_u32("u", 0xdeadbeef);
  w.add_f32("f", -0.25f);
  w.add_bool("b", true);
  w.add_string("s", "h\xc3\xa4");
  w.add_tensor("m", DType::Q8_0, {3, 64});
  w.begin(folder / "x.gguf");
  const std::string rows(3 * 68, 'r');
  w.write(rows.data(), rows.size());
  w.commit();
  const GgufFile file = GgufFile::open(folder / "x.gguf");
  CHECK(file.alignment() == 128);
  CHECK(file.find("u")->as_uint() == 0xdeadbeef);
  CHECK(file.find("f")->as_double() == -0.25);
  CHECK(file.find("b")->as_bool() == true);
  CHECK(file.find("s")->as_string() == std::string_view("h\xc3\xa4"));
  CHECK(file.find_tensor("m")->shape == Shape{3, 64});
  CHECK(std::memcmp(file.find_tensor("m")->data, rows.data(), rows.size()) == 0);
}

TEST_CASE("declarations that make no good file are refused", "[gguf_writer]") {
  const TempFolder folder;
  CHECK_THROWS_AS(GgufWriter(0), Error);
  CHECK_THROWS_AS(GgufWriter(48), Error);
  CHECK_THROWS_AS(GgufWriter(std::size_t{1} << 17), Error);
  GgufWriter w;
  CHECK_THROWS_AS(w.add_u32("", 1), Error);
  CHECK_THROWS_AS(w.add_u32(std::string(65536, 'k'), 1), Error);
  CHECK_THROWS_AS(w.add_u32("general.alignment", 64), Error);
  CHECK_THROWS_AS(w.add_string("general.alignment", "32"), Error);
  CHECK_THROWS_AS(w.add_tensor("", DType::F32, {1}), Error);
  CHECK_THROWS_AS(w.add_tensor(std::string(257, 't'), DType::F32, {1}), Error);
  CHECK_THROWS_AS(w.add_tensor("t", DType::F32, {0, 4}), Error);
  CHECK_THROWS_AS(w.add_tensor("t", DType::Q4_0, {4, 33}), Error);
  w.add_tensor("t", DType::F32, {4});
  w.add_tensor("t", DType::F32, {4});
  CHECK_THROWS_AS(w.begin(folder / "x.gguf"), Error);
  GgufWriter twice;
  twice.add_u32("k", 1);
  twice.add_bool("k", false);
  CHECK_THROWS_AS(twice.begin(folder / "x.gguf"), Error);
  CHECK(folder.files() == 0);
}

TEST_CASE("a file that is not complete is not put in place", "[gguf_writer]") {
  const TempFolder folder;
  write_bytes(folder / "x.gguf", "before");
  {
    GgufWriter w;
    w.add_tensor("t", DType::F32, {4});
    w.begin(folder / "x.gguf");
    const float v[5] = {};
    w.write(v, 12);
    CHECK_THROWS_AS(w.commit(), Error);
    CHECK_THROWS_AS(w.write(v, 8), Error);
  }
  CHECK(read_bytes(folder / "x.gguf") == "before");
  CHECK(folder.files() == 1);
}

TEST_CASE("a write that falls short is reported with the path and the bytes", "[gguf_writer]") {
  const TempFolder folder;
  write_bytes(folder / "x.gguf", "before");
  // A limit on file sizes acts like a full disk: a short write first, then an error.
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const std::string data(1 << 16, 'd');
  for (const rlim_t limit : {0, 1, 100, 4096, 65535}) {
    INFO(limit);
    std::string message;
    const rlimit small{limit, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    try {
      GgufWriter w;
      w.add_tensor("t", DType::F32, {data.size() / 4});
      w.begin(folder / "x.gguf");
      w.write(data.data(), data.size());
      w.commit();
    } catch (const Error& e) {
      message = e.what();
      CHECK(e.code() == Code::io);
    }
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK(message.find(folder / "x.gguf") != std::string::npos);
    CHECK(message.find("after " + std::to_string(limit) + " of 65600 bytes") != std::string::npos);
    CHECK(read_bytes(folder / "x.gguf") == "before");
    CHECK(folder.files() == 1);
  }
  std::signal(SIGXFSZ, handler);
}
