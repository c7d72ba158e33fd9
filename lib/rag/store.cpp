#include "loquor/rag/store.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "loquor/core/checksum.hpp"
#include "loquor/core/status.hpp"
#include "store_impl.hpp"
#include "utf8.hpp"

namespace lq {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr std::int64_t kApplication = 0x6c6f7175;  // "loqu", in the file's header
constexpr std::size_t kGroup = 256;                // chunks that go into the file together

// Full-text rows are of no content of their own: the text is the document's. `removals` counts what readers cannot see
// by the largest number of a chunk alone.
constexpr const char* kSchema = R"(
CREATE TABLE settings(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE documents(id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, hash TEXT NOT NULL, title TEXT NOT NULL,
  source TEXT NOT NULL, metadata TEXT NOT NULL, kind INTEGER NOT NULL, trust REAL NOT NULL, text TEXT NOT NULL);
CREATE INDEX documents_hash ON documents(hash);
CREATE TABLE chunks(id INTEGER PRIMARY KEY AUTOINCREMENT, document INTEGER NOT NULL REFERENCES documents(id), begin INTEGER NOT NULL,
  end INTEGER NOT NULL, heading TEXT NOT NULL, scale REAL, vector BLOB);
CREATE INDEX chunks_document ON chunks(document);
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='porter unicode61 remove_diacritics 2');
)";

std::string hash_of(const Document& d) { return str(checksum(d.text.data(), d.text.size()), "-", d.text.size()); }

// Nesting is bounded: what reads the metadata again may call itself for each level.
std::string metadata_fault(const std::string& metadata) {
  constexpr int kDeepest = 100;
  constexpr std::size_t kMost = std::size_t{1} << 20;
  if (metadata.size() > kMost) return str("metadata of ", metadata.size(), " bytes, at most ", kMost);
  using Json = nlohmann::json;
  bool deep = false;
  const Json j = Json::parse(
      metadata, [&](int depth, Json::parse_event_t, Json&) { return !(deep = deep || depth > kDeepest); }, false);
  if (deep) return str("the metadata are nested over ", kDeepest, " deep");
  return j.is_object() ? "" : "the metadata are no JSON object";
}

// What is wrong with a document; "" if nothing is.
std::string fault(const Document& d) {
  if (d.key.empty()) return "no key";
  if (first_not_utf8(d.key) != d.key.size()) return "the key is not UTF-8";
  if (const std::size_t at = first_not_utf8(d.text); at != d.text.size()) return str("not UTF-8 at byte ", at);
  if (d.text.find_first_not_of(" \t\r\n") == std::string::npos) return "no text";
  if (!(d.trust >= 0 && d.trust <= 1)) return "trust is not from 0 to 1";
  if (first_not_utf8(d.title) != d.title.size() || first_not_utf8(d.source) != d.source.size())
    return "title or source is not UTF-8";
  if (!d.metadata.empty()) return metadata_fault(d.metadata);
  return "";
}

}  // namespace

std::unique_ptr<DocumentStore> DocumentStore::open(const std::string& path, std::shared_ptr<const Model> encoder,
                                                   const StoreOptions& options) {
  return std::make_unique<DocumentStoreImpl>(path, std::move(encoder), options);
}

DocumentStoreImpl::DocumentStoreImpl(const std::string& path, std::shared_ptr<const Model> encoder,
                                     const StoreOptions& options)
    : db_(path, options.read_only), encoder_(std::move(encoder)) {
  if (encoder_) embedder_.emplace(encoder_);
  open_or_make(options);
  if (embedder_) vectors_.emplace(encoder_->context(), embedder_->dimension());
}

std::string DocumentStoreImpl::encoder_name() const {
  if (!encoder_) return "";
  return str("encoder ", encoder_->encoder()->fingerprint());  // of the weights, whatever their file is called
}

