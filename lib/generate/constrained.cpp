#include "constrained.hpp"

#include <algorithm>
#include <limits>

#include "loquor/core/status.hpp"

namespace lq {
namespace {

constexpr std::size_t kMostForced = 64;  // bytes
constexpr float kNone = -std::numeric_limits<float>::infinity();

// Of 64 logits, those whose bit is set.
void copy_allowed(std::uint64_t bits, const float* from, std::size_t n, float* to) noexcept {
  if (bits == ~std::uint64_t{0})
    std::copy_n(from, n, to);
  else if (bits == 0)
    std::fill_n(to, n, kNone);
  else
    for (std::size_t i = 0; i < n; ++i) to[i] = bits >> i & 1 ? from[i] : kNone;
}

}  // namespace

Constrained::Constrained(std::shared_ptr<const TokenMasks> masks, std::shared_ptr<const Tokenizer> tokenizer,
                         std::span<const std::int32_t> stops, bool ignore_end)
    : masks_(std::move(masks)),
      tokenizer_(std::move(tokenizer)),
      ends_(stops.begin(), stops.end()),
      matcher_(masks_->automaton()) {
  if (!ignore_end) {
    const auto eog = tokenizer_->end_of_generation();
    ends_.insert(ends_.end(), eog.begin(), eog.end());
  }
}

bool Constrained::is_end(std::int32_t token) const noexcept {
  return std::find(ends_.begin(), ends_.end(), token) != ends_.end();
}

bool Constrained::allows(std::int32_t token) {
  if (is_end(token) && matcher_.can_end()) return true;
  if (static_cast<std::size_t>(token) >= tokenizer_->vocab_size() || tokenizer_->is_special(token) ||
      tokenizer_->is_end_of_generation(token))
    return false;
  const std::string_view bytes = tokenizer_->token_bytes(token);
  const std::size_t before = matcher_.rows();
  if (bytes.empty() || bytes.size() > TokenTrie::kLongest || !matcher_.push(bytes)) return false;
  matcher_.truncate(before);
  return true;
}

std::int32_t Constrained::choose(Sampler& sampler, const LogitsRow& logits, std::span<const std::int32_t> history) {
  if (sampler.greedy()) {
    // The best of all is the best of those allowed if it is one of them, which is soon said.
    const std::int32_t best = sampler.sample(logits, history, history.size());
    if (allows(best)) return best;
  }
  const auto mask = masks_->mask(matcher_);
  const bool can_end = matcher_.can_end() && !ends_.empty();
  LQ_CHECK(mask->count || can_end, Code::unsupported,
           "grammar: no token of the vocabulary can go on with the text (a dead end)");
  const std::size_t n = logits.values.size();
  allowed_.resize(n);
  for (std::size_t i = 0; i < n; i += 64) {
    const std::uint64_t bits = i / 64 < mask->words.size() ? mask->words[i / 64] : 0;
    copy_allowed(bits, logits.values.data() + i, std::min<std::size_t>(64, n - i), allowed_.data() + i);
  }
  if (can_end)
    for (std::int32_t end : ends_)
      allowed_[static_cast<std::size_t>(end)] = logits.values[static_cast<std::size_t>(end)];
  return sampler.sample(LogitsRow{allowed_}, history, history.size());
}

void Constrained::accept(std::int32_t token) {
  LQ_CHECK(matcher_.push(tokenizer_->token_bytes(token)), Code::internal, "grammar: token ", token, " was not allowed");
}

std::vector<std::int32_t> Constrained::forced() {
  const std::size_t before = matcher_.rows();
  const Automaton& a = matcher_.automaton();
  std::string text;
  while (text.size() < kMostForced && !matcher_.can_end() && matcher_.end() - matcher_.begin() <= 4) {
    int only = -1, ways = 0;
    for (int byte = 0; byte < 256 && ways < 2; ++byte) {
      const auto takes = [&](const Matcher::Item& i) {
        return a.step(i.state, static_cast<std::uint8_t>(byte)) != Automaton::kDead;
      };
      if (std::any_of(matcher_.begin(), matcher_.end(), takes)) only = byte, ++ways;
    }
    if (ways != 1 || !matcher_.push(static_cast<std::uint8_t>(only))) break;
    text += static_cast<char>(only);
  }
  matcher_.truncate(before);
  return text.size() < 2 ? std::vector<std::int32_t>{} : tokenizer_->encode(text);
}

}  // namespace lq
