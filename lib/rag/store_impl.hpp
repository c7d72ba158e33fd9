// A store as its parts share it.
#pragma once

#include <algorithm>
#include <optional>
#include <set>

#include "loquor/generate/embedder.hpp"
#include "loquor/rag/store.hpp"
#include "sqlite.hpp"
#include "vectors.hpp"

namespace lq {

class DocumentStoreImpl final : public DocumentStore {
 public:
  DocumentStoreImpl(const std::string& path, std::shared_ptr<const Model> encoder, const StoreOptions& options);

  AddReport add(const std::vector<Document>& documents, const std::function<bool(std::size_t, std::size_t)>& progress,
                const std::atomic<bool>* cancel) override;
  bool remove(const std::string& key) override;
  void index(const std::function<bool(std::size_t, std::size_t)>& progress) override;
  StoreInfo info() override;
  std::vector<std::string> keys() override;
  std::string text(const std::string& key) override;
  std::vector<Hit> search(const std::string& query, const SearchOptions& options) override;

 private:
  struct Piece {
    Chunk range;
    std::string words;  // what is searched by words and made a vector of: heading and text
    ByteVector vector;  // empty without an encoder
  };
  struct Ready {
    const Document* document;
    std::string hash;
    bool known;  // there is one of its key
    std::vector<Piece> pieces;
  };
  struct Candidate {
    std::int64_t chunk;
    double score = 0, cosine = 0, bm25 = 0;
  };

  void open_or_make(const StoreOptions& options);
  void make(const StoreOptions& options);
  std::string encoder_name() const;
  std::optional<Ready> prepare(const Document& d, AddReport& report);
  void embed(std::vector<Ready>& group, const std::atomic<bool>* cancel);
  void write(const std::vector<Ready>& group, AddReport& report);
  void insert(const Ready& r, AddReport& report);
  bool erase(const std::string& key);
  void refresh();  // takes over what other connections wrote
  void forget_removed();
  void refresh_graph();
  std::string graph_path() const { return db_.path() + "-graph"; }
  std::vector<float> vector_of(const std::string& text);
  // Documents that a search may find; nothing: all.
  struct Allowed {
    std::vector<std::int64_t> ids;  // ascending
    bool has(std::int64_t id) const { return std::binary_search(ids.begin(), ids.end(), id); }
  };
  std::optional<Allowed> allowed(const SearchOptions& options);
  std::vector<Candidate> by_words(const std::string& query, std::size_t n, const std::optional<Allowed>& only);
  std::vector<Candidate> candidates(const std::string& query, const SearchOptions& options);
  std::vector<Candidate> chosen(std::vector<Candidate> from, const SearchOptions& options);
  Hit hit(const Candidate& c);

  sqlite::Database db_;
  std::shared_ptr<const Model> encoder_;
  std::optional<Embedder> embedder_;
  ChunkOptions chunks_;
  bool whole_ = false;
  std::optional<Vectors> vectors_;
  std::int64_t seen_version_ = -1, removals_ = 0;
  std::int64_t graph_ = 0;  // the checksum of the graph in use; 0: none was made
};

}  // namespace lq
