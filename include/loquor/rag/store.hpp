// Documents kept where they can be found again: one SQLite file with texts, chunks, vectors and a full-text index.
// Thread contract: one user at a time; any number of stores, in any number of processes, may read one file while one
// writes it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loquor/generate/model.hpp"
#include "loquor/rag/chunk.hpp"

namespace lq {

struct StoreOptions {
  bool read_only = false;
  // Of a new store; kept in it.
  std::size_t chunk_tokens = 0;  // 0 = what the encoder takes, at most 200
  std::size_t overlap = 32;
  bool whole_documents = false;  // one chunk each; the vector is of its beginning
};

struct Document {
  std::string key;   // what it is known by: a path, an address; a document of a known key replaces the one before
  std::string text;  // UTF-8
  std::string title, source;
  std::string metadata;  // "" or a JSON object, for filters
  TextKind kind = TextKind::plain;
  double trust = 1;  // 0 to 1
};

struct AddReport {
  std::size_t added = 0, replaced = 0;
  std::size_t unchanged = 0;   // the same text, title, metadata and trust under the same key
  std::size_t duplicates = 0;  // the same text under another key: left out
  std::size_t chunks = 0;      // written
  struct Failure {
    std::string key, reason;
  };
  std::vector<Failure> failed;  // left out: no UTF-8, empty, metadata that are no object
};

struct StoreInfo {
  std::size_t documents = 0, chunks = 0, dimension = 0, chunk_tokens = 0, overlap = 0;
  std::string encoder;
  bool whole_documents = false;
  std::size_t indexed = 0;  // chunks that the approximate index has, as it was last seen
};

enum class SearchMode : int {
  hybrid = 0,  // reciprocal rank fusion of both (Cormack et al. 2009, k = 60)
  dense = 1,   // cosine of vectors
  words = 2,   // BM25 of SQLite's FTS5, words stemmed
};

struct SearchOptions {
  std::size_t k = 5;
  SearchMode mode = SearchMode::hybrid;
  std::string filter = {};  // "" or a JSON object: conditions on the metadata (lib/rag/filter.hpp)
  double min_trust = 0;     // of documents
  // 1: by score alone; less: each next hit also for being unlike those before (maximal marginal relevance, Carbonell &
  // Goldstein 1998).
  double mmr = 1;
  std::size_t per_document = 0;  // most chunks of one document; 0 = any number
  bool exact = false;            // not by the approximate index, if there is one
};

struct Hit {
  std::int64_t chunk = 0;
  std::string key, title, source, heading, text, metadata;
  std::size_t begin = 0, end = 0;  // bytes of the document's text
  double trust = 1;
  double score = 0;   // by which hits are ordered; of the mode
  double cosine = 0;  // with the query; NaN in a store without vectors
  double bm25 = 0;    // 0 if no word is shared
};

class DocumentStore {
 public:
  // Opens or makes the file. `encoder` makes the vectors; null: none, and only words are searched. Throws
  // Error{mismatch} for a store of another encoder, Error{unsupported} for one of a newer version, Error{bad_file} for
  // a file that is no store, Error{io|not_found|invalid_argument|out_of_memory}.
  static std::unique_ptr<DocumentStore> open(const std::string& path, std::shared_ptr<const Model> encoder,
                                             const StoreOptions& options = {});
  virtual ~DocumentStore() = default;

  // Documents go into the file some at a time, each with all it has or not at all: what `progress` was told of (and
  // what this returns after) is kept whatever happens. False from progress and `cancel` end it with Error{cancelled}.
  // Throws Error{io} for a file that cannot be written; what was told of is kept.
  virtual AddReport add(const std::vector<Document>& documents,
                        const std::function<bool(std::size_t done, std::size_t all)>& progress = {},
                        const std::atomic<bool>* cancel = nullptr) = 0;
  virtual bool remove(const std::string& key) = 0;  // false if there is none
  // Makes an approximate index of the vectors (a file beside the store's, PATH-graph), or makes it anew: worth it from
  // some ten thousand chunks on. Searches without a filter then use it; chunks added later are searched one by one
  // beside it, those removed are left out. Throws Error{unsupported} without vectors,
  // Error{cancelled|io|out_of_memory}; the index before stays.
  virtual void index(const std::function<bool(std::size_t done, std::size_t all)>& progress = {}) = 0;
  virtual StoreInfo info() = 0;
  virtual std::vector<std::string> keys() = 0;
  virtual std::string text(const std::string& key) = 0;  // Error{not_found}

  // The best chunks first. Throws Error{invalid_argument} for a filter that is no object, Error{unsupported} for dense
  // search without vectors.
  virtual std::vector<Hit> search(const std::string& query, const SearchOptions& options) = 0;
};

}  // namespace lq
