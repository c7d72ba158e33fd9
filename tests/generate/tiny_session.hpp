// The tiny model loaded, and sessions run to their end: what the tests of generation share. Test-only.
#pragma once

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "loquor/core/status.hpp"
#include "loquor/generate/session.hpp"
#include "tiny_model.hpp"

namespace lq_test {

using Tokens = std::vector<std::int32_t>;

// A model in memory together with the bytes it was loaded from.
struct LoadedTiny {
  std::string bytes;
  std::shared_ptr<const lq::Model> model;

  explicit LoadedTiny(const TinyModel& spec = {}, lq::ContextOptions options = {})
      : bytes(spec.gguf()),
        model(lq::Model::load(std::make_shared<lq::Context>(std::move(options)),
                              std::as_bytes(std::span<const char>(bytes.data(), bytes.size())))) {}
};

inline lq::ContextOptions with_threads(unsigned n) {
  lq::ContextOptions o;
  o.threads.threads = n;
  return o;
}

// The token of one byte of the tiny vocabulary.
inline std::int32_t byte_token(char c) { return 3 + static_cast<unsigned char>(c); }

inline Tokens byte_tokens(std::string_view text) {
  Tokens out;
  for (const char c : text) out.push_back(byte_token(c));
  return out;
}

// n tokens that look like nothing in particular.
inline Tokens some_tokens(std::size_t n, std::uint64_t seed = 7) {
  lq::Random random(seed);
  Tokens out;
  for (std::size_t i = 0; i < n; ++i) out.push_back(static_cast<std::int32_t>(3 + random.next() % 264));
  return out;
}

inline std::vector<float> logits_of(lq::Session& s) {
  const auto l = s.logits();
  return {l.begin(), l.end()};
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

inline std::vector<float> fresh_logits(const LoadedTiny& tiny, const Tokens& tokens, lq::SessionOptions options = {}) {
  lq::Session s(tiny.model, options);
  s.set_prompt(tokens);
  return logits_of(s);
}

// A random draw over the whole vocabulary; it never ends by itself.
inline lq::GenerateOptions random_options(std::size_t max_tokens, std::uint64_t seed = 1) {
  lq::GenerateOptions o;
  o.max_tokens = max_tokens;
  o.ignore_end = true;
  const double temperature = 1.3;
  o.sampler.add("temperature", {&temperature, 1});
  o.sampler.set_seed(seed);
  return o;
}

// Makes the model say exactly these tokens, from `begin` (the session's length at the start) on.
inline lq::GenerateOptions scripted(Tokens script, std::size_t begin) {
  lq::GenerateOptions o;
  o.max_tokens = script.size();
  o.ignore_end = true;
  o.sampler.add([script, begin](std::span<lq::Candidate> c, std::span<const std::int32_t> history) {
    c[0].token = script.at(history.size() - begin);
    return std::size_t{1};
  });
  return o;
}

struct Said {
  std::vector<std::string> pieces;
  std::string text;
  Tokens tokens;
  lq::Finish finish = lq::Finish::none;
};

// Steps until done.
inline Said run(lq::Session& s, std::uint64_t budget_us = UINT64_MAX) {
  Said said;
  for (;;) {
    const lq::Event e = s.step(budget_us);
    if (!e.text.empty()) said.pieces.emplace_back(e.text);
    said.text += e.text;
    if (e.kind == lq::EventKind::token) said.tokens.push_back(e.token);
    if (e.kind == lq::EventKind::done) {
      said.finish = e.finish;
      return said;
    }
  }
}

template <class Fn>
lq::Code code_of(const Fn& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return e.code();
  }
  return lq::Code::ok;
}

}  // namespace lq_test