void DocumentStoreImpl::open_or_make(const StoreOptions& options) {
  if (!options.read_only) db_.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;");
  const std::int64_t application = db_.number("PRAGMA application_id");
  const std::int64_t tables = db_.number("SELECT count(*) FROM sqlite_master");
  LQ_CHECK(application == kApplication || (application == 0 && tables == 0), Code::bad_file, "store '", db_.path(),
           "': an SQLite file of another program");
  if (application == 0) {
    LQ_CHECK(!options.read_only, Code::bad_file, "store '", db_.path(), "': the file is empty");
    make(options);
  }
  const std::int64_t version = db_.number("PRAGMA user_version");
  LQ_CHECK(version == kVersion, Code::unsupported, "store '", db_.path(), "': of version ", version,
           ", this library reads version ", kVersion);
  sqlite::Statement s(db_, "SELECT value FROM settings WHERE name = 'encoder'");
  const std::string made_by = s.step() ? s.text(0) : "";
  LQ_CHECK(made_by == encoder_name() || !encoder_, Code::mismatch, "store '", db_.path(), "': its vectors are of '",
           made_by, "', the encoder is '", encoder_name(), "'");
  LQ_CHECK(made_by.empty() || encoder_ || options.read_only, Code::mismatch, "store '", db_.path(),
           "': its vectors are of '", made_by, "'; without an encoder it can only be read");
  chunks_.max_tokens = static_cast<std::size_t>(db_.number("SELECT value FROM settings WHERE name = 'chunk_tokens'"));
  chunks_.overlap = static_cast<std::size_t>(db_.number("SELECT value FROM settings WHERE name = 'overlap'"));
  whole_ = db_.number("SELECT value FROM settings WHERE name = 'whole_documents'") != 0;
}

void DocumentStoreImpl::make(const StoreOptions& options) {
  constexpr std::size_t kUsual = 200, kSpecial = 2;
  std::size_t size = options.chunk_tokens ? options.chunk_tokens : kUsual;
  if (embedder_ && !options.chunk_tokens) size = std::min(size, embedder_->max_tokens() - kSpecial);
  LQ_CHECK(options.overlap < size, Code::invalid_argument, "store: chunks of ", size, " tokens that overlap by ",
           options.overlap);
  sqlite::Transaction t(db_);
  if (db_.number("PRAGMA application_id") == kApplication) return;  // made by another process meanwhile
  db_.run(kSchema);
  sqlite::Statement s(db_, "INSERT INTO settings VALUES(?, ?)");
  s.bind(1, std::string_view("encoder")).bind(2, std::string_view(encoder_name())).run();
  s.bind(1, std::string_view("chunk_tokens")).bind(2, static_cast<std::int64_t>(size)).run();
  s.bind(1, std::string_view("overlap")).bind(2, static_cast<std::int64_t>(options.overlap)).run();
  s.bind(1, std::string_view("whole_documents")).bind(2, static_cast<std::int64_t>(options.whole_documents)).run();
  db_.run(str("PRAGMA application_id = ", kApplication, "; PRAGMA user_version = ", kVersion).c_str());
  t.commit();
}

