#include "golden_text.hpp"

#include <cstdlib>

#include <cstdio>
#include <fstream>

namespace lq_test {

namespace {

// SplitMix64, as in the script.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t n) {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
  }

 private:
  std::uint64_t state_;
};

std::string several(Random& rng, const nlohmann::json& items, std::uint64_t most) {
  std::string out;
  for (std::uint64_t n = 1 + rng.below(most); n > 0; --n) out += items[rng.below(items.size())].get<std::string>();
  return out;
}

std::string several(Random& rng, std::string_view letters, std::uint64_t most) {
  std::string out;
  for (std::uint64_t n = 1 + rng.below(most); n > 0; --n) out += letters[rng.below(letters.size())];
  return out;
}

std::string from_range(Random& rng, const nlohmann::json& ranges, bool several_of_them) {
  const auto& range = ranges[rng.below(ranges.size())];
  const std::uint32_t low = range[0], high = range[1];
  std::string out;
  for (std::uint64_t n = several_of_them ? 1 + rng.below(12) : 1; n > 0; --n) {
    out += utf8(low + static_cast<std::uint32_t>(rng.below(high - low + 1)));
  }
  return out;
}

std::string one_piece(Random& rng, const nlohmann::json& corpus) {
  const std::uint64_t op = rng.below(16);
  if (op <= 5) return several(rng, corpus["fragments"], 1);
  switch (op) {
    case 6:
      return from_range(rng, corpus["ranges"], true);
    case 7:
      return several(rng, std::string_view("0123456789"), 9);
    case 8:
      return several(rng, corpus["spaces"], 6);
    case 9:
      return several(rng, corpus["punctuation"], 5);
    case 10:
      return several(rng, corpus["contractions"], 1);
    case 11:
      return " " + from_range(rng, corpus["ranges"], false);
    case 12:
      return several(rng, std::string_view("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"), 15);
    case 13:
      return " ";
    case 14: {
      const char letter = several(rng, std::string_view("ae =-\n\t.0"), 1)[0];
      return std::string(1 + rng.below(60), letter);
    }
    default:
      return several(rng, corpus["specials"], 1);
  }
}

std::string hex(std::uint64_t h) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(h));
  return digits;
}

}  // namespace

nlohmann::json golden_json(const std::string& name) {
  std::ifstream in(std::string(LQ_SOURCE_DIR) + "/tests/goldens/" + name, std::ios::binary);
  return nlohmann::json::parse(in);
}

std::string utf8(std::uint32_t c) {
  const auto tail = [c](int shift) { return static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
  if (c < 0x80) return {static_cast<char>(c)};
  if (c < 0x800) return {static_cast<char>(0xc0 | c >> 6), tail(0)};
  if (c < 0x10000) return {static_cast<char>(0xe0 | c >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xf0 | c >> 18), tail(12), tail(6), tail(0)};
}

std::uint32_t every_golden() {
  const char* value = std::getenv("LQ_GOLDEN_EVERY");
  return value && std::atoi(value) > 0 ? static_cast<std::uint32_t>(std::atoi(value)) : 1;
}

std::string golden_chunk(std::uint64_t index, const nlohmann::json& corpus) {
  Random rng(1000 + index);
  std::string out;
  while (out.size() < 4096) out += one_piece(rng, corpus);
  return out;
}

std::string sweep_text(std::uint32_t block, const std::set<int>& missing_bytes) {
  std::string out;
  for (std::uint32_t c = block * kSweepBlock; c < (block + 1) * kSweepBlock; ++c) {
    const std::string s = utf8(c);
    bool missing = c >= 0xd800 && c < 0xe000;
    for (const char b : s) missing = missing || missing_bytes.count(static_cast<unsigned char>(b)) > 0;
    if (!missing) out += "x" + s + "y " + s + s + " '" + s + "5" + s + " \n" + s + "  " + s;
  }
  return out;
}

std::string hash_of(std::string_view bytes) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const char b : bytes) h = (h ^ static_cast<unsigned char>(b)) * 0x100000001b3u;
  return hex(h);
}

std::string hash_of(std::span<const std::int32_t> ids) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const std::int32_t id : ids) h = (h ^ static_cast<std::uint64_t>(id)) * 0x100000001b3u;
  return hex(h);
}

}  // namespace lq_test
