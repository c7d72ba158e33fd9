// Prompt lookup: a guess at the next tokens, copied from where the last few stood before in the same session, because
// answers quote, edit and fill in what they were given, and repeat themselves. A guess is checked by computing all of
// its tokens in one pass (lookahead.cpp); it changes what a token costs and never which token it is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lq {

// Finds earlier occurrences of the end of a token list. A table for each n remembers the last place of every n-gram,
// four bytes a slot; a slot that two n-grams want keeps the later one, so no input makes it slow or large, only
// forgetful.
class NgramIndex {
 public:
  static constexpr std::size_t kShortest = 2;   // tokens that have to agree
  static constexpr std::size_t kMeasured = 32;  // agreement beyond this is not counted

  struct Match {
    std::size_t from = 0;    // the list went on there with tokens[from] ...
    std::size_t length = 0;  // ... after `length` tokens equal to those at the end of the list; 0: no match
  };

  // `tokens` begins with the list of the call before, unless clear() came between. Takes constant time for each token
  // that is new. Throws std::bad_alloc; the index is then as it was.
  Match match(std::span<const std::int32_t> tokens);
  void clear() noexcept;
  std::size_t nbytes() const noexcept { return slots_.capacity() * sizeof(slots_[0]); }

 private:
  static constexpr std::array<std::size_t, 4> kSizes = {8, 4, 3, 2};
  static constexpr std::size_t kFewestSlots = 1 << 10, kMostSlots = 1 << 20;  // of one size

  std::uint32_t& slot(std::size_t size, std::span<const std::int32_t> tokens, std::size_t end) noexcept;
  void grow(std::size_t tokens);

  std::vector<std::uint32_t> slots_;  // kSizes.size() tables; where the n-gram ended, 0 = nowhere
  std::size_t mask_ = 0;              // slots of one table - 1
  std::size_t indexed_ = 0;           // n-grams that end at or before this are in the tables
  std::size_t from_ = 0;              // of the last match, 0 = none
};

// Decides how many tokens of a guess to compute ahead: the number that gives the most tokens for the time. It learns
// how often guesses are right, by the length of the agreement, also from those that were not computed, and what a pass
// of so many rows costs beside one of a single row. Where nothing pays, nothing is computed ahead.
class DraftPolicy {
 public:
  static constexpr std::size_t kMost = 31;  // tokens of a draft

  DraftPolicy() noexcept;
  // A token was chosen where `length` tokens agreed; was it the one expected?
  void observe(std::size_t length, bool right) noexcept;
  // A pass of `rows` took so long.
  void timed(std::size_t rows, double us) noexcept;
  // Tokens to compute ahead after an agreement of `length`; 0 to `most`.
  std::size_t draft(std::size_t length, std::size_t most) noexcept;

 private:
  struct Chance {
    float right, seen;
    double value() const noexcept { return static_cast<double>(right) / static_cast<double>(seen); }
  };
  static std::size_t class_of(std::size_t length) noexcept;

  std::array<Chance, 7> chances_;
  std::array<float, kMost + 2> cost_;  // of a pass of so many rows, in passes of one row
  double single_us_ = 0;               // a pass of one row; 0 = not measured yet
};

}  // namespace lq
