#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "filter.hpp"
#include "loquor/core/atomic_file.hpp"
#include "loquor/core/status.hpp"
#include "store_impl.hpp"
#include "wording.hpp"

namespace lq {
namespace {

// The words of a question as FTS5 is asked for any of them: quoted, so that nothing in them is syntax. Function words
// count only if there are no others.
std::string any_of_words(const std::string& query) {
  constexpr std::size_t kMost = 64;
  std::vector<std::string> words = content_words(query);
  if (words.empty()) words = all_words(query);
  std::set<std::string> seen;
  std::string out;
  for (const std::string& word : words)
    if (seen.size() < kMost && seen.insert(word).second) out += (out.empty() ? "\"" : " OR \"") + word + "\"";
  return out;
}

}  // namespace

// What changed since the last look: chunks that are gone are forgotten, those after the last known one are added.
// Numbers of chunks are never used again.
void DocumentStoreImpl::refresh() {
  if (!vectors_) return;
  const std::int64_t version = db_.number("PRAGMA data_version");
  const std::int64_t removals = db_.number("SELECT value FROM settings WHERE name = 'removals'");
  const std::int64_t last = db_.number("SELECT max(id) FROM chunks");
  if (version == seen_version_ && removals == removals_ && last == vectors_->last()) return;
  if (removals != removals_) forget_removed();
  sqlite::Statement s(db_,
                      "SELECT id, document, scale, vector FROM chunks WHERE id > ? AND vector IS NOT NULL ORDER BY id");
  s.bind(1, vectors_->last());
  while (s.step()) {
    const auto bytes = s.blob(3);
    LQ_CHECK(bytes.size() == vectors_->dimension(), Code::bad_file, "store '", db_.path(), "': chunk ", s.integer(0),
             " has a vector of ", bytes.size(), " numbers, expected ", vectors_->dimension());
    vectors_->add(s.integer(0), s.integer(1), {reinterpret_cast<const std::int8_t*>(bytes.data()), bytes.size()},
                  static_cast<float>(s.real(2)));
  }
  refresh_graph();
  seen_version_ = version;
  removals_ = removals;
}

// The graph that the store says it has, if its file is there and whole; else vectors are searched one by one.
void DocumentStoreImpl::refresh_graph() {
  const std::int64_t made = db_.number("SELECT value FROM settings WHERE name = 'graph'");
  if (made == graph_ && (!made || vectors_->in_graph())) return;
  graph_ = made;
  vectors_->drop_graph();
  std::ifstream in(graph_path(), std::ios::binary);
  if (!made || !in) return;
  const std::string bytes(std::istreambuf_iterator<char>(in), {});
  std::int64_t sum = 0;
  if (bytes.size() > sizeof sum) std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
  if (sum != made) return;
  try {
    vectors_->take_graph(bytes);
  } catch (const Error& e) {
    if (e.code() != Code::bad_file) throw;
  }
}

void DocumentStoreImpl::index(const std::function<bool(std::size_t, std::size_t)>& progress) {
  LQ_CHECK(vectors_, Code::unsupported, "store '", db_.path(),
           "': no vectors to index: it was opened without an encoder");
  refresh();
  LQ_CHECK(vectors_->size(), Code::invalid_argument, "store '", db_.path(), "': nothing to index");
  const std::string bytes = vectors_->make_graph(progress);
  std::int64_t sum = 0;
  std::memcpy(&sum, bytes.data() + bytes.size() - sizeof sum, sizeof sum);
  AtomicFile file(graph_path());
  file.expect(bytes.size());
  file.write(bytes.data(), bytes.size());
  file.commit();
  // A crash before this leaves a file that nobody asks for.
  sqlite::Transaction t(db_);
  sqlite::Statement s(db_, "INSERT OR REPLACE INTO settings VALUES('graph', ?)");
  s.bind(1, sum).run();
  t.commit();
  graph_ = sum;
}

void DocumentStoreImpl::forget_removed() {
  if (vectors_->size() == 0) return;
  std::vector<std::int64_t> there;
  there.reserve(vectors_->size());
  // The index is small, the table holds the vectors.
  sqlite::Statement s(db_, "SELECT id FROM chunks INDEXED BY chunks_document");
  while (s.step()) there.push_back(s.integer(0));
  std::sort(there.begin(), there.end());
  vectors_->keep_only(there);
  constexpr std::size_t kFewDead = 4096;
  if (vectors_->dead() > kFewDead + vectors_->size() / 4) vectors_->clear();
}

std::vector<float> DocumentStoreImpl::vector_of(const std::string& text) {
  std::vector<float> v(embedder_->dimension());
  const std::string_view view = text;
  embedder_->embed({&view, 1}, v.data());
  return v;
}

std::optional<DocumentStoreImpl::Allowed> DocumentStoreImpl::allowed(const SearchOptions& o) {
  const FilterSql filter = parse_filter(o.filter);
  if (filter.sql.empty() && o.min_trust <= 0) return std::nullopt;
  std::string sql = "SELECT id FROM documents WHERE trust >= ?";
  if (!filter.sql.empty()) sql += " AND " + filter.sql;
  sqlite::Statement s(db_, (sql + " ORDER BY id").c_str());
  s.bind(1, o.min_trust);
  filter.bind(s, 2);
  Allowed out;
  while (s.step()) out.ids.push_back(s.integer(0));
  return out;
}

std::vector<DocumentStoreImpl::Candidate> DocumentStoreImpl::by_words(const std::string& query, std::size_t n,
                                                                      const std::optional<Allowed>& only) {
  const std::string match = any_of_words(query);
  if (match.empty()) return {};
  sqlite::Statement s(db_, only ? "SELECT w.rowid, bm25(words), c.document FROM words w JOIN chunks c ON c.id = "
                                  "w.rowid WHERE words MATCH ? ORDER BY rank"
                                : "SELECT rowid, bm25(words) FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?");
  s.bind(1, std::string_view(match));
  if (!only) s.bind(2, static_cast<std::int64_t>(n));
  std::vector<Candidate> out;
  while (out.size() < n && s.step()) {
    if (only && !only->has(s.integer(2))) continue;
    Candidate c{s.integer(0)};
    c.bm25 = c.score = -s.real(1);
    out.push_back(c);
  }
  return out;
}

std::vector<DocumentStoreImpl::Candidate> DocumentStoreImpl::candidates(const std::string& query,
                                                                        const SearchOptions& o) {
  const std::size_t n = std::max<std::size_t>(100, 4 * o.k);
  const auto only = allowed(o);
  std::map<std::int64_t, Candidate> all;
  constexpr double kRank = 60;
  const bool fuse = o.mode == SearchMode::hybrid && vectors_;
  if (o.mode != SearchMode::dense) {
    const auto words = by_words(query, n, only);
    for (std::size_t i = 0; i < words.size(); ++i) {
      Candidate c = words[i];
      if (fuse) c.score = 1 / (kRank + static_cast<double>(i + 1));
      all[c.chunk] = c;
    }
  }
  std::vector<float> v;
  if (vectors_ && o.mode != SearchMode::words) {
    v = vector_of(query);
    std::function<bool(std::int64_t)> wanted;
    if (only) wanted = [&](std::int64_t document) { return only->has(document); };
    const auto found = only ? vectors_->nearest(v, n, wanted) : vectors_->nearest_of_all(v, n, o.exact);
    for (std::size_t i = 0; i < found.size(); ++i) {
      Candidate& c = all.try_emplace(found[i].chunk, Candidate{found[i].chunk}).first->second;
      c.score += fuse ? 1 / (kRank + static_cast<double>(i + 1)) : static_cast<double>(found[i].cosine);
    }
  }
  std::vector<Candidate> out;
  for (auto& [chunk, c] : all) {
    c.cosine = v.empty() ? std::nan("") : static_cast<double>(vectors_->cosine(v, chunk));
    out.push_back(c);
  }
  std::stable_sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
  return out;
}

// Of the candidates, best first, k that are good and unlike one another.
std::vector<DocumentStoreImpl::Candidate> DocumentStoreImpl::chosen(std::vector<Candidate> from,
                                                                    const SearchOptions& o) {
  std::vector<Candidate> out;
  std::map<std::int64_t, std::size_t> used;
  sqlite::Statement document(db_, "SELECT document FROM chunks WHERE id = ?");
  const double top = from.empty() || from[0].score <= 0 ? 1 : from[0].score;
  std::vector<double> alike(from.size(), 0);
  std::vector<bool> gone(from.size(), false);
  while (out.size() < o.k) {
    std::size_t best = from.size();
    double value = 0;
    for (std::size_t i = 0; i < from.size(); ++i) {
      const double v = o.mmr * from[i].score / top - (1 - o.mmr) * alike[i];
      if (!gone[i] && (best == from.size() || v > value)) best = i, value = v;
    }
    if (best == from.size()) break;
    gone[best] = true;
    if (o.per_document) {
      document.bind(1, from[best].chunk);
      const std::int64_t id = document.step() ? document.integer(0) : 0;
      document.reset();
      if (used[id]++ >= o.per_document) continue;
    }
    out.push_back(from[best]);
    if (o.mmr < 1 && vectors_)
      for (std::size_t i = 0; i < from.size(); ++i)
        if (!gone[i])
          alike[i] = std::max(alike[i], static_cast<double>(vectors_->cosine(from[best].chunk, from[i].chunk)));
  }
  return out;
}

Hit DocumentStoreImpl::hit(const Candidate& c) {
  sqlite::Statement s(db_,
                      "SELECT d.key, d.title, d.source, c.heading, d.text, d.metadata, c.begin, c.end, d.trust FROM "
                      "chunks c JOIN documents d ON d.id = c.document WHERE c.id = ?");
  s.bind(1, c.chunk);
  Hit h;
  if (!s.step()) return h;
  h.chunk = c.chunk;
  h.key = s.text(0);
  h.title = s.text(1);
  h.source = s.text(2);
  h.heading = s.text(3);
  h.metadata = s.text(5);
  h.begin = static_cast<std::size_t>(s.integer(6));
  h.end = static_cast<std::size_t>(s.integer(7));
  h.text = s.text(4).substr(h.begin, h.end - h.begin);
  h.trust = s.real(8);
  h.score = c.score;
  h.cosine = c.cosine;
  h.bm25 = c.bm25;
  return h;
}

std::vector<Hit> DocumentStoreImpl::search(const std::string& query, const SearchOptions& o) {
  LQ_CHECK(o.k > 0 && o.k <= 10000, Code::invalid_argument, "search: k is ", o.k, ", expected 1 to 10000");
  LQ_CHECK(o.mmr >= 0 && o.mmr <= 1, Code::invalid_argument, "search: mmr is ", o.mmr, ", expected 0 to 1");
  LQ_CHECK(vectors_ || o.mode != SearchMode::dense, Code::unsupported,
           "search: the store was opened without an encoder; it can be searched by words");
  // One view of the file from the first query to the last, whoever writes meanwhile.
  db_.run("BEGIN");
  struct End {
    sqlite::Database& db;
    ~End() { sqlite3_exec(db.get(), "ROLLBACK", nullptr, nullptr, nullptr); }
  } const end{db_};
  refresh();
  std::vector<Hit> out;
  for (const Candidate& c : chosen(candidates(query, o), o)) out.push_back(hit(c));
  return out;
}

}  // namespace lq
