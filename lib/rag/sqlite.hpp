// SQLite as the store uses it: statements that end when they go out of scope, errors as Error. A connection is used by
// one thread at a time.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lq::sqlite {

class Database {
 public:
  // Throws Error{io|bad_file|not_found}.
  Database(const std::string& path, bool read_only);
  void run(const char* sql);  // several statements, no results
  std::int64_t number(const char* sql);
  std::int64_t last_id() const noexcept { return sqlite3_last_insert_rowid(db_.get()); }
  std::int64_t changes() const noexcept { return sqlite3_changes64(db_.get()); }
  sqlite3* get() const noexcept { return db_.get(); }
  const std::string& path() const noexcept { return path_; }
  // Throws what the last failure was.
  [[noreturn]] void fail(int code) const;

 private:
  struct Close {
    void operator()(sqlite3* db) const noexcept { sqlite3_close_v2(db); }
  };
  int open(int flags, const char* query);
  std::string path_;
  std::unique_ptr<sqlite3, Close> db_;
};

class Statement {
 public:
  Statement(Database& db, const char* sql);
  Statement& bind(int i, std::int64_t value);
  Statement& bind(int i, double value);
  Statement& bind(int i, std::string_view text);  // copied
  Statement& bind_blob(int i, std::span<const std::byte> bytes);
  bool step();  // true: a row
  void run();   // to the end, then ready to be bound anew
  void reset();
  std::int64_t integer(int column) const noexcept { return sqlite3_column_int64(s_.get(), column); }
  double real(int column) const noexcept { return sqlite3_column_double(s_.get(), column); }
  std::string text(int column) const;
  std::span<const std::byte> blob(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* s) const noexcept { sqlite3_finalize(s); }
  };
  Statement& check(int code);
  Database& db_;
  std::unique_ptr<sqlite3_stmt, Finalize> s_;
};

// Rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& db) : db_(db) { db_.run("BEGIN IMMEDIATE"); }
  ~Transaction() {
    if (!done_) sqlite3_exec(db_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
  Transaction(const Transaction&) = delete;
  void commit() {
    db_.run("COMMIT");
    done_ = true;
  }

 private:
  Database& db_;
  bool done_ = false;
};

}  // namespace lq::sqlite
