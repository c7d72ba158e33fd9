#include <cmath>
#include <nlohmann/json.hpp>

#include "loquor/rag/answer.hpp"

namespace lq {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json hit_json(const Hit& h) {
  Json j = {{"key", h.key}, {"title", h.title}, {"source", h.source}, {"heading", h.heading}, {"begin", h.begin},
            {"end", h.end}, {"text", h.text},   {"trust", h.trust},   {"score", h.score},     {"bm25", h.bm25}};
  j["cosine"] = std::isnan(h.cosine) ? Json() : Json(h.cosine);
  j["metadata"] = h.metadata.empty() ? Json::object() : Json::parse(h.metadata, nullptr, false);
  return j;
}

Json flags_json(unsigned flags) {
  Json out = Json::array();
  const std::pair<SourceFlag, const char*> names[] = {{SourceFlag::instructions, "instructions"},
                                                      {SourceFlag::disputed, "disputed"},
                                                      {SourceFlag::low_trust, "low_trust"},
                                                      {SourceFlag::no_room, "no_room"},
                                                      {SourceFlag::beside, "beside"}};
  for (const auto& [flag, name] : names)
    if (flags & static_cast<unsigned>(flag)) out.push_back(name);
  return out;
}

}  // namespace

std::string to_json(const std::vector<Hit>& hits) {
  Json out = Json::array();
  for (const Hit& h : hits) out.push_back(hit_json(h));
  return dump(out);
}

std::string to_json(const Answer& a) {
  Json out = {{"text", a.text}, {"abstained", a.abstained}, {"conflict", a.conflict}};
  out["citations"] = Json::array();
  for (const Citation& c : a.citations)
    out["citations"].push_back({{"number", c.number}, {"begin", c.begin}, {"end", c.end}});
  out["sources"] = Json::array();
  for (const Source& s : a.sources) {
    Json j = hit_json(s.hit);
    j["number"] = s.number;
    j["flags"] = flags_json(s.flags);
    if (!s.says.empty()) j["says"] = s.says;
    out["sources"].push_back(std::move(j));
  }
  out["prompt_tokens"] = a.prompt_tokens;
  out["answer_tokens"] = a.answer_tokens;
  return dump(out);
}

std::string to_json(const AddReport& r) {
  Json out = {{"added", r.added},
              {"replaced", r.replaced},
              {"unchanged", r.unchanged},
              {"duplicates", r.duplicates},
              {"chunks", r.chunks}};
  out["failed"] = Json::array();
  for (const auto& f : r.failed) out["failed"].push_back({{"key", f.key}, {"reason", f.reason}});
  return dump(out);
}

std::string to_json(const StoreInfo& i) {
  return dump(Json{{"documents", i.documents},
                   {"chunks", i.chunks},
                   {"dimension", i.dimension},
                   {"encoder", i.encoder},
                   {"chunk_tokens", i.chunk_tokens},
                   {"overlap", i.overlap},
                   {"whole_documents", i.whole_documents},
                   {"indexed", i.indexed}});
}

}  // namespace lq
