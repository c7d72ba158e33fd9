#include "loquor/quant/rows.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "loquor/core/half.hpp"
#include "loquor/core/random.hpp"

namespace {

using lq::DType;
using Json = nlohmann::json;

constexpr DType kTypes[] = {DType::F32, DType::F16, DType::BF16, DType::Q8_0, DType::Q4_0, DType::Q4_1};

std::string from_hex(const std::string& hex) {
  std::string out(hex.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  return out;
}

std::vector<float> floats(const std::string& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

std::string encoded(DType type, const std::vector<float>& x, bool* finite = nullptr) {
  std::string out(lq::row_bytes(type, x.size()), '?');
  const bool ok = lq::encode_row(type, x.data(), x.size(), reinterpret_cast<std::byte*>(out.data()));
  if (finite) *finite = ok;
  return out;
}

std::vector<float> decoded(DType type, const std::string& bytes, std::size_t n) {
  std::vector<float> out(n);
  lq::decode_row(type, reinterpret_cast<const std::byte*>(bytes.data()), n, out.data());
  return out;
}

std::vector<float> noise(std::size_t n, float scale) {
  lq::Random random(7);
  std::vector<float> x(n);
  for (float& v : x) v = scale * (static_cast<float>(random.next() % 20001) / 10000.0f - 1.0f);
  return x;
}

// The largest error of a code, as a part of the block's largest magnitude (its range for Q4_1, at most twice that).
double tolerance(DType type) {
  switch (type) {
    case DType::F16:
      return 0x1p-11;
    case DType::BF16:
      return 0x1p-8;
    case DType::Q8_0:
      return 0.5 / 127 + 0x1p-10;
    case DType::Q4_0:
      return 1.0 / 8 + 0x1p-10;  // the side away from the largest value ends at 7/8 of it
    case DType::Q4_1:
      return 1.0 / 15 + 0x1p-9;
    default:
      return 0;
  }
}

}  // namespace

TEST_CASE("encoded rows equal the bytes of the formats' reference quantiser", "[rows]") {
  std::ifstream in(LQ_SOURCE_DIR "/tests/goldens/quantize.json");
  const Json goldens = Json::parse(in);
  REQUIRE(goldens["groups"].size() > 20);
  for (const Json& group : goldens["groups"]) {
    const std::vector<float> x = floats(from_hex(group["f32"]));
    for (const DType type : kTypes) {
      if (type == DType::F32) continue;
      const std::string name(lq::name(type));
      INFO(group["name"].get<std::string>() << " as " << name);
      const std::string want = from_hex(group[name]), got = encoded(type, x);
      REQUIRE(want.size() == got.size());
      std::size_t first = 0;
      while (first < want.size() && want[first] == got[first]) ++first;
      INFO("first difference at byte " << first);
      CHECK(first == want.size());
    }
  }
}

TEST_CASE("a row that was encoded decodes to what it was, within the type's step", "[rows]") {
  for (const DType type : kTypes) {
    INFO(lq::name(type));
    const std::vector<float> x = noise(4096, 0.7f);
    const std::vector<float> y = decoded(type, encoded(type, x), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      double top = 0;
      for (std::size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) top = std::max(top, std::fabs(double(x[j])));
      CHECK(std::fabs(double(x[i]) - double(y[i])) <= tolerance(type) * top);
    }
  }
}

TEST_CASE("plain types decode and encode without loss", "[rows]") {
  std::string halves;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7c00u) == 0x7c00u) bits += 0x400;  // infinities and NaNs
    if (bits > 65535) break;
    halves.push_back(static_cast<char>(bits & 255));
    halves.push_back(static_cast<char>(bits >> 8));
  }
  CHECK(encoded(DType::F16, decoded(DType::F16, halves, halves.size() / 2)) == halves);
  std::string brains;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    if ((bits & 0x7f80u) == 0x7f80u) continue;
    brains.push_back(static_cast<char>(bits & 255));
    brains.push_back(static_cast<char>(bits >> 8));
  }
  bool finite = false;
  CHECK(encoded(DType::BF16, decoded(DType::BF16, brains, brains.size() / 2), &finite) == brains);
  CHECK(finite);
}

TEST_CASE("what a type cannot hold is reported", "[rows]") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::nanf("");
  for (const DType type : kTypes)
    for (const float bad : {inf, -inf, nan, -nan})
      for (const std::size_t at : {0, 13, 31, 32, 63}) {
        INFO(lq::name(type) << ", " << bad << " at " << at);
        std::vector<float> x = noise(64, 1.0f);
        bool finite = true;
        encoded(type, x, &finite);
        CHECK(finite);
        x[at] = bad;
        encoded(type, x, &finite);
        CHECK_FALSE(finite);
      }
  for (const DType type : {DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1}) {
    INFO(lq::name(type) << " of 1e8");
    std::vector<float> x(32, 1.0f);
    x[9] = 1e8f;
    bool finite = true;
    encoded(type, x, &finite);
    CHECK_FALSE(finite);
  }
  CHECK_FALSE(lq::is_real_type(DType::I32));
  CHECK(lq::encodable_type_names().find("Q4_1") != std::string::npos);
  CHECK(lq::encodable_type_names().find("I32") == std::string::npos);
}
