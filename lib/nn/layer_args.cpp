#include <algorithm>
#include <charconv>
#include <cmath>

#include "loquor/nn/layers.hpp"

namespace lq::nn {
namespace {

constexpr std::size_t kLargest = std::size_t{1} << 28;

bool parse(std::string_view text, std::size_t& out) noexcept {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && out >= 1 && out <= kLargest;
}

}  // namespace

LayerArgs::LayerArgs(Parameters& parameters, Random& random, std::string prefix, std::string_view text)
    : parameters_(&parameters), random_(&random), prefix_(std::move(prefix)) {
  std::string word;
  const auto flush = [&] {
    if (word.empty()) return;
    if (name_.empty())
      name_ = word;
    else
      words_.push_back(word);
    word.clear();
  };
  for (const char c : text) c == ' ' || c == '\t' || c == '\n' || c == '\r' ? flush() : word.push_back(c);
  flush();
  LQ_CHECK(!name_.empty(), Code::invalid_argument, "network: layer '", prefix_, "' is empty");
  used_.assign(words_.size(), false);
}

std::size_t LayerArgs::number(std::size_t k, const char* what) {
  std::size_t n = 0;
  LQ_CHECK(k < words_.size() && parse(words_[k], n), Code::invalid_argument, "network: ", name_, ": expected ", what,
           ", a number of 1 to ", kLargest, k < words_.size() ? ", not '" + words_[k] + "'" : "");
  used_[k] = true;
  return n;
}

const std::string* LayerArgs::find(std::string_view key) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    const std::string_view word = words_[i];
    if (word.substr(0, word.find('=')) != key) continue;
    used_[i] = true;
    return &words_[i];
  }
  return nullptr;
}

std::size_t LayerArgs::option(std::string_view key, std::size_t otherwise) {
  const std::string* word = find(key);
  if (!word) return otherwise;
  std::size_t n = 0;
  LQ_CHECK(word->size() > key.size() && (parse(word->substr(key.size() + 1), n) || *word == str(key, "=0")),
           Code::invalid_argument, "network: ", name_, ": '", *word, "' is no number");
  return n;
}

float LayerArgs::option_float(std::string_view key, float otherwise) {
  const std::string* word = find(key);
  if (!word) return otherwise;
  float x = 0;
  const char* begin = word->data() + std::min(word->size(), key.size() + 1);
  const auto [end, error] = std::from_chars(begin, word->data() + word->size(), x);
  LQ_CHECK(error == std::errc{} && end == word->data() + word->size() && std::isfinite(x), Code::invalid_argument,
           "network: ", name_, ": '", *word, "' is no number");
  return x;
}

bool LayerArgs::flag(std::string_view key) {
  const std::string* word = find(key);
  LQ_CHECK(!word || word->size() == key.size(), Code::invalid_argument, "network: ", name_, ": '", *word,
           "' takes no value");
  return word;
}

void LayerArgs::finish() const {
  for (std::size_t i = 0; i < words_.size(); ++i)
    LQ_CHECK(used_[i], Code::invalid_argument, "network: ", name_, ": '", words_[i], "' is not known here");
}

Parameter& constant(const LayerArgs& a, const std::string& name, Shape shape, float value) {
  Parameter& p = a.parameters().add(a.prefix() + name, shape);
  std::fill_n(p.value, p.count, value);
  return p;
}

Parameter& uniform(const LayerArgs& a, const std::string& name, Shape shape, double bound) {
  Parameter& p = a.parameters().add(a.prefix() + name, shape);
  for (std::size_t i = 0; i < p.count; ++i) p.value[i] = static_cast<float>((2 * a.random().uniform() - 1) * bound);
  return p;
}

// Box & Muller 1958.
Parameter& normal(const LayerArgs& a, const std::string& name, Shape shape, double bound) {
  Parameter& p = a.parameters().add(a.prefix() + name, shape);
  for (std::size_t i = 0; i < p.count; ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - a.random().uniform()));
    p.value[i] = static_cast<float>(bound * radius * std::cos(6.283185307179586 * a.random().uniform()));
  }
  return p;
}

}  // namespace lq::nn