std::optional<DocumentStoreImpl::Ready> DocumentStoreImpl::prepare(const Document& d, AddReport& report) {
  if (std::string why = fault(d); !why.empty()) {
    report.failed.push_back({d.key, std::move(why)});
    return std::nullopt;
  }
  Ready r{&d, hash_of(d), false, {}};
  // The text itself is compared: a checksum can be hit on purpose, to keep another document out.
  sqlite::Statement same(db_,
                         "SELECT key, title, source, metadata, trust, kind FROM documents WHERE hash = ? AND text = ?");
  same.bind(1, std::string_view(r.hash)).bind(2, std::string_view(d.text));
  bool twin = false;
  while (same.step()) {
    if (same.text(0) != d.key) {
      twin = true;
    } else if (same.text(1) == d.title && same.text(2) == d.source && same.text(3) == d.metadata &&
               same.real(4) == d.trust && same.integer(5) == static_cast<std::int64_t>(d.kind)) {
      ++report.unchanged;
      return std::nullopt;
    }
  }
  // What is there under this key is replaced also by a text that another document has: the old text must not stay.
  sqlite::Statement known(db_, "SELECT 1 FROM documents WHERE key = ?");
  r.known = known.bind(1, std::string_view(d.key)).step();
  if (twin && !r.known) {
    ++report.duplicates;
    return std::nullopt;
  }
  const auto count = [this](std::string_view text) {
    if (encoder_) return encoder_->tokenizer()->encode(text).size();
    constexpr std::size_t kBytesPerToken = 4;  // near enough where nothing but size depends on it
    return (text.size() + kBytesPerToken - 1) / kBytesPerToken;
  };
  std::vector<Chunk> chunks = {{0, d.text.size(), d.title}};
  if (!whole_) chunks = chunk_text(d.text, d.kind, chunks_, count);
  for (Chunk& c : chunks) {
    std::string words = d.text.substr(c.begin, c.end - c.begin);
    const std::string& above = c.heading.empty() || whole_ ? d.title : c.heading;
    if (!above.empty() && !words.starts_with(above)) words = above + "\n" + words;
    r.pieces.push_back({std::move(c), std::move(words), {}});
  }
  return r;
}

void DocumentStoreImpl::embed(std::vector<Ready>& group, const std::atomic<bool>* cancel) {
  if (!embedder_) return;
  std::vector<std::string_view> texts;
  for (const Ready& r : group)
    for (const Piece& p : r.pieces) texts.push_back(p.words);
  const std::size_t d = embedder_->dimension();
  std::vector<float> out(texts.size() * d);
  embedder_->embed(texts, out.data(), cancel);
  const float* at = out.data();
  for (Ready& r : group)
    for (Piece& p : r.pieces) {
      p.vector = to_bytes({at, d});
      at += d;
    }
}

void DocumentStoreImpl::insert(const Ready& r, AddReport& report) {
  const Document& d = *r.document;
  (erase(d.key) ? report.replaced : report.added)++;
  sqlite::Statement document(
      db_, "INSERT INTO documents(key, hash, title, source, metadata, kind, trust, text) VALUES(?,?,?,?,?,?,?,?)");
  document.bind(1, std::string_view(d.key)).bind(2, std::string_view(r.hash)).bind(3, std::string_view(d.title));
  document.bind(4, std::string_view(d.source)).bind(5, std::string_view(d.metadata));
  document.bind(6, static_cast<std::int64_t>(d.kind)).bind(7, d.trust).bind(8, std::string_view(d.text)).run();
  const std::int64_t id = db_.last_id();
  sqlite::Statement chunk(db_, "INSERT INTO chunks(document, begin, end, heading, scale, vector) VALUES(?,?,?,?,?,?)");
  sqlite::Statement words(db_, "INSERT INTO words(rowid, text) VALUES(?,?)");
  for (const Piece& p : r.pieces) {
    chunk.bind(1, id).bind(2, static_cast<std::int64_t>(p.range.begin)).bind(3, static_cast<std::int64_t>(p.range.end));
    chunk.bind(4, std::string_view(p.range.heading));
    if (!p.vector.values.empty())
      chunk.bind(5, static_cast<double>(p.vector.scale)).bind_blob(6, std::as_bytes(std::span(p.vector.values)));
    chunk.run();
    words.bind(1, db_.last_id()).bind(2, std::string_view(p.words)).run();
    ++report.chunks;
  }
}

void DocumentStoreImpl::write(const std::vector<Ready>& group, AddReport& report) {
  AddReport done = report;
  sqlite::Transaction t(db_);
  for (const Ready& r : group) insert(r, done);
  t.commit();
  report = std::move(done);
}

