// Stores through the C interface and the C++ layer, over tiny models.
#include <catch2/catch.hpp>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "arguments.hpp"
#include "calls.hpp"
#include "loquor.hpp"

using namespace lq_test;

namespace {

lq_status opened(Handles& h, const std::string& path, lq_model* encoder, const lq_store_options* options) {
  lq_store* s = nullptr;
  (void)h;
  return freed(lq_store_open(&s, path.c_str(), encoder, options), s, lq_store_free);
}

template <class Change>
lq_status added(Handles& h, const Change& change) {
  lq_document d = cat_document();
  change(d);
  return lq_store_add(nullptr, h.store, &d, 1, nullptr, nullptr, nullptr);
}

template <class Change>
lq_status searched(Handles& h, const Change& change) {
  lq_report* r = nullptr;
  lq_search_options o = LQ_SEARCH_OPTIONS_INIT;
  change(o);
  return freed(lq_store_search(&r, h.store, "cat", LQ_NTS, &o), r, lq_report_free);
}

template <class Change>
lq_status asked(Handles& h, const Change& change) {
  lq_report* r = nullptr;
  lq_ask_options o = LQ_ASK_OPTIONS_INIT;
  o.max_tokens = 4;
  change(o);
  return freed(lq_store_ask(&r, h.store, h.session, "cat?", LQ_NTS, &o), r, lq_report_free);
}

const BadRow kWrong[] = {
    {"out NULL", kInvalid, [](Handles& h) { return lq_store_open(nullptr, h.path.c_str(), nullptr, nullptr); }},
    {"path NULL", kInvalid,
     [](Handles&) {
       lq_store* s = nullptr;
       return freed(lq_store_open(&s, nullptr, nullptr, nullptr), s, lq_store_free);
     }},
    {"a model that is no encoder", LQ_ERR_UNSUPPORTED,
     [](Handles& h) { return opened(h, h.path + ".s3", h.model, nullptr); }},
    {"a file that is no store", LQ_ERR_BAD_FILE, [](Handles& h) { return opened(h, h.path, nullptr, nullptr); }},
    {"no folder", LQ_ERR_IO, [](Handles& h) { return opened(h, "/nonexistent/x", nullptr, nullptr); }},
    {"reserved", kInvalid,
     [](Handles& h) {
       lq_store_options o = LQ_STORE_OPTIONS_INIT;
       o.reserved = 1;
       return opened(h, h.path + ".s4", nullptr, &o);
     }},
    {"documents NULL", kInvalid,
     [](Handles& h) { return lq_store_add(nullptr, h.store, nullptr, 1, nullptr, nullptr, nullptr); }},
    {"key NULL", kInvalid, [](Handles& h) { return added(h, [](lq_document& d) { d.key = nullptr; }); }},
    {"text NULL", kInvalid, [](Handles& h) { return added(h, [](lq_document& d) { d.text = nullptr; }); }},
    {"kind", kInvalid, [](Handles& h) { return added(h, [](lq_document& d) { d.kind = 4; }); }},
    {"document of no size", kInvalid, [](Handles& h) { return added(h, [](lq_document& d) { d.struct_size = 0; }); }},
    {"remove NULL", kInvalid, [](Handles& h) { return lq_store_remove(nullptr, h.store, nullptr); }},
    {"text of no document", LQ_ERR_NOT_FOUND,
     [](Handles& h) {
       char out[10];
       return lq_store_text(out, sizeof out, nullptr, h.store, "none");
     }},
    {"mode", kInvalid, [](Handles& h) { return searched(h, [](lq_search_options& o) { o.mode = 3; }); }},
    {"filter", kInvalid, [](Handles& h) { return searched(h, [](lq_search_options& o) { o.filter = "["; }); }},
    {"mmr", kInvalid, [](Handles& h) { return searched(h, [](lq_search_options& o) { o.mmr = 2; }); }},
    {"k", kInvalid, [](Handles& h) { return searched(h, [](lq_search_options& o) { o.k = 100000; }); }},
    {"dense without vectors", LQ_ERR_UNSUPPORTED,
     [](Handles& h) { return searched(h, [](lq_search_options& o) { o.mode = LQ_SEARCH_DENSE; }); }},
    {"query NULL", kInvalid,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_store_search(&r, h.store, nullptr, 3, nullptr), r, lq_report_free);
     }},
    {"an answer that leaves no room", kInvalid,
     [](Handles& h) { return asked(h, [](lq_ask_options& o) { o.budget = 4; }); }},
    {"ask without a session", kInvalid,
     [](Handles& h) {
       lq_report* r = nullptr;
       return freed(lq_store_ask(&r, h.store, nullptr, "cat", LQ_NTS, nullptr), r, lq_report_free);
     }},
};

}  // namespace

