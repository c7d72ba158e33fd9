// Part of loquor.hpp: stores of documents.
#ifndef LOQUOR_LQ_RAG_HPP
#define LOQUOR_LQ_RAG_HPP

#include "lq_eval.hpp"
#include "lq_rag.h"

namespace loquor {

namespace detail {
template <>
inline void free_handle(lq_store* raw) noexcept {
  lq_store_free(raw);
}

// The report that a call makes, as JSON.
template <class Make>
std::string report(const Make& make) {
  Owner<lq_report> r;
  check(make(r.out()));
  const char* text = nullptr;
  std::size_t length = 0;
  check(lq_report_json(&text, &length, r.get()));
  return std::string(text, length);
}
}  // namespace detail

struct StoreOptions {
  bool read_only = false;
  std::uint32_t chunk_tokens = 0, overlap = 32;  // of a new store
  bool whole_documents = false;
};

struct Document {
  std::string key = {}, text = {}, title = {}, source = {}, metadata = {};  // metadata: a JSON object
  lq_text_kind kind = LQ_TEXT_PLAIN;
  double trust = 1;
};

struct SearchOptions {
  std::uint32_t k = 5;
  lq_search_mode mode = LQ_SEARCH_HYBRID;
  std::string filter = {};
  double min_trust = 0, mmr = 1;
  std::uint32_t per_document = 0;
  bool exact = false;

  lq_search_options raw() const {
    lq_search_options o = LQ_SEARCH_OPTIONS_INIT;
    o.k = k;
    o.mode = mode;
    o.filter = filter.empty() ? nullptr : filter.c_str();
    o.min_trust = min_trust;
    o.mmr = mmr;
    o.per_document = per_document;
    o.exact = exact;
    return o;
  }
};

struct AskOptions {
  SearchOptions search = {};
  std::uint32_t max_tokens = 200, budget = 0;
  bool guards = true;
  double threshold = 0.35;
  std::string instructions = {};
  std::function<bool(std::string_view)> stream = nullptr;  // false ends the answer
  const Cancel* cancel = nullptr;
};

// Reports are JSON, as lq_rag.h describes them.
class Store {
 public:
  explicit Store(const std::string& path, const Model* encoder = nullptr, const StoreOptions& options = {}) {
    lq_store_options o = LQ_STORE_OPTIONS_INIT;
    o.read_only = options.read_only;
    o.chunk_tokens = options.chunk_tokens;
    o.overlap = options.overlap;
    o.whole_documents = options.whole_documents;
    detail::check(lq_store_open(raw_.out(), path.c_str(), encoder ? encoder->get() : nullptr, &o));
  }

  std::string add(const std::vector<Document>& documents,
                  const std::function<bool(std::uint32_t done, std::uint32_t all)>& progress = nullptr,
                  const Cancel* cancel = nullptr) {
    using Fn = std::function<bool(std::uint32_t, std::uint32_t)>;
    std::vector<lq_document> list;
    for (const Document& d : documents) {
      lq_document raw = LQ_DOCUMENT_INIT;
      raw.kind = d.kind;
      raw.key = d.key.c_str();
      raw.text = d.text.data();
      raw.length = d.text.size();
      raw.title = d.title.c_str();
      raw.source = d.source.c_str();
      raw.metadata = d.metadata.empty() ? nullptr : d.metadata.c_str();
      raw.trust = d.trust;
      list.push_back(raw);
    }
    const lq_count_fn thunk = [](std::uint32_t done, std::uint32_t all, void* user) -> int {
      return detail::shield([&] { return (*static_cast<const Fn*>(user))(done, all); });
    };
    return detail::report([&](lq_report** out) {
      return lq_store_add(out, raw_.get(), list.data(), list.size(), progress ? thunk : nullptr,
                          const_cast<Fn*>(&progress), cancel ? cancel->get() : nullptr);
    });
  }

  void index(const std::function<bool(std::uint32_t done, std::uint32_t all)>& progress = nullptr,
             const Cancel* cancel = nullptr) {
    using Fn = std::function<bool(std::uint32_t, std::uint32_t)>;
    const lq_count_fn thunk = [](std::uint32_t done, std::uint32_t all, void* user) -> int {
      return detail::shield([&] { return (*static_cast<const Fn*>(user))(done, all); });
    };
    detail::check(lq_store_index(raw_.get(), progress ? thunk : nullptr, const_cast<Fn*>(&progress),
                                 cancel ? cancel->get() : nullptr));
  }
  bool remove(const std::string& key) {
    std::int32_t found = 0;
    detail::check(lq_store_remove(&found, raw_.get(), key.c_str()));
    return found != 0;
  }
  std::string text(const std::string& key) {
    return detail::read_text([&](auto... a) { return lq_store_text(a..., raw_.get(), key.c_str()); });
  }
  std::string info(bool keys = false) {
    return detail::report([&](lq_report** out) { return lq_store_info(out, raw_.get(), keys ? 1 : 0); });
  }
  std::string search(const std::string& query, const SearchOptions& options = {}) {
    const lq_search_options o = options.raw();
    return detail::report(
        [&](lq_report** out) { return lq_store_search(out, raw_.get(), query.data(), query.size(), &o); });
  }

  std::string ask(Session& session, const std::string& question, const AskOptions& options = {}) {
    using Fn = std::function<bool(std::string_view)>;
    const lq_search_options search = options.search.raw();
    lq_ask_options o = LQ_ASK_OPTIONS_INIT;
    o.max_tokens = options.max_tokens;
    o.budget = options.budget;
    o.no_guards = options.guards ? 0 : 1;
    o.threshold = options.threshold;
    o.instructions = options.instructions.empty() ? nullptr : options.instructions.c_str();
    o.search = &search;
    o.cancel = options.cancel ? options.cancel->get() : nullptr;
    if (options.stream) {
      o.stream = [](const char* text, std::size_t length, void* user) -> int {
        return detail::shield([&] { return (*static_cast<const Fn*>(user))(std::string_view(text, length)); });
      };
      o.stream_user = const_cast<Fn*>(&options.stream);
    }
    return detail::report([&](lq_report** out) {
      return lq_store_ask(out, raw_.get(), session.get(), question.data(), question.size(), &o);
    });
  }

  lq_store* get() const noexcept { return raw_.get(); }

 private:
  detail::Owner<lq_store> raw_;
};

}  // namespace loquor
#endif
