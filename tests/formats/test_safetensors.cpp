#include "loquor/formats/safetensors.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "loquor/core/half.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "temp_folder.hpp"

using namespace lq;

namespace {

std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string s(8, '\0');
  const std::uint64_t n = header.size();
  std::memcpy(s.data(), &n, 8);
  s += header;
  for (std::size_t i = 0; i < data_bytes; ++i) s += static_cast<char>(i);
  return s;
}

SafetensorsFile open(const std::string& bytes) {
  return SafetensorsFile::from_memory(bytes.data(), bytes.size(), "test");
}

std::string error_of(const std::string& bytes) {
  // A copy of exactly this size, so that a sanitizer sees a read past the end.
  const std::vector<char> copy(bytes.begin(), bytes.end());
  try {
    SafetensorsFile::from_memory(copy.data(), copy.size(), "test");
    return "";
  } catch (const Error& e) {
    CHECK((e.code() == Code::bad_file || e.code() == Code::unsupported));
    return e.what();
  }
}

const std::string kGood =
    R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[8,20]},)"
    R"("a.w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"n":{"dtype":"I64","shape":[],"data_offsets":[20,28]},)"
    R"("empty":{"dtype":"F16","shape":[0,4],"data_offsets":[28,28]}}   )";

}  // namespace

TEST_CASE("safetensors: tensors are views with shapes, types and metadata", "[safetensors]") {
  const std::string bytes = file_of(kGood, 28);
  const SafetensorsFile f = open(bytes);
  REQUIRE(f.tensors().size() == 4);
  CHECK(f.tensors()[0].name == "b");
  REQUIRE(f.find_tensor("a.w"));
  CHECK(f.find_tensor("a.w")->type == DType::F32);
  CHECK(f.find_tensor("a.w")->shape == Shape{2});
  CHECK(f.find_tensor("b")->shape == Shape{2, 3});
  CHECK(static_cast<int>(f.find_tensor("b")->data[0]) == 8);
  CHECK(f.find_tensor("n")->type_name == "I64");
  CHECK_FALSE(f.find_tensor("n")->type);
  CHECK(f.find_tensor("n")->shape.rank() == 0);
  CHECK(f.find_tensor("empty")->nbytes == 0);
  CHECK_FALSE(f.find_tensor("c"));
  REQUIRE(f.find("format"));
  CHECK(*f.find("format") == "pt");
  CHECK_FALSE(f.find("x"));
  CHECK_THROWS_WITH(read_floats(*f.find_tensor("n"), nullptr), Catch::Contains("'n'") && Catch::Contains("I64"));
  CHECK(open(file_of("{}", 0)).tensors().empty());
}

TEST_CASE("safetensors: wrong files are refused with what is wrong", "[safetensors]") {
  const auto tensor = [](const std::string& fields) { return R"({"t":{)" + fields + "}}"; };
  std::string too_long = file_of("{}", 0), huge = too_long;
  too_long[0] = 100;
  huge[7] = '\x7f';
  std::string deep = "{\"t\":";
  for (int i = 0; i < 100000; ++i) deep += '[';
  const std::pair<std::string, const char*> cases[] = {
      {"", "header"},
      {std::string(7, '\0'), "header"},
      {std::string(8, '\0'), "{"},
      {too_long, "header of 100"},
      {huge, "header of"},
      {file_of("[]", 0), "{"},
      {file_of("{", 0), "JSON"},
      {file_of("{}x", 0), "JSON"},
      {file_of("{\"t\":1}", 0), "'t'"},
      {file_of("{\"t\":{}}", 0), "lacks dtype"},
      {file_of(deep, 0), "'t'"},
      {file_of(tensor(R"("dtype":"F32","shape":[2])"), 8), "lacks data_offsets"},
      {file_of(tensor(R"("dtype":"F32","data_offsets":[0,8])"), 8), "lacks shape"},
      {file_of(tensor(R"("dtype":"Q7","shape":[2],"data_offsets":[0,8])"), 8), "Q7"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1)"), 8), "'x'"},
      {file_of(tensor(R"("dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8])"), 8), "twice"},
      {file_of(tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,8])"), 8), "12"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[8,0])"), 8), "'t'"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0])"), 8), "offsets"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8,9])"), 8), "offsets"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 7), "ends at byte 8"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"), 9), "8 of 9"},
      {file_of(tensor(R"("dtype":"F32","shape":[2],"data_offsets":[1,9])"), 9), "holes"},
      {file_of(tensor(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), 8), "negative"},
      {file_of(tensor(R"("dtype":"F32","shape":[2.0],"data_offsets":[0,8])"), 8), "fraction"},
      {file_of(tensor(R"("dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8])"), 8), "too large"},
      {file_of(tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0])"), 0), "overflow"},
      {file_of(tensor(R"("dtype":"F32","shape":[1,1,1,1,1],"data_offsets":[0,4])"), 4), "dimensions"},
      {file_of(tensor(R"("dtype":"F32","shape":[[2]],"data_offsets":[0,8])"), 8), "array"},
      {file_of(
           R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
           2),
       "twice"},
      {file_of(
           R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"s":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
           3),
       "overlaps"},
      {file_of(R"({"__metadata__":{"a":1}})", 0), "number"},
      {file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "twice"},
      {file_of("{\"\xff\":{}}", 0), "JSON"},
  };
  for (const auto& [bytes, names] : cases) {
    INFO("expected '" << names << "'");
    CHECK_THAT(error_of(bytes), Catch::Contains(names));
  }
}