TEST_CASE("wrong arguments to stores are refused and change nothing", "[capi]") { run(kWrong); }

TEST_CASE("documents go in, and what is found comes out", "[capi]") {
  Handles h;
  const std::string path = h.path + ".s5";
  loquor::Context context;
  lq_store* s = nullptr;
  REQUIRE(lq_store_open(&s, path.c_str(), h.encoder, nullptr) == LQ_OK);
  lq_document d[2] = {cat_document(), LQ_DOCUMENT_INIT};
  d[1].key = "page";
  d[1].text = "<title>Dogs</title><h1>Dogs</h1><p>Dogs run.</p>";
  d[1].kind = LQ_TEXT_HTML;
  d[1].metadata = "{\"lang\":\"en\"}";
  lq_report* r = nullptr;
  REQUIRE(lq_store_add(&r, s, d, 2, nullptr, nullptr, nullptr) == LQ_OK);
  const auto json = [&] {
    const char* text = nullptr;
    REQUIRE(lq_report_json(&text, nullptr, r) == LQ_OK);
    auto out = nlohmann::json::parse(text);
    lq_report_free(r);
    r = nullptr;
    return out;
  };
  CHECK(json()["added"] == 2);
  REQUIRE(lq_store_search(&r, s, "running dogs", LQ_NTS, nullptr) == LQ_OK);
  const auto hits = json();
  CHECK(hits[0]["key"] == "page");
  CHECK(hits[0]["title"] == "Dogs");
  CHECK(hits[0]["metadata"]["lang"] == "en");
  char text[100];
  REQUIRE(lq_store_text(text, sizeof text, nullptr, s, "page") == LQ_OK);
  CHECK(std::string(text).substr(hits[0]["begin"], hits[0]["end"].get<std::size_t>() -
                                                       hits[0]["begin"].get<std::size_t>()) == hits[0]["text"]);
  int32_t found = 0;
  REQUIRE(lq_store_remove(&found, s, "cat") == LQ_OK);
  CHECK(found == 1);
  REQUIRE(lq_store_info(&r, s, 1) == LQ_OK);
  CHECK(json()["keys"] == nlohmann::json::array({"page"}));
  lq_store_free(s);
  CHECK(opened(h, path, nullptr, nullptr) == LQ_ERR_MISMATCH);
}

TEST_CASE("the C++ layer has stores", "[capi]") {
  Handles h;
  const loquor::Model model(h.path);
  loquor::Session session(model);
  loquor::Store store(h.path + ".s6");
  std::uint32_t seen = 0;
  store.add({{.key = "a", .text = "Red apples."}, {.key = "b", .text = "Green pears."}},
            [&](std::uint32_t done, std::uint32_t) { return (seen = done) > 0; });
  CHECK(seen == 2);
  CHECK(nlohmann::json::parse(store.search("apple"))[0]["key"] == "a");
  CHECK(nlohmann::json::parse(store.info())["documents"] == 2);
  std::string streamed;
  loquor::AskOptions o;
  o.max_tokens = 6;
  o.guards = false;
  o.stream = [&](std::string_view t) { return !(streamed += t).empty(); };
  const auto answer = nlohmann::json::parse(store.ask(session, "apples?", o));
  CHECK(answer["abstained"] == false);
  CHECK(answer["sources"][0]["number"] == 1);
  CHECK(nlohmann::json::parse(store.ask(session, "zebras?", o))["abstained"] == true);
  o.stream = [](std::string_view) -> bool { throw std::string("mine"); };
  CHECK_THROWS_AS(store.ask(session, "apples?", o), std::string);
  CHECK(store.remove("a"));
  CHECK_THROWS_AS(store.text("a"), loquor::Error);
}
