#include "pass_input.hpp"

#include "loquor/core/status.hpp"

namespace lq {
namespace {

void check_ids(std::span<const std::int32_t> ids, std::size_t n_vocab) {
  for (const std::int32_t id : ids)
    LQ_CHECK(id >= 0 && static_cast<std::size_t>(id) < n_vocab, Code::invalid_argument, "pass: token id ", id,
             " is not in [0, ", n_vocab, ")");
}

}  // namespace

void check_batch(std::span<const PassSegment> batch, const HeadChoice& choice, const Decoder& model,
                 const PassLimits& most) {
  std::size_t rows = 0, outputs = 0;
  LQ_CHECK(!batch.empty() && batch.size() <= most.rows, Code::invalid_argument, "pass: ", batch.size(),
           " segments, expected 1 to ", most.rows);
  for (const PassSegment& s : batch) {
    LQ_CHECK(s.seq, Code::invalid_argument, "pass: a segment has no sequence");
    LQ_CHECK(!s.tokens.empty(), Code::invalid_argument, "pass: a segment has no tokens");
    const std::size_t n = s.tokens.size();
    LQ_CHECK(n <= most.rows - rows, Code::invalid_argument, "pass: more than ", most.rows, " tokens in one batch");
    rows += n;
    outputs += s.logits == LogitsFor::all ? n : s.logits == LogitsFor::last;
    LQ_CHECK(s.seq->length() <= most.context && n <= most.context - s.seq->length(), Code::context_full,
             "pass: ", s.seq->length(), " + ", n, " positions are over the context of ", most.context);
    LQ_CHECK(s.seq->layout() == model.kv_layout(s.seq->layout().type), Code::invalid_argument,
             "pass: the sequence's cache was made for another model");
    LQ_CHECK(s.seq->layout().type == batch[0].seq->layout().type, Code::invalid_argument, "pass: caches of types ",
             name(batch[0].seq->layout().type), " and ", name(s.seq->layout().type), " in one batch");
  }
  const std::size_t n_vocab = model.spec().n_vocab;
  for (const PassSegment& s : batch) check_ids(s.tokens, n_vocab);
  check_ids(choice.only, n_vocab);
  check_ids(choice.targets, n_vocab);
  const bool scores = !choice.targets.empty();
  LQ_CHECK(outputs <= (scores ? most.scores : most.logits), Code::invalid_argument, "pass: logits of ", outputs,
           " rows wanted, room for ", scores ? most.scores : most.logits);
  LQ_CHECK(!scores || (choice.targets.size() == outputs && choice.only.empty()), Code::invalid_argument,
           "pass: ", choice.targets.size(), " targets for ", outputs, " rows");
}

}  // namespace lq
