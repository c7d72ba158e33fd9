// Name -> row look-up over the flat array that a .def list expands to. No static-initialiser registration: rows are
// visible in one place and survive static archives.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lq {

template <class Row>
const Row* find_row(std::span<const Row> rows, std::string_view name) noexcept {
  for (const Row& row : rows)
    if (row.name == name) return &row;
  return nullptr;
}

// "a, b, c" for error messages.
template <class Row>
std::string row_names(std::span<const Row> rows) {
  std::string out;
  for (const Row& row : rows) {
    if (!out.empty()) out += ", ";
    out += row.name;
  }
  return out;
}

}  // namespace lq
