// The approximate index: what it finds, what it does about rows that come and go, and what it makes of bad files.
#include "rag/graph.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <set>

#include "loquor/core/checksum.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "rag/vectors.hpp"
#include "stores.hpp"

using namespace lq;

namespace {

constexpr std::size_t kDim = 48;

std::shared_ptr<const Context> context(unsigned threads) {
  ContextOptions options;
  options.threads.threads = threads;
  return std::make_shared<Context>(std::move(options));
}

// Of length 1, in clusters, as texts are.
std::vector<float> near_some_point(Random& random) {
  std::vector<float> x(kDim);
  Random centre(7, random.next() % 50);
  double squares = 0;
  for (float& v : x) {
    v = static_cast<float>(centre.uniform() - 0.5 + 0.6 * (random.uniform() - 0.5));
    squares += static_cast<double>(v) * static_cast<double>(v);
  }
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) / std::sqrt(squares));
  return x;
}

void add(Vectors& v, std::int64_t chunk, Random& random) {
  const ByteVector b = to_bytes(near_some_point(random));
  v.add(chunk, 1, b.values, b.scale);
}

double recall(const Vectors& v, Random random, std::size_t k = 10) {
  std::size_t found = 0;
  constexpr std::size_t kQueries = 50;
  for (std::size_t i = 0; i < kQueries; ++i) {
    const auto q = near_some_point(random);
    std::set<std::int64_t> truth;
    for (const auto& f : v.nearest(q, k, {})) truth.insert(f.chunk);
    for (const auto& f : v.nearest_of_all(q, k, false)) found += truth.count(f.chunk);
  }
  return static_cast<double>(found) / static_cast<double>(k * kQueries);
}

std::string with_checksum(std::string body) {
  const std::uint64_t sum = checksum(body.data(), body.size());
  body.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  return body;
}

bool refused(Vectors& v, const std::string& bytes) {
  try {
    return !v.take_graph(bytes);
  } catch (const Error& e) {
    return e.code() == Code::bad_file;
  }
}

}  // namespace

TEST_CASE("an approximate index finds nearly all of the nearest, also as rows come and go", "[rag]") {
  const auto ctx = context(2);
  Vectors v(ctx, kDim);
  Random random(1);
  std::int64_t next = 1;
  for (; next <= 4000; ++next) add(v, next, random);
  const std::string bytes = v.make_graph({});
  CHECK(v.in_graph() == 4000);
  CHECK(recall(v, Random(2)) >= 0.97);
  for (; next <= 5000; ++next) add(v, next, random);
  CHECK(recall(v, Random(3)) >= 0.97);
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 1; i < next; ++i)
    if (i % 7) kept.push_back(i);
  v.keep_only(kept);
  for (const auto& f : v.nearest_of_all(near_some_point(random), 50, false)) CHECK(f.chunk % 7 != 0);
  CHECK(recall(v, Random(4)) >= 0.95);

  // Read by another process, which never had the removed ones.
  Vectors w(ctx, kDim);
  Random again(1);
  for (std::int64_t i = 1; i <= 5000; ++i) {
    const ByteVector b = to_bytes(near_some_point(again));
    if (i % 7) w.add(i, 1, b.values, b.scale);
  }
  REQUIRE(w.take_graph(bytes));
  CHECK(w.in_graph() == 4000 - 4000 / 7);
  CHECK(recall(w, Random(5)) >= 0.95);
  const auto q = near_some_point(random);
  const auto exact = w.nearest(q, 5, {}), same = w.nearest_of_all(q, 5, true);
  REQUIRE(exact.size() == same.size());
  for (std::size_t i = 0; i < exact.size(); ++i) CHECK(exact[i].chunk == same[i].chunk);
}

TEST_CASE("an index of which too much is gone, or that is another's, is not used", "[rag]") {
  const auto ctx = context(2);
  Vectors v(ctx, kDim), few(ctx, kDim), other(ctx, kDim);
  Random random(1);
  for (std::int64_t i = 1; i <= 300; ++i) add(v, i, random);
  const std::string bytes = v.make_graph({});
  for (std::int64_t i = 1; i <= 200; ++i) add(few, i, random);
  CHECK_FALSE(few.take_graph(bytes));
  for (std::int64_t i = 1; i <= 300; ++i) add(other, 1000 + i, random);
  CHECK_FALSE(other.take_graph(bytes));
  CHECK(other.nearest_of_all(near_some_point(random), 3, false).size() == 3);
  CHECK_THROWS_AS(v.make_graph([](std::size_t, std::size_t) { return false; }), Error);
}

