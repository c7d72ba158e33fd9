#include "lq_rag.h"

#include "report.hpp"
#include "session.hpp"

#ifdef LQ_WITH_RAG
#include <nlohmann/json.hpp>

#include "loquor/rag/answer.hpp"
#else
namespace lq {
// What stands for it in a library without stores: no handle of one is ever made.
struct DocumentStore {};
}  // namespace lq
#endif

namespace lq::capi {
namespace {

struct StoreObject final : Object {
  static constexpr Kind kKind = Kind::store;
  explicit StoreObject(std::unique_ptr<DocumentStore> s) : Object(kKind), store(std::move(s)) {}
  std::unique_ptr<DocumentStore> store;
};

#ifdef LQ_WITH_RAG

lq_report* report(std::string json) { return new_handle<ReportObject, lq_report>(std::move(json)); }

std::string text_or_empty(const Call& call, const char* text, const char* name) {
  return text ? std::string(text_arg(call, text, LQ_NTS, name)) : std::string();
}

Document document_arg(const Call& call, const lq_document& d) {
  Document out;
  LQ_CHECK(d.kind >= LQ_TEXT_PLAIN && d.kind <= LQ_TEXT_HTML, Code::invalid_argument, call.function(),
           ": a document's kind is ", d.kind);
  LQ_CHECK(d.key && d.text, Code::invalid_argument, call.function(), ": a document without key or text");
  out.key = text_or_empty(call, d.key, "documents[i].key");
  out.text = text_arg(call, d.text, d.length, "documents[i].text");
  out.title = text_or_empty(call, d.title, "documents[i].title");
  out.source = text_or_empty(call, d.source, "documents[i].source");
  out.metadata = text_or_empty(call, d.metadata, "documents[i].metadata");
  out.trust = d.trust;
  if (d.kind == LQ_TEXT_HTML) {
    std::string title;
    out.text = html_text(out.text, &title);
    if (out.title.empty()) out.title = std::move(title);
    out.kind = TextKind::markdown;
  } else {
    out.kind = static_cast<TextKind>(d.kind);
  }
  return out;
}

std::vector<Document> document_args(const Call& call, const lq_document* documents, std::size_t count) {
  std::vector<Document> out;
  if (count == 0) return out;
  const std::size_t stride = out_struct_size(call, documents, "documents[0]");
  const auto* at = reinterpret_cast<const unsigned char*>(documents);
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i, at += stride) {
    const auto d = options_arg<lq_document>(call, reinterpret_cast<const lq_document*>(at), LQ_DOCUMENT_INIT);
    LQ_CHECK(d.struct_size == stride, Code::invalid_argument, call.function(), ": documents[", i,
             "]: struct_size differs from the first one's");
    out.push_back(document_arg(call, d));
  }
  return out;
}

SearchOptions search_options(const Call& call, const lq_search_options* options) {
  const auto o = options_arg<lq_search_options>(call, options, LQ_SEARCH_OPTIONS_INIT);
  LQ_CHECK(o.mode >= LQ_SEARCH_HYBRID && o.mode <= LQ_SEARCH_WORDS, Code::invalid_argument, call.function(),
           ": options.mode is ", o.mode);
  SearchOptions s;
  s.mode = static_cast<SearchMode>(o.mode);
  if (o.k) s.k = o.k;
  s.per_document = o.per_document;
  s.filter = text_or_empty(call, o.filter, "options.filter");
  s.min_trust = o.min_trust;
  s.mmr = o.mmr;
  s.exact = o.exact != 0;
  return s;
}

AskOptions ask_options(const Call& call, const lq_ask_options* options) {
  const auto o = options_arg<lq_ask_options>(call, options, LQ_ASK_OPTIONS_INIT);
  AskOptions a;
  a.search = search_options(call, o.search);
  if (o.max_tokens) a.max_tokens = o.max_tokens;
  a.budget = o.budget;
  a.threshold = o.threshold;
  a.guards = o.no_guards == 0;
  a.instructions = text_or_empty(call, o.instructions, "options.instructions");
  if (o.cancel) a.cancel = Use<CancelObject>(call, o.cancel, "options.cancel")->flag;
  if (o.stream)
    a.stream = [fn = o.stream, user = o.stream_user](std::string_view t) { return fn(t.data(), t.size(), user) == 0; };
  return a;
}

#endif

}  // namespace
}  // namespace lq::capi

using namespace lq;
using namespace lq::capi;

extern "C" {

#ifdef LQ_WITH_RAG

lq_status lq_store_open(lq_store** out, const char* path, lq_model* encoder, const lq_store_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    std::shared_ptr<const Model> model;
    if (encoder) model = call.on<ModelObject>(encoder, "encoder").model;
    const auto o = options_arg<lq_store_options>(call, options, LQ_STORE_OPTIONS_INIT);
    LQ_CHECK(o.reserved == 0, Code::invalid_argument, call.function(), ": reserved is not 0");
    StoreOptions s;
    s.read_only = o.read_only != 0;
    s.chunk_tokens = o.chunk_tokens;
    s.overlap = o.overlap;
    s.whole_documents = o.whole_documents != 0;
    *out = new_handle<StoreObject, lq_store>(DocumentStore::open(name_arg(call, path, "path"), std::move(model), s));
  });
}

