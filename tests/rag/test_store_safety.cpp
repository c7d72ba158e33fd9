// Stores under other users, on full disks, in damaged files, and killed.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "loquor/core/random.hpp"
#include "stores.hpp"

using namespace lq;
using namespace lq_test;

TEST_CASE("filters have operators, and what is none is refused by name", "[rag]") {
  const TempFolder folder;
  auto s = DocumentStore::open(folder / "x.store", nullptr);
  std::vector<Document> docs;
  for (int i = 0; i < 40; ++i) {
    docs.push_back(doc("d" + std::to_string(i), "same words here " + std::to_string(i)));
    docs.back().metadata = R"({"n": )" + std::to_string(i) + R"(, "lang": ")" + (i % 2 ? "en" : "de") +
                           R"(", "tags": ["t)" + std::to_string(i % 4) + R"("], "deep": {"x": true})" +
                           (i == 7 ? R"(, "only": null})" : "}");
  }
  docs.push_back(doc("bare", "same words here and no metadata"));
  s->add(docs);
  const auto count = [&](const std::string& filter) {
    return s->search("same words", {.k = 100, .filter = filter}).size();
  };
  CHECK(count("{}") == 41);
  CHECK(count(R"({"lang": "en"})") == 20);
  CHECK(count(R"({"lang": {"$ne": "en"}})") == 21);
  CHECK(count(R"({"other": {"$ne": "en"}})") == 41);
  CHECK(count(R"({"n": {"$gte": 10, "$lt": 15.5}})") == 6);
  CHECK(count(R"({"n": {"$gt": 10, "$lte": 12}})") == 2);
  CHECK(count(R"({"n": {"$in": [1, 2, "3"]}})") == 2);
  CHECK(count(R"({"n": {"$in": []}})") == 0);
  CHECK(count(R"({"n": "1"})") == 0);
  CHECK(count(R"({"tags": {"$contains": "t1"}})") == 10);
  CHECK(count(R"({"deep.x": true})") == 40);
  CHECK(count(R"({"deep.x": 1})") == 0);
  CHECK(count(R"({"only": {"$exists": true}})") == 1);
  CHECK(count(R"({"only": null, "n": 7})") == 1);
  CHECK(count(R"({"n": null})") == 1);
  CHECK(count(R"({"$not": {"n": {"$gt": 4}}})") == 6);
  CHECK(count(R"({"$or": [{"n": 1}, {"n": 2}], "lang": "en"})") == 1);
  CHECK(count(R"({"$and": [{"n": 1}, {"n": 2}]})") == 0);
  CHECK(count(R"({"x') OR 1=1 --": 1})") == 0);

  const auto refused = [&](const std::string& filter, const char* message) {
    CHECK_THAT(message_of([&] { count(filter); }), Catch::Contains(message));
  };
  refused("{", "filter: ");
  refused("[1]", "expected an object");
  refused(R"({"$nor": []})", "'$nor'");
  refused(R"({"a": {"$regex": "x"}})", "'$regex'");
  refused(R"({"a": {}})", "no condition");
  refused(R"({"a": {"$gt": null}})", "cannot compare");
  refused(R"({"a": [1]})", "cannot compare");
  refused(R"({"$or": {}})", "take a list");
  refused(R"({"a": {"$in": 1}})", "takes a list");
  refused(R"({"a\"b": 1})", "quotation marks");
  std::string deep = R"({"a": 1})";
  for (int i = 0; i < 30; ++i) deep = R"({"$not": )" + deep + "}";
  refused(deep, "limit");
  refused(std::string(100'000, '[') + std::string(100'000, ']'), "limit");
  std::string many = R"({"a": {"$in": [0)";
  for (int i = 0; i < 2000; ++i) many += ",1";
  refused(many + "]}}", "limit");
}

TEST_CASE("metadata that nest without end are left out, not walked into", "[rag]") {
  const TempFolder folder;
  auto s = DocumentStore::open(folder / "x.store", nullptr);
  Document deep = doc("deep", "a text"), fine = doc("fine", "another text");
  deep.metadata = R"({"a":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}";
  fine.metadata = R"({"a":)" + std::string(50, '[') + std::string(50, ']') + "}";
  const AddReport report = s->add({deep, fine});
  CHECK(report.added == 1);
  REQUIRE(report.failed.size() == 1);
  CHECK_THAT(report.failed[0].reason, Catch::Contains("nested"));
  Document open_end = deep;
  open_end.metadata.resize(100'000);
  CHECK(s->add({open_end}).failed.size() == 1);
}

TEST_CASE("a known document is replaced also by a text that another one has", "[rag]") {
  const TempFolder folder;
  auto s = DocumentStore::open(folder / "x.store", nullptr);
  s->add(animals());
  const AddReport report = s->add({doc("cat", animals()[1].text)});
  CHECK((report.replaced == 1 && report.duplicates == 0));
  CHECK(s->text("cat") == animals()[1].text);
  CHECK(found(*s, "mat", {.mode = SearchMode::words}).empty());
  s->add({doc("dog", "new text of two"), doc("fish", "new text of two")});
  CHECK(s->text("fish") == "new text of two");
}

TEST_CASE("several readers see whole states beside one writer", "[rag]") {
  const TempFolder folder;
  const std::string path = folder / "x.store";
  const auto encoder = tiny_encoder();
  auto writer = DocumentStore::open(path, encoder);
  writer->add({doc("first", "shared words zero")});
  std::atomic<bool> stop{false};
  std::atomic<int> searches{0}, wrong{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 3; ++r)
    readers.emplace_back([&, r] {
      auto reader = DocumentStore::open(path, encoder, {.read_only = true});
      std::size_t last = 0;
      for (int i = 0; !stop; ++i) {
        const SearchMode mode = (i + r) % 2 ? SearchMode::dense : SearchMode::words;
        // Documents come in pairs, and a pair in one transaction.
        const std::size_t now = reader->search("shared words", {.k = 1000, .mode = mode}).size();
        if (now % 2 != 1 || now < last) ++wrong;
        last = now;
        ++searches;
      }
    });
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i);
    writer->add({doc("a" + n, "shared words a " + n), doc("b" + n, "shared words b " + n)});
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (searches < 30 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  stop = true;
  for (std::thread& t : readers) t.join();
  CHECK(searches >= 30);
  CHECK(wrong == 0);
  // What a reader has in memory follows: chunks that are gone, chunks in other words.
  auto reader = DocumentStore::open(path, encoder, {.read_only = true});
  const SearchOptions all = {.k = 1000, .mode = SearchMode::dense};
  CHECK(reader->search("shared", all).size() == 81);
  for (const char* key : {"a1", "b2", "a3"}) writer->remove(key);
  writer->add({doc("a5", "entirely changed"), doc("new", "entirely new")});
  const auto now = found(*reader, "shared", all);
  CHECK(now.size() == 79);
  for (const char* key : {"a1", "b2", "a3"}) CHECK(std::count(now.begin(), now.end(), key) == 0);
  CHECK(std::count(now.begin(), now.end(), "new") == 1);
  const Hit hit = reader->search("entirely changed", {.k = 1, .mode = SearchMode::dense}).at(0);
  CHECK(hit.key == "a5");
  CHECK(hit.cosine > 0.999);
}

TEST_CASE("a full disk loses nothing that was stored", "[rag]") {
  const TempFolder folder;
  const std::string path = folder / "x.store";
  auto s = DocumentStore::open(path, nullptr);
  s->add(animals());
  // A limit on the size of files fails where a full disk does, but with EFBIG, which SQLite calls an I/O error.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::string big;
  for (int i = 0; i < 40'000; ++i) big += "word" + std::to_string(i) + ". ";
  for (const rlim_t size : {100'000u, 300'000u, 600'000u}) {
    const rlimit small{size, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    const std::string message = message_of([&] { s->add({doc("big", big)}); });
    const auto there = found(*s, "sleeps", {.mode = SearchMode::words});
    setrlimit(RLIMIT_FSIZE, &before);
    CHECK_THAT(message, Catch::Contains("io: ") && Catch::Contains("disk"));
    CHECK(there == std::vector<std::string>{"cat"});
    CHECK(s->info().documents == 4);
  }
  std::signal(SIGXFSZ, SIG_DFL);
  CHECK(s->add({doc("big", big)}).added == 1);
  s.reset();
  CHECK(integrity(path) == "ok");
}

TEST_CASE("a writer that another one keeps out says so, and can go on", "[rag]") {
  const TempFolder folder;
  const std::string path = folder / "x.store";
  auto s = DocumentStore::open(path, nullptr);
  s->add(animals());
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  CHECK_THAT(message_of([&] { s->remove("cat"); }), Catch::Contains("io: ") && Catch::Contains("another process"));
  CHECK(found(*s, "cat").size() == 1);  // readers are not kept out
  sqlite3_close(other);
  CHECK(s->remove("cat"));
}

TEST_CASE("files that end too early or were changed give errors", "[rag]") {
  const TempFolder folder;
  const std::string path = folder / "x.store", bad = folder / "bad.store";
  const auto encoder = tiny_encoder();
  {
    auto s = DocumentStore::open(path, encoder);
    std::vector<Document> docs;
    for (int i = 0; i < 60; ++i) docs.push_back(doc(std::to_string(i), "document number " + std::to_string(i) + " of sixty"));
    s->add(docs);
  }
  const std::string bytes = read_bytes(path);
  // Whatever is there: results or an error, and a file that is still the same.
  const auto use = [&](const std::string& content) {
    write_bytes(bad, content);
    bool failed = false;
    try {
      auto s = DocumentStore::open(bad, encoder, {.read_only = true});
      s->search("document number 7", {.k = 20});
      s->info();
      s->keys();
    } catch (const Error& e) {
      failed = true;
      CHECK(std::strlen(e.what()) > 10);
    }
    CHECK(read_bytes(bad) == content);
    return failed;
  };
  CHECK_FALSE(use(bytes));
  for (std::size_t n = 100; n < bytes.size(); n += bytes.size() / 7) CHECK(use(bytes.substr(0, n)));
  const char* more = std::getenv("LQ_MUTATIONS");
  Random random(5);
  for (int i = 0, n = more ? std::atoi(more) : 300; i < n; ++i) {
    std::string changed = bytes;
    for (std::uint64_t k = 0; k <= random.next() % 4; ++k) changed[random.next() % changed.size()] = static_cast<char>(random.next());
    use(changed);
  }
}

namespace {

std::string text_of(int document, int version) {
  std::string text = "Document " + std::to_string(document) + " in version " + std::to_string(version) + ". ";
  for (int w = 0; w < 100 + document * 8; ++w) text += "word" + std::to_string((document * 31 + w) % 997) + (w % 9 ? " " : ". ");
  return text;
}

// What add() or remove() has returned from. Version 0: removed.
struct Done {
  int document, version;
};
constexpr int kDocuments = 40;
Done step(int i) { return {i % kDocuments, i % 5 == 4 ? 0 : i + 1}; }

[[noreturn]] void work_until_killed(const std::string& path, int out, int first) {
  try {
    auto s = DocumentStore::open(path, nullptr);
    for (int i = first;; ++i) {
      const Done done = step(i);
      const std::string key = "d" + std::to_string(done.document);
      if (done.version)
        s->add({doc(key, text_of(done.document, done.version))});
      else
        s->remove(key);
      if (write(out, &done, sizeof done) != sizeof done) _exit(3);
    }
  } catch (...) {
    _exit(2);
  }
}

}  // namespace

TEST_CASE("a process killed while it adds, replaces and removes leaves what it told of", "[rag]") {
  const TempFolder folder;
  const std::string path = folder / "x.store";
  const char* more = std::getenv("LQ_KILLS");
  Random random(11);
  std::vector<int> state(kDocuments, 0);
  int next = 0;
  const int rounds = more ? std::atoi(more) : 15;
  for (int round = 0; round < rounds; ++round) {
    int pipes[2];
    REQUIRE(pipe(pipes) == 0);
    const pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) work_until_killed(path, pipes[1], next);
    close(pipes[1]);
    usleep(static_cast<useconds_t>(2000 + random.next() % 60'000));
    kill(pid, SIGKILL);
    int status = 0;
    waitpid(pid, &status, 0);
    REQUIRE(WIFSIGNALED(status));  // and not ended by an error
    for (Done done; read(pipes[0], &done, sizeof done) == sizeof done; ++next)
      state[static_cast<std::size_t>(done.document)] = done.version;
    close(pipes[0]);
    auto s = DocumentStore::open(path, nullptr);
    const auto keys = s->keys();
    const Done pending = step(next);  // may have been done as well
    for (int i = 0; i < kDocuments; ++i) {
      const std::string key = "d" + std::to_string(i);
      int& version = state[static_cast<std::size_t>(i)];
      const bool there = std::count(keys.begin(), keys.end(), key) > 0;
      INFO("round " << round << ", document " << i << ", version " << version);
      if (i == pending.document && version != pending.version &&
          (pending.version ? there && s->text(key) == text_of(i, pending.version) : !there)) {
        version = pending.version;
        ++next;
      }
      REQUIRE(there == (version > 0));
      if (there) REQUIRE(s->text(key) == text_of(i, version));
    }
    s.reset();
    REQUIRE(integrity(path) == "ok");
  }
  CHECK(next > rounds);
}
