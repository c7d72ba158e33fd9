// Grammars of requests: compiled once for all that ask for the same.
#include <list>
#include <mutex>

#include "openai.hpp"

namespace server {
namespace {

constexpr std::size_t kKept = 64;

class Kept {
 public:
  template <class Make>
  std::shared_ptr<const loquor::Grammar> get(const std::string& key, const char* param, const Make& make) {
    const std::lock_guard lock(mutex_);
    for (auto at = grammars_.begin(); at != grammars_.end(); ++at) {
      if (at->first != key) continue;
      grammars_.splice(grammars_.begin(), grammars_, at);
      return at->second;
    }
    try {
      grammars_.emplace_front(key, std::make_shared<const loquor::Grammar>(make()));
    } catch (const loquor::Error& e) {
      throw ApiError(400, e.what(), param, e.status() == LQ_ERR_UNSUPPORTED ? "unsupported_schema" : "");
    }
    if (grammars_.size() > kKept) grammars_.pop_back();
    return grammars_.front().second;
  }

 private:
  std::mutex mutex_;
  std::list<std::pair<std::string, std::shared_ptr<const loquor::Grammar>>> grammars_;  // used last comes first
};

Kept& kept() {
  static Kept all;
  return all;
}

}  // namespace

std::shared_ptr<const loquor::Grammar> grammar_of_format(const Json& format) {
  const auto type = format.is_object() ? format.find("type") : format.end();
  const std::string name =
      format.is_object() && type != format.end() && type->is_string() ? type->get<std::string>() : "";
  if (name == "text") return nullptr;
  std::string schema;
  if (name == "json_object") {
    schema = R"({"type":"object"})";
  } else if (name == "json_schema") {
    const auto at = format.find("json_schema");
    if (at == format.end() || !at->is_object() || !at->contains("schema"))
      throw ApiError(400, "'response_format.json_schema.schema' is missing", "response_format");
    schema = (*at)["schema"].dump();
  } else {
    throw ApiError(400, "'response_format.type' must be text, json_object or json_schema", "response_format.type");
  }
  return kept().get(schema, "response_format", [&] { return loquor::Grammar::json_schema(schema); });
}

std::shared_ptr<const loquor::Grammar> grammar_of_tools(const Json& tools, const std::string& choice, bool parallel) {
  const std::string text = tools.dump();
  return kept().get(choice + (parallel ? " + " : " ") + text, "tools",
                    [&] { return loquor::Grammar::tools(text, choice.c_str(), parallel); });
}

}  // namespace server
