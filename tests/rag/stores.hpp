// What the tests of stores share. Test-only.
#pragma once

#include <sqlite3.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "hf_checkpoint.hpp"
#include "loquor/core/status.hpp"
#include "loquor/rag/store.hpp"
#include "temp_folder.hpp"

namespace lq_test {

inline std::shared_ptr<const lq::Model> tiny_encoder() {
  const TempFolder folder;
  write_hf_checkpoint(folder / ".", hf_goldens().at("encoders").at("bert"), true);
  return lq::Model::load(std::make_shared<lq::Context>(lq::ContextOptions{}), folder / ".");
}

inline lq::Document doc(const std::string& key, const std::string& text) {
  lq::Document d;
  d.key = key;
  d.text = text;
  return d;
}

inline std::vector<lq::Document> animals() {
  return {doc("cat", "The cat sleeps on the mat."), doc("dog", "A dog runs in the garden."),
          doc("fish", "Fish swim in cold water."), doc("bird", "Birds fly over the water and the garden.")};
}

inline std::vector<std::string> found(lq::DocumentStore& s, const std::string& query, lq::SearchOptions o = {}) {
  std::vector<std::string> out;
  for (const lq::Hit& h : s.search(query, o)) out.push_back(h.key);
  return out;
}

inline std::string message_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return std::string(lq::code_name(e.code())) + ": " + e.what();
  }
  return "";
}

inline void sql(const std::string& path, const char* statements) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  REQUIRE(sqlite3_exec(db, statements, nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

// "ok" if the file, its word index, and what its tables say of each other are sound.
inline std::string integrity(const std::string& path) {
  sqlite3* db = nullptr;
  sqlite3_open(path.c_str(), &db);
  std::string out;
  const int code = sqlite3_exec(
      db,
      "PRAGMA integrity_check; INSERT INTO words(words) VALUES('integrity-check');"
      "SELECT 'chunk without document' FROM chunks WHERE document NOT IN (SELECT id FROM documents);"
      "SELECT 'document without chunk' FROM documents WHERE id NOT IN (SELECT document FROM chunks);"
      "SELECT 'words of no chunk' FROM words_docsize WHERE id NOT IN (SELECT id FROM chunks);"
      "SELECT 'chunk without words' FROM chunks WHERE id NOT IN (SELECT id FROM words_docsize);",
      [](void* to, int, char** v, char**) {
        *static_cast<std::string*>(to) += v[0];
        return 0;
      },
      &out, nullptr);
  if (code != SQLITE_OK) out += sqlite3_errmsg(db);
  sqlite3_close(db);
  return out;
}

}  // namespace lq_test
