#include "sqlite.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "loquor/core/status.hpp"

namespace lq::sqlite {
namespace {

Code code_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_SCHEMA:
    case SQLITE_FORMAT:
      return Code::bad_file;
    case SQLITE_NOMEM:
      return Code::out_of_memory;
    case SQLITE_TOOBIG:
      return Code::limit;
    case SQLITE_INTERRUPT:
      return Code::cancelled;
    case SQLITE_CANTOPEN:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return Code::io;
    default:
      return Code::internal;
  }
}

}  // namespace

namespace {

// '?', '#' and '%' mean something in an address.
std::string address(const std::string& path, const char* query) {
  std::string out = "file:";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      out += '%';
      out += "0123456789ABCDEF"[static_cast<unsigned char>(c) >> 4];
      out += "0123456789ABCDEF"[static_cast<unsigned char>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + query;
}

}  // namespace

int Database::open(int flags, const char* query) {
  db_.reset();
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(address(path_, query).c_str(), &raw,
                                   flags | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, nullptr);
  db_.reset(raw);
  if (code != SQLITE_OK) return code;
  sqlite3_extended_result_codes(raw, 1);
  constexpr int kPatience = 5000;  // milliseconds for another writer to finish
  sqlite3_busy_timeout(raw, kPatience);
  return sqlite3_exec(raw, "SELECT 1 FROM sqlite_master", nullptr, nullptr, nullptr);
}

Database::Database(const std::string& path, bool read_only) : path_(path) {
  LQ_CHECK(!path.empty() && path.find('\0') == std::string::npos, Code::invalid_argument,
           "store: the path is empty or holds NUL");
  int code = open(read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "");
  // A log cannot be shared in a folder that cannot be written; if there is none, nobody writes, and none is needed.
  struct stat info;
  const bool log = ::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0;
  if (read_only && !log && ((code & 0xFF) == SQLITE_CANTOPEN || (code & 0xFF) == SQLITE_READONLY))
    code = open(SQLITE_OPEN_READONLY, "?immutable=1");
  if (code != SQLITE_OK) fail(code);
  // What a file from elsewhere defines (triggers, views) must not be able to do anything.
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
}

void Database::fail(int code) const {
  const int os = db_ ? sqlite3_system_errno(db_.get()) : 0;
  const int kind = code & 0xFF;
  const bool full = kind == SQLITE_FULL || (kind == SQLITE_IOERR && (os == ENOSPC || os == EDQUOT || os == EFBIG));
  const char* why = kind == SQLITE_BUSY || kind == SQLITE_LOCKED ? "another process is writing it: "
                    : full                                       ? "the disk is full, or files may be no larger: "
                                                                 : "";
  const bool tell = os && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN);
  lq::fail(code_of(code), "store '", path_, "': ", why, db_ ? sqlite3_errmsg(db_.get()) : sqlite3_errstr(code),
           tell ? str(": ", std::strerror(os)) : std::string());
}

void Database::run(const char* sql) {
  const int code = sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::int64_t Database::number(const char* sql) {
  Statement s(*this, sql);
  return s.step() ? s.integer(0) : 0;
}

Statement::Statement(Database& db, const char* sql) : db_(db) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v2(db.get(), sql, -1, &raw, nullptr);
  s_.reset(raw);
  if (code != SQLITE_OK) db_.fail(code);
}

Statement& Statement::check(int code) {
  if (code != SQLITE_OK) db_.fail(code);
  return *this;
}

Statement& Statement::bind(int i, std::int64_t value) { return check(sqlite3_bind_int64(s_.get(), i, value)); }
Statement& Statement::bind(int i, double value) { return check(sqlite3_bind_double(s_.get(), i, value)); }
Statement& Statement::bind(int i, std::string_view text) {
  return check(
      sqlite3_bind_text64(s_.get(), i, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}
Statement& Statement::bind_blob(int i, std::span<const std::byte> bytes) {
  return check(sqlite3_bind_blob64(s_.get(), i, bytes.data(), bytes.size(), SQLITE_TRANSIENT));
}

bool Statement::step() {
  const int code = sqlite3_step(s_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    sqlite3_reset(s_.get());
    db_.fail(code);
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(s_.get());
  sqlite3_clear_bindings(s_.get());
}

std::string Statement::text(int column) const {
  const unsigned char* s = sqlite3_column_text(s_.get(), column);
  return s ? std::string(reinterpret_cast<const char*>(s),
                         static_cast<std::size_t>(sqlite3_column_bytes(s_.get(), column)))
           : std::string();
}

std::span<const std::byte> Statement::blob(int column) const {
  const void* p = sqlite3_column_blob(s_.get(), column);
  return {static_cast<const std::byte*>(p), p ? static_cast<std::size_t>(sqlite3_column_bytes(s_.get(), column)) : 0};
}

}  // namespace lq::sqlite