TEST_CASE("safetensors: a file cut or changed anywhere is refused or read within its bounds", "[safetensors]") {
  const std::string whole = file_of(kGood, 28);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    INFO("cut at " << cut);
    CHECK(error_of(whole.substr(0, cut)) != "");
  }
  Random rng(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    for (int k = 0; k < 1 + i % 3; ++k) bytes[rng.next() % bytes.size()] = static_cast<char>(rng.next());
    const std::vector<char> copy(bytes.begin(), bytes.end());
    try {
      const auto f = SafetensorsFile::from_memory(copy.data(), copy.size(), "test");
      for (const auto& t : f.tensors()) {
        const auto* begin = reinterpret_cast<const std::byte*>(copy.data());
        CHECK((t.data >= begin && t.data + t.nbytes <= begin + copy.size()));
      }
    } catch (const Error&) {
    }
  }
}

TEST_CASE("safetensors: what is written reads back; an unfinished file leaves the old one", "[safetensors]") {
  const lq_test::TempFolder folder;
  const std::string path = folder / "w.safetensors";
  const float x[6] = {1, -2, 3, 0.5f, 1e-20f, 7};
  const std::uint16_t h[2] = {to_f16(1.5f).bits, to_f16(-2.0f).bits};
  {
    SafetensorsWriter w;
    w.add_metadata("format", "pt");
    w.add_metadata("quo\"te", "l\xc3\xa4nge\n");
    w.add_tensor("layer.0.weight", DType::F32, {2, 3});
    w.add_tensor("half", DType::F16, {2});
    w.add_bytes("state", 3);
    w.begin(path);
    w.write(x, sizeof x);
    w.write(h, sizeof h);
    w.write("abc", 3);
    CHECK_THROWS_AS(w.write("d", 1), Error);
    w.commit();
  }
  for (const auto mode : {SafetensorsFile::Mode::map, SafetensorsFile::Mode::read}) {
    const auto f = SafetensorsFile::open(path, mode);
    float y[6];
    read_floats(*f.find_tensor("layer.0.weight"), y);
    CHECK(std::memcmp(x, y, sizeof x) == 0);
    read_floats(*f.find_tensor("half"), y);
    CHECK((y[0] == 1.5f && y[1] == -2.0f));
    CHECK(f.find_tensor("state")->type_name == "U8");
    CHECK(*f.find("quo\"te") == "l\xc3\xa4nge\n");
    CHECK(reinterpret_cast<std::uintptr_t>(f.tensors()[0].data) % 64 == 0);
  }
  const std::string before = lq_test::read_bytes(path);
  {
    SafetensorsWriter w;
    w.add_tensor("t", DType::F32, {4});
    w.begin(path);
    w.write(x, 8);
    CHECK_THROWS_AS(w.commit(), Error);
  }
  CHECK(lq_test::read_bytes(path) == before);
  CHECK(folder.files() == 1);
  SafetensorsWriter w;
  w.add_tensor("t", DType::F32, {4});
  w.add_tensor("t", DType::F32, {4});
  CHECK_THROWS_WITH(w.begin(path), Catch::Contains("twice"));
  CHECK_THROWS_AS(w.add_tensor("q", DType::Q8_0, Shape{32}), Error);
  CHECK_THROWS_AS(w.add_tensor("", DType::F32, Shape{32}), Error);
}