AddReport DocumentStoreImpl::add(const std::vector<Document>& documents,
                                 const std::function<bool(std::size_t, std::size_t)>& progress,
                                 const std::atomic<bool>* cancel) {
  AddReport report;
  std::vector<Ready> group;
  std::set<std::string_view> texts, keys;  // of the group: what is not in the file yet
  std::size_t chunks = 0;
  const auto flush = [&](std::size_t done) {
    embed(group, cancel);
    if (!group.empty()) write(group, report);
    group.clear();
    texts.clear();
    keys.clear();
    chunks = 0;
    LQ_CHECK(!progress || progress(done, documents.size()), Code::cancelled, "store: stopped by the progress callback");
  };
  for (std::size_t i = 0; i < documents.size(); ++i) {
    LQ_CHECK(!cancel || !cancel->load(), Code::cancelled, "store: cancelled after ", i, " of ", documents.size(),
             " documents");
    if (keys.count(documents[i].key)) flush(i);
    if (std::optional<Ready> r = prepare(documents[i], report)) {
      if (!texts.insert(r->document->text).second && !r->known) {
        ++report.duplicates;
      } else {
        keys.insert(documents[i].key);
        chunks += r->pieces.size();
        group.push_back(std::move(*r));
      }
    }
    if (chunks >= kGroup || i + 1 == documents.size()) flush(i + 1);
  }
  return report;
}

// The row of the full-text index is removed by the words that it was made of: heading or title, and text.
bool DocumentStoreImpl::erase(const std::string& key) {
  sqlite::Statement find(db_, "SELECT id, title, text FROM documents WHERE key = ?");
  find.bind(1, std::string_view(key));
  if (!find.step()) return false;
  const std::int64_t id = find.integer(0);
  const std::string title = find.text(1), text = find.text(2);
  sqlite::Statement list(db_, "SELECT id, begin, end, heading FROM chunks WHERE document = ?");
  sqlite::Statement forget(db_, "INSERT INTO words(words, rowid, text) VALUES('delete', ?, ?)");
  list.bind(1, id);
  while (list.step()) {
    const auto begin = static_cast<std::size_t>(list.integer(1)), end = static_cast<std::size_t>(list.integer(2));
    std::string words = text.substr(begin, end - begin);
    const std::string heading = list.text(3), above = heading.empty() || whole_ ? title : heading;
    if (!above.empty() && !words.starts_with(above)) words = above + "\n" + words;
    forget.bind(1, list.integer(0)).bind(2, std::string_view(words)).run();
  }
  sqlite::Statement(db_, "DELETE FROM chunks WHERE document = ?").bind(1, id).run();
  sqlite::Statement(db_, "DELETE FROM documents WHERE id = ?").bind(1, id).run();
  db_.run("INSERT INTO settings VALUES('removals', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1");
  return true;
}

bool DocumentStoreImpl::remove(const std::string& key) {
  sqlite::Transaction t(db_);
  const bool found = erase(key);
  t.commit();
  return found;
}

StoreInfo DocumentStoreImpl::info() {
  StoreInfo i;
  i.documents = static_cast<std::size_t>(db_.number("SELECT count(*) FROM documents"));
  i.chunks = static_cast<std::size_t>(db_.number("SELECT count(*) FROM chunks"));
  i.dimension = embedder_ ? embedder_->dimension() : 0;
  i.chunk_tokens = chunks_.max_tokens;
  i.overlap = chunks_.overlap;
  i.whole_documents = whole_;
  i.indexed = vectors_ ? vectors_->in_graph() : 0;
  sqlite::Statement s(db_, "SELECT value FROM settings WHERE name = 'encoder'");
  if (s.step()) i.encoder = s.text(0);
  return i;
}

std::vector<std::string> DocumentStoreImpl::keys() {
  std::vector<std::string> out;
  sqlite::Statement s(db_, "SELECT key FROM documents ORDER BY id");
  while (s.step()) out.push_back(s.text(0));
  return out;
}

std::string DocumentStoreImpl::text(const std::string& key) {
  sqlite::Statement s(db_, "SELECT text FROM documents WHERE key = ?");
  s.bind(1, std::string_view(key));
  LQ_CHECK(s.step(), Code::not_found, "store '", db_.path(), "': no document '", key, "'");
  return s.text(0);
}

}  // namespace lq
