#include "loquor/grammar/matcher.hpp"

#include "loquor/core/status.hpp"

namespace lq {
namespace {

std::uint64_t mix(std::uint64_t h) noexcept {
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
  h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
  return h ^ (h >> 31);
}

Matcher::RowKey joined(std::uint32_t state, const Matcher::RowKey& frame) noexcept {
  return {mix(frame.first + mix(state + 1)), mix(frame.second ^ mix(~std::uint64_t{state}))};
}

}  // namespace

Matcher::Matcher(std::shared_ptr<const Automaton> automaton) : automaton_(std::move(automaton)) {
  item_of_.resize(automaton_->states.size());
  frame_of_.resize(automaton_->starts.size());
  begin_row();
  frames_.push_back({automaton_->root, 0});
  add(automaton_->starts[automaton_->root], 0);
  close();
}

void Matcher::begin_row() {
  rows_.push_back({static_cast<std::uint32_t>(items_.size()), static_cast<std::uint32_t>(frames_.size()),
                   static_cast<std::uint32_t>(links_.size())});
}

void Matcher::truncate(std::size_t n) noexcept {
  if (n >= rows()) return;
  const Row& first = rows_[n + 1];
  items_.resize(first.items);
  frames_.erase(frames_.begin() + first.frames, frames_.end());
  links_.erase(links_.begin() + first.links, links_.end());
  if (hashes_.size() > frames_.size()) hashes_.resize(frames_.size());
  rows_.erase(rows_.begin() + static_cast<std::ptrdiff_t>(n) + 1, rows_.end());
}

bool Matcher::can_go_on() const noexcept {
  for (const Item* i = begin(); i != end(); ++i)
    if (automaton_->states[i->state].bytes) return true;
  return false;
}

bool Matcher::push(std::uint8_t byte) {
  const std::size_t first = rows_.back().items, last = items_.size();
  const Automaton& a = *automaton_;
  begin_row();
  try {
    for (std::size_t i = first; i < last; ++i) {
      const std::int32_t to = a.step(items_[i].state, byte);
      if (to != Automaton::kDead) add(static_cast<std::uint32_t>(to), items_[i].frame);
    }
    if (items_.size() == last) {
      rows_.pop_back();
      return false;
    }
    close();
  } catch (...) {
    pop();
    throw;
  }
  return true;
}

bool Matcher::push(std::string_view bytes) {
  const std::size_t before = rows();
  for (char c : bytes)
    if (!push(static_cast<std::uint8_t>(c))) {
      truncate(before);
      return false;
    }
  return true;
}

void Matcher::seed(Item item) {
  begin_row();
  try {
    add(item.state, item.frame);
    close();
  } catch (...) {
    pop();
    throw;
  }
}

bool Matcher::in_row(std::uint32_t state, std::uint32_t frame) const noexcept {
  const std::uint32_t first = rows_.back().items, at = item_of_[state];
  if (at < first || at >= items_.size() || items_[at].state != state) return false;
  if (items_[at].frame == frame) return true;
  for (std::size_t i = first; i < items_.size(); ++i)
    if (items_[i].state == state && items_[i].frame == frame) return true;
  return false;
}

void Matcher::add(std::uint32_t state, std::uint32_t frame) {
  if (in_row(state, frame)) return;
  LQ_CHECK(items_.size() - rows_.back().items < kMaxItems, Code::limit, "grammar: more than ", kMaxItems,
           " ways to read the text");
  item_of_[state] = static_cast<std::uint32_t>(items_.size());
  items_.push_back({state, frame});
}

void Matcher::close() {
  const Automaton& a = *automaton_;
  for (std::size_t i = rows_.back().items; i < items_.size(); ++i) {
    const Item item = items_[i];
    const Automaton::State& state = a.states[item.state];
    if (state.plain()) continue;
    for (std::uint32_t c = 0; c < state.n_calls; ++c) enter(a.calls[state.first_call + c], item.frame);
    if (state.ends) finish(item.frame);
  }
}

void Matcher::enter(const Automaton::Call& call, std::uint32_t frame) {
  const auto row = static_cast<std::uint32_t>(rows());
  std::uint32_t at = frame_of_[call.rule];
  const bool known =
      at < frames_.size() && frames_[at].rule == call.rule && frames_[at].row == row && at >= rows_.back().frames;
  if (!known) {
    at = static_cast<std::uint32_t>(frames_.size());
    frame_of_[call.rule] = at;
    frames_.push_back({call.rule, row});
    add(automaton_->starts[call.rule], at);
  }
  // A call in last place: whoever called its caller is who goes on. Only of finished rows, whose links are complete.
  if (frame != 0 && frames_[frame].row < row && automaton_->states[call.back].only_ends()) {
    for (std::uint32_t l = frames_[frame].links; l != kNone; l = links_[l].next)
      if (add_link(at, links_[l].back, links_[l].frame) && frames_[at].done) add(links_[l].back, links_[l].frame);
    return;
  }
  if (add_link(at, call.back, frame) && frames_[at].done) add(call.back, frame);
}

bool Matcher::add_link(std::uint32_t frame, std::uint32_t back, std::uint32_t to) {
  for (std::uint32_t l = frames_[frame].links; l != kNone; l = links_[l].next)
    if (links_[l].back == back && links_[l].frame == to) return false;
  LQ_CHECK(links_.size() - rows_.back().links < 4 * kMaxItems, Code::limit, "grammar: more than ", 4 * kMaxItems,
           " calls at one place of the text");
  links_.push_back({back, to, frames_[frame].links});
  frames_[frame].links = static_cast<std::uint32_t>(links_.size() - 1);
  return true;
}

void Matcher::finish(std::uint32_t frame) {
  if (frame == 0) rows_.back().ended = true;
  if (frames_[frame].row == rows()) frames_[frame].done = true;
  for (std::uint32_t l = frames_[frame].links; l != kNone; l = links_[l].next) add(links_[l].back, links_[l].frame);
}

// A frame's hash is made of its links', whatever their order; frames that depend on themselves get one of their own.
void Matcher::hash_frames() {
  std::size_t first = hashes_.size();
  hashes_.resize(frames_.size());
  if (first == 0) {
    hashes_[0] = {1, 2};
    first = 1;
  }
  std::vector<std::uint32_t> open;
  for (std::size_t f = first; f < frames_.size(); ++f) open.push_back(static_cast<std::uint32_t>(f));
  std::vector<bool> known(frames_.size() - first);
  const auto is_known = [&](std::uint32_t f) { return f < first || known[f - first]; };
  const auto hash = [&](std::uint32_t f) {
    RowKey sum{frames_[f].rule + std::uint64_t{3}, ~std::uint64_t{frames_[f].rule}};
    for (std::uint32_t l = frames_[f].links; l != kNone; l = links_[l].next) {
      if (!is_known(links_[l].frame)) return false;
      const RowKey k = joined(links_[l].back, hashes_[links_[l].frame]);
      sum.first += k.first;
      sum.second += k.second;
    }
    hashes_[f] = {mix(sum.first), mix(sum.second)};
    known[f - first] = true;
    return true;
  };
  while (!open.empty()) {
    const std::size_t before = open.size();
    std::erase_if(open, hash);
    if (open.size() < before) continue;
    ++unique_;
    hashes_[open.back()] = {mix(reinterpret_cast<std::uintptr_t>(this) + unique_), mix(~unique_)};
    known[open.back() - first] = true;
    open.pop_back();
  }
}

Matcher::RowKey Matcher::key() {
  hash_frames();
  RowKey sum{5, 7};
  for (const Item* i = begin(); i != end(); ++i) {
    const RowKey k = joined(i->state, hashes_[i->frame]);
    sum.first += k.first;
    sum.second += k.second;
  }
  return sum;
}

std::size_t Matcher::bytes() const noexcept {
  return items_.capacity() * sizeof(Item) + frames_.capacity() * sizeof(Frame) + links_.capacity() * sizeof(Link) +
         rows_.capacity() * sizeof(Row) + hashes_.capacity() * sizeof(RowKey) +
         (item_of_.capacity() + frame_of_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace lq
