// Comma-separated values (RFC 4180): quoted fields may hold commas, line ends and doubled quotes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

struct CsvRow {
  std::size_t line = 0;  // of its beginning, from 1
  std::vector<std::string> fields;
};

// Throws Error{bad_file}, naming `name` and the line, for an open quote, Error{limit} for over 64 MiB.
std::vector<CsvRow> read_csv(std::string_view text, const std::string& name);

}  // namespace lq
