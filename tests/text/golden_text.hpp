// The generated texts of the tokenizer goldens: the same recipe as tests/goldens/make_tokenizer_goldens.py.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lq_test {

nlohmann::json golden_json(const std::string& name);  // tests/goldens/<name>
std::string golden_chunk(std::uint64_t index, const nlohmann::json& corpus);
std::string sweep_text(std::uint32_t block, const std::set<int>& missing_bytes);
std::string utf8(std::uint32_t code_point);

// FNV-1a over bytes, or over ids as whole numbers; 16 hexadecimal digits.
std::string hash_of(std::string_view bytes);
std::string hash_of(std::span<const std::int32_t> ids);

// How many goldens to go on by: 1, or what LQ_GOLDEN_EVERY says, for sanitizers, under which all take minutes.
std::uint32_t every_golden();

inline constexpr std::uint32_t kSweepBlock = 0x4000;

}  // namespace lq_test
