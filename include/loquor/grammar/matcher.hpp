// Where a text stands in a grammar: a recogniser after Earley (1970) over bytes, with the rules' deterministic automata
// in place of dotted productions, so that ambiguity and left recursion cost no more than they must. Each byte adds a
// row of items; taking rows back is truncation, which makes trying out tokens cheap.
//
// Items are (state, frame): a state of a rule's automaton and the call of that rule. A frame is one (rule, row) and
// links to all frames that called it there; a call in last place takes over its caller's links, so that right recursion
// does not grow (Leo 1991, for finished rows). No recursion of its own. One user at a time; copies are independent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "loquor/grammar/automaton.hpp"

namespace lq {

class Matcher {
 public:
  static constexpr std::size_t kMaxItems = 20'000;  // of a row
  struct Item {
    std::uint32_t state, frame;
  };
  struct RowKey {
    std::uint64_t first = 0, second = 0;
    friend bool operator==(const RowKey&, const RowKey&) = default;
  };

  explicit Matcher(std::shared_ptr<const Automaton> automaton);

  // Takes the byte if the text can go on with it. Throws Error{limit} for a row of more than kMaxItems; the matcher is
  // then as it was.
  bool push(std::uint8_t byte);
  void pop() noexcept { truncate(rows() - 1); }
  // All of the bytes, or none.
  bool push(std::string_view bytes);
  std::size_t rows() const noexcept { return rows_.size() - 1; }  // bytes taken
  // Takes back all bytes but the first n.
  void truncate(std::size_t n) noexcept;

  bool can_end() const noexcept { return rows_.back().ended; }  // the text so far is whole
  bool can_go_on() const noexcept;                              // more bytes may follow
  const Automaton& automaton() const noexcept { return *automaton_; }

  const Item* begin() const noexcept { return items_.data() + rows_.back().items; }
  const Item* end() const noexcept { return items_.data() + items_.size(); }
  // A row like the last one's as if only this item had been in it, on top; pop() takes it back.
  void seed(Item item);
  // Equal for rows after which the same texts may follow (but for collisions of 128 bits); of the last row.
  RowKey key();
  std::size_t bytes() const noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Frame {
    std::uint32_t rule, row;
    std::uint32_t links = kNone;
    bool done = false;  // it has ended in its own row, with the empty text
  };
  struct Link {
    std::uint32_t back, frame, next;
  };
  struct Row {
    std::uint32_t items = 0, frames = 0, links = 0;  // where its own begin
    bool ended = false;
  };

  void begin_row();
  void close();  // adds what calls and ends lead to
  void add(std::uint32_t state, std::uint32_t frame);
  bool in_row(std::uint32_t state, std::uint32_t frame) const noexcept;
  void enter(const Automaton::Call& call, std::uint32_t frame);
  bool add_link(std::uint32_t frame, std::uint32_t back, std::uint32_t to);
  void finish(std::uint32_t frame);
  void hash_frames();

  std::shared_ptr<const Automaton> automaton_;
  std::vector<Item> items_;
  std::vector<Frame> frames_;  // 0 is the text itself
  std::vector<Link> links_;
  std::vector<Row> rows_;
  // Where a state, or a rule's frame, was last added; checked against what is there before it is believed.
  std::vector<std::uint32_t> item_of_, frame_of_;
  std::vector<RowKey> hashes_;  // of the frames; as many as have been asked for
  std::uint64_t unique_ = 0;
};

}  // namespace lq