TEST_CASE("damaged and made-up index files are refused, and nothing is walked that is not there", "[rag]") {
  const auto ctx = context(1);
  Vectors v(ctx, kDim);
  Random random(1);
  for (std::int64_t i = 1; i <= 120; ++i) add(v, i, random);
  const std::string good = v.make_graph({});
  REQUIRE(v.take_graph(good));
  for (const std::size_t n : {std::size_t{0}, std::size_t{7}, std::size_t{20}, good.size() / 2, good.size() - 1})
    CHECK(refused(v, good.substr(0, n)));
  std::string flipped = good;
  flipped[good.size() / 3] = static_cast<char>(flipped[good.size() / 3] ^ 1);
  CHECK(refused(v, flipped));
  // With a checksum that fits, whatever the rest says: refused, or searched without harm.
  const std::string body = good.substr(0, good.size() - 8);
  std::size_t refusals = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string bad = body;
    for (std::uint64_t n = 1 + random.next() % 3; n > 0; --n)
      bad[8 + random.next() % (bad.size() - 8)] = static_cast<char>(random.next());
    if (i % 10 == 0) bad.resize(8 + random.next() % (bad.size() - 8));
    refusals += refused(v, with_checksum(std::move(bad)));
    CHECK(v.nearest_of_all(near_some_point(random), 5, false).size() == 5);
  }
  CHECK(refusals > 500);
}

TEST_CASE("a store's index lies beside it and is used by all who open it", "[rag]") {
  const lq_test::TempFolder folder;
  const auto encoder = lq_test::tiny_encoder();
  const std::string path = folder / "x.store";
  std::vector<Document> docs;
  for (int i = 0; i < 300; ++i)
    docs.push_back(lq_test::doc("d" + std::to_string(i), "text number " + std::to_string(i * i)));
  auto s = DocumentStore::open(path, encoder);
  CHECK_THROWS_AS(s->index(), Error);  // nothing in it
  s->add(docs);
  auto reader = DocumentStore::open(path, encoder, {.read_only = true});
  const SearchOptions dense{.k = 5, .mode = SearchMode::dense}, exact{.k = 5, .mode = SearchMode::dense, .exact = true};
  reader->search("number 49", dense);
  CHECK(reader->info().indexed == 0);
  s->index();
  CHECK(s->info().indexed == 300);
  const auto keys = [](const std::vector<Hit>& hits) {
    std::set<std::string> out;
    for (const Hit& h : hits) out.insert(h.key);
    return out;
  };
  // The tiny encoder's vectors are all much alike: as near is as good.
  const auto found = reader->search("text number 49", dense), best = reader->search("text number 49", exact);
  REQUIRE((found.size() == 5 && best.size() == 5));
  CHECK(found[4].cosine == Approx(best[4].cosine).margin(0.02));
  CHECK(reader->info().indexed == 300);
  s->remove("d7");
  s->add({lq_test::doc("new", "text number 49 again")});
  CHECK(keys(reader->search("text number 49 again", dense)).count("new") == 1);
  CHECK(keys(reader->search("text number 49", {.k = 300, .mode = SearchMode::dense})).count("d7") == 0);
  auto later = DocumentStore::open(path, encoder, {.read_only = true});
  CHECK(later->search("number 49", dense).size() == 5);
  CHECK(later->info().indexed == 299);
  // Without the file, or with another's, everything is searched.
  std::remove((path + "-graph").c_str());
  auto without = DocumentStore::open(path, encoder, {.read_only = true});
  CHECK(without->search("number 49", dense).size() == 5);
  CHECK(without->info().indexed == 0);
  CHECK_THROWS_AS(without->index(), Error);  // read-only
  CHECK_THROWS_AS(DocumentStore::open(folder / "words.store", nullptr)->index(), Error);
}
