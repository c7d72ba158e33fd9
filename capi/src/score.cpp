#include <atomic>
#include <cmath>

#include "session.hpp"

namespace lq::capi {

namespace {

struct Sums {
  double sum = 0, squares = 0;  // of log probabilities
  std::uint64_t count = 0;
  void add(double p) {
    sum += p;
    squares += p * p;
    ++count;
  }
};

lq_perplexity_result finish(const Sums& s, std::size_t windows) {
  lq_perplexity_result r = LQ_PERPLEXITY_RESULT_INIT;
  const double n = static_cast<double>(s.count), mean = s.sum / n;
  const double variance = s.count > 1 ? std::max(0.0, (s.squares / n - mean * mean) / (n - 1)) : 0;
  r.windows = static_cast<std::uint32_t>(windows);
  r.scored = s.count;
  r.mean_logprob = mean;
  r.perplexity = std::exp(-mean);
  r.std_error = r.perplexity * std::sqrt(variance);
  return r;
}

// Tokens [begin, begin + size), of which those from `first` on are scored.
struct Window {
  std::size_t begin, size, first;
};

std::vector<Window> windows_of(std::size_t count, std::size_t n_ctx, std::size_t stride, std::size_t most) {
  std::vector<Window> out;
  const auto wanted = [&] { return most == 0 || out.size() < most; };
  if (stride == 0) {
    // The second half but its first token, as llama.cpp's tool does, so that figures can be compared.
    for (std::size_t i = 0; i + n_ctx <= count && wanted(); i += n_ctx) out.push_back({i, n_ctx, n_ctx / 2 + 1});
    return out;
  }
  for (std::size_t i = 0, scored = 1; scored < count && wanted(); i += stride) {
    const std::size_t end = std::min(count, i + n_ctx);
    out.push_back({i, end - i, scored - i});
    scored = end;
  }
  return out;
}

}  // namespace

}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" lq_status lq_perplexity(lq_perplexity_result* out, lq_model* model, const int32_t* tokens, size_t count,
                                   const lq_perplexity_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_struct_size(call, out, "out");
    write_struct(out, lq_perplexity_result LQ_PERPLEXITY_RESULT_INIT);
    const std::shared_ptr<const Model>& m = call.on<ModelObject>(model, "model").model;
    const auto o = options_arg<lq_perplexity_options>(call, options, LQ_PERPLEXITY_OPTIONS_INIT);
    const std::size_t n_ctx = o.n_ctx ? o.n_ctx : 512;
    LQ_CHECK(n_ctx >= 4, Code::invalid_argument, call.function(), ": n_ctx is ", n_ctx, ", at least 4 are needed");
    const auto ids = array_arg(call, tokens, count, "tokens");
    const Tokenizer& tokenizer = *m->tokenizer();
    for (std::size_t i = 0; i < ids.size(); ++i)
      LQ_CHECK(ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < tokenizer.vocab_size(), Code::invalid_argument,
               call.function(), ": tokens[", i, "] is ", ids[i], ", the vocabulary has ", tokenizer.vocab_size());
    LQ_CHECK(o.stride <= n_ctx && o.reserved2 == 0, Code::invalid_argument, call.function(), ": a stride of ", o.stride,
             " leaves out tokens between windows of ", n_ctx);
    const std::vector<Window> windows = windows_of(ids.size(), n_ctx, o.stride, o.max_windows);
    LQ_CHECK(!windows.empty(), Code::invalid_argument, call.function(), ": ", ids.size(),
             " tokens do not fill a window of ", n_ctx);
    std::shared_ptr<const std::atomic<bool>> cancel;
    if (o.cancel) cancel = Use<CancelObject>(call, o.cancel, "options.cancel")->flag;
    SessionOptions so;
    so.n_ctx = n_ctx;
    so.kv_type = kv_type_arg(call, o.kv_type);
    Session session(m, so);
    Sums sums;
    std::vector<std::int32_t> window;
    for (std::size_t w = 0; w < windows.size(); ++w) {
      LQ_CHECK(!cancel || !cancel->load(), Code::cancelled, call.function(), ": cancelled in window ", w, " of ",
               windows.size());
      const auto part = ids.subspan(windows[w].begin, windows[w].size);
      window.assign(part.begin(), part.end());
      if (o.stride == 0 && tokenizer.add_bos() && tokenizer.bos()) window[0] = *tokenizer.bos();
      session.rewind(0);
      for (const double p : session.score(window, windows[w].first, cancel.get())) sums.add(p);
      const float fraction = static_cast<float>(w + 1) / static_cast<float>(windows.size());
      LQ_CHECK(!o.progress || o.progress(fraction, o.progress_user) == 0, Code::cancelled, call.function(),
               ": stopped by the progress callback");
    }
    write_struct(out, finish(sums, windows.size()));
  });
}