lq_status lq_store_add(lq_report** out, lq_store* store, const lq_document* documents, size_t count,
                       lq_count_fn progress, void* user, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    if (out) *out = nullptr;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    LQ_CHECK(documents || count == 0, Code::invalid_argument, call.function(), ": documents is NULL");
    const std::vector<Document> list = document_args(call, documents, count);
    std::shared_ptr<const std::atomic<bool>> flag;
    if (cancel) flag = Use<CancelObject>(call, cancel, "cancel")->flag;
    std::function<bool(std::size_t, std::size_t)> fn;
    if (progress)
      fn = [&](std::size_t done, std::size_t all) {
        return progress(static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(all), user) == 0;
      };
    const AddReport r = s.add(list, fn, flag.get());
    if (out) *out = report(to_json(r));
  });
}

lq_status lq_store_remove(int32_t* found, lq_store* store, const char* key) noexcept {
  return guard(__func__, [&](Call& call) {
    if (found) *found = 0;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    const bool there = s.remove(name_arg(call, key, "key"));
    if (found) *found = there ? 1 : 0;
  });
}

lq_status lq_store_index(lq_store* store, lq_count_fn progress, void* user, const lq_cancel* cancel) noexcept {
  return guard(__func__, [&](Call& call) {
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    std::shared_ptr<const std::atomic<bool>> flag;
    if (cancel) flag = Use<CancelObject>(call, cancel, "cancel")->flag;
    s.index([&](std::size_t done, std::size_t all) {
      if (flag && flag->load()) return false;
      return !progress || progress(static_cast<std::uint32_t>(done), static_cast<std::uint32_t>(all), user) == 0;
    });
  });
}

lq_status lq_store_text(char* out, size_t capacity, size_t* length, lq_store* store, const char* key) noexcept {
  return guard(__func__, [&](Call& call) {
    if (length) *length = 0;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    write_text(call, out, capacity, length, s.text(name_arg(call, key, "key")));
  });
}

lq_status lq_store_info(lq_report** out, lq_store* store, int32_t keys) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    std::string json = to_json(s.info());
    if (keys) {
      auto document = nlohmann::ordered_json::parse(json);
      document["keys"] = s.keys();
      json = document.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    }
    *out = report(std::move(json));
  });
}

lq_status lq_store_search(lq_report** out, lq_store* store, const char* query, size_t length,
                          const lq_search_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    const std::string text(text_arg(call, query, length, "query"));
    *out = report(to_json(s.search(text, search_options(call, options))));
  });
}

lq_status lq_store_ask(lq_report** out, lq_store* store, lq_session* session, const char* question, size_t length,
                       const lq_ask_options* options) noexcept {
  return guard(__func__, [&](Call& call) {
    out_param(call, out, "out") = nullptr;
    DocumentStore& s = *call.on<StoreObject>(store, "store").store;
    const Use<SessionObject> in(call, session, "session");
    const std::string text(text_arg(call, question, length, "question"));
    *out = report(to_json(ask(s, in->session, text, ask_options(call, options))));
  });
}

#else

namespace {
template <class... Any>
lq_status without_stores(const char* function, const Any&...) noexcept {
  return guard(function, [&](Call& call) {
    fail(Code::unsupported, call.function(), ": this library was built without stores (LQ_RAG)");
  });
}
}  // namespace

lq_status lq_store_open(lq_store** out, const char*, lq_model*, const lq_store_options*) noexcept {
  if (out) *out = nullptr;
  return without_stores(__func__);
}
lq_status lq_store_add(lq_report**, lq_store*, const lq_document*, size_t, lq_count_fn, void*,
                       const lq_cancel*) noexcept {
  return without_stores(__func__);
}
lq_status lq_store_remove(int32_t*, lq_store*, const char*) noexcept { return without_stores(__func__); }
lq_status lq_store_index(lq_store*, lq_count_fn, void*, const lq_cancel*) noexcept { return without_stores(__func__); }
lq_status lq_store_text(char*, size_t, size_t*, lq_store*, const char*) noexcept { return without_stores(__func__); }
lq_status lq_store_info(lq_report**, lq_store*, int32_t) noexcept { return without_stores(__func__); }
lq_status lq_store_search(lq_report**, lq_store*, const char*, size_t, const lq_search_options*) noexcept {
  return without_stores(__func__);
}
lq_status lq_store_ask(lq_report**, lq_store*, lq_session*, const char*, size_t, const lq_ask_options*) noexcept {
  return without_stores(__func__);
}

#endif

void lq_store_free(lq_store* store) noexcept { free_handle(store, Kind::store); }

lq_status lq_store_error(char* out, size_t capacity, size_t* length, const lq_store* store) noexcept {
  return object_error(__func__, out, capacity, length, store, Kind::store);
}

}  // extern "C"
