// Questions answered from a store's documents by a language model, with citations; and what is done about documents
// that are wrong or mean harm.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loquor/generate/session.hpp"
#include "loquor/rag/store.hpp"

namespace lq {

struct AskOptions {
  SearchOptions search;
  std::size_t max_tokens = 200;  // of the answer
  // Of prompt and answer; 0 = what the session holds. Sources that do not fit are left out, the worst first.
  std::size_t budget = 0;
  // Below this cosine of the best source nothing relevant was found, and no answer is made. Calibrated for
  // all-MiniLM-L6-v2 by examples/rag/retrieval.py; in a store without vectors: if no word is shared.
  double threshold = 0.35;
  // Sources that give orders to the model are left out; of sources that say different things, those of more trust,
  // or else the more numerous, are believed, and the rest is told of (each source is asked by itself first).
  bool guards = true;
  std::string instructions;  // "" = answer briefly, from the sources alone, and cite them
  std::shared_ptr<const std::atomic<bool>> cancel;
  std::function<bool(std::string_view text)> stream;  // pieces of the answer; false ends it
};

enum class SourceFlag : unsigned {
  instructions = 1,  // gives orders to who reads it: left out
  disputed = 2,      // says something else than the sources that are believed: left out
  low_trust = 4,     // of a document with less than half of the best source's trust
  no_room = 8,       // did not fit into the budget
  beside =
      16,  // speaks of something else: lacks names of the question, or most of the words that others share: left out
};

struct Source {
  Hit hit;
  std::size_t number = 0;  // as cited; 0: not shown to the model
  unsigned flags = 0;      // of SourceFlag
  std::string says;        // its own answer, with guards
};

struct Citation {
  std::size_t number = 0;          // of the source
  std::size_t begin = 0, end = 0;  // bytes of the answer: "[2]"
};

struct Answer {
  std::string text;
  bool abstained = false;       // nothing relevant was found, or the model found no answer in it
  bool conflict = false;        // relevant sources disagree
  std::vector<Source> sources;  // best first
  std::vector<Citation> citations;
  std::size_t prompt_tokens = 0, answer_tokens = 0;
};

// Throws as DocumentStore::search and Session::start. The session's contents are replaced. Greedy.
Answer ask(DocumentStore& store, Session& session, const std::string& question, const AskOptions& options);

// Whether a text gives orders to a model that reads it ("ignore all previous instructions ...").
bool gives_orders(std::string_view text);

std::string to_json(const Answer& answer);
std::string to_json(const std::vector<Hit>& hits);
std::string to_json(const AddReport& report);
std::string to_json(const StoreInfo& info);

}  // namespace lq
