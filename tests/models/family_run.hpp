// Running small models through a pass in every way, for the tests of families. Test-only.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>

#include "loquor/formats/gguf.hpp"
#include "loquor/models/decoder.hpp"

namespace lq_test {

using namespace lq;
using Ids = std::vector<std::int32_t>;
using Row = std::vector<float>;

inline std::shared_ptr<const Decoder> load_decoder(const GgufFile& file, Compute compute) {
  ContextOptions o;
  o.threads.threads = 2;
  LoadOptions options;
  options.compute = compute;
  return Decoder::load(std::make_shared<Context>(o), file, options);
}

inline Row to_row(std::span<const float> logits) { return {logits.begin(), logits.end()}; }

// Logits at every position, the prompt read in pieces of `step`; then greedy tokens onto `greedy` until it is `n` long.
inline std::vector<Row> run(const std::shared_ptr<const Decoder>& model, const Ids& ids, std::size_t step, DType kv,
                            Ids* greedy = nullptr, std::size_t n = 0) {
  KvSequence seq(model->context(), model->kv_layout(kv));
  Decoder::Pass pass(model, step, step, ids.size() + n);
  std::vector<Row> out;
  const auto forward = [&](std::span<const std::int32_t> part) {
    const PassSegment segment{&seq, part, LogitsFor::all};
    pass.begin({&segment, 1});
    pass.run();
    for (std::size_t i = 0; i < pass.logits_rows(); ++i) out.push_back(to_row(pass.logits(i)));
  };
  for (std::size_t at = 0; at < ids.size(); at += step)
    forward(std::span(ids).subspan(at, std::min(step, ids.size() - at)));
  while (greedy && greedy->size() < n) {
    const Row& last = out.back();
    greedy->push_back(static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
    forward({&greedy->back(), 1});
  }
  return out;
}

// The prompt in a batch, cut in two passes, between other sequences of other lengths.
inline Row last_row_in_batch(const std::shared_ptr<const Decoder>& model, const Ids& ids, DType kv) {
  std::vector<KvSequence> seqs;
  for (int i = 0; i < 3; ++i) seqs.emplace_back(model->context(), model->kv_layout(kv));
  Decoder::Pass pass(model, 3 * ids.size(), 3, ids.size());
  const std::span<const std::int32_t> all(ids);
  const std::size_t half = ids.size() / 2 - 1;
  const PassSegment first[] = {{&seqs[0], all.first(5)}, {&seqs[1], all.first(half)}, {&seqs[2], all.last(70)}};
  const PassSegment second[] = {{&seqs[0], all.first(1)}, {&seqs[1], all.subspan(half)}, {&seqs[2], all.last(9)}};
  pass.begin(first);
  pass.run();
  pass.begin(second);
  pass.run();
  return to_row(pass.logits(1));
}

// The largest difference in units of the golden row's standard deviation.
inline double worst(const Row& golden, const Row& row) {
  REQUIRE(golden.size() == row.size());
  double mean = 0, square = 0, most = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    mean += static_cast<double>(golden[i]) / static_cast<double>(row.size());
    square += static_cast<double>(golden[i] * golden[i]) / static_cast<double>(row.size());
    most = std::max(most, std::abs(static_cast<double>(golden[i] - row[i])));
  }
  return most / std::sqrt(square - mean * mean);
}

inline double worst(const nlohmann::json& golden, const std::vector<Row>& rows) {
  double most = 0;
  for (const auto& [at, row] : golden.at("logits").items())
    most = std::max(most, worst(row.get<Row>(), rows.at(std::stoul(at))));
  return most;
}

}  // namespace lq_test
