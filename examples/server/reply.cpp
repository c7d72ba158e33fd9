// What clients get.
#include <algorithm>
#include <ctime>
#include <numeric>
#include <random>
#include <utility>

#include "openai.hpp"

namespace server {
namespace {

std::string new_id(const char* prefix) {
  std::random_device random;
  std::string id = prefix;
  for (int i = 0; i < 24; ++i) id += "0123456789abcdefghijklmnopqrstuvwxyz"[random() % 36];
  return id;
}

Json finish_name(End end, bool calls = false) {
  if (end == End::none) return nullptr;
  if (calls) return "tool_calls";
  return end == End::length ? "length" : "stop";
}

std::string event(const Json& json) { return "data: " + dump(json) + "\n\n"; }

// Characters, as clients count offsets: bytes that do not go on with one.
std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Json ApiError::body() const {
  const char* type = status == 401   ? "authentication_error"
                     : status == 429 ? "rate_limit_error"
                     : status < 500  ? "invalid_request_error"
                                     : "server_error";
  const auto text = [](const std::string& s) { return s.empty() ? Json(nullptr) : Json(s); };
  return {{"error", {{"message", what()}, {"type", type}, {"param", text(param)}, {"code", text(code)}}}};
}

Reply::Reply(const Request& request, const loquor::Model& model, std::string name)
    : chat_(request.chat),
      tools_(request.tools),
      include_usage_(request.include_usage),
      logprobs_(request.logprobs),
      top_(request.top_logprobs),
      model_(model),
      name_(std::move(name)),
      id_(new_id(request.chat ? "chatcmpl-" : "cmpl-")),
      echo_(request.echo),
      created_(std::time(nullptr)),
      choices_(request.work.prompts.size() * request.work.choices),
      open_(choices_.size()),
      per_prompt_(request.work.choices),
      prompt_tokens_(request.work.prompts.size()),
      reused_tokens_(request.work.prompts.size()) {
  if (echo_.empty()) return;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    choices_[i].text = echo_[i / per_prompt_];
    choices_[i].offset = characters(choices_[i].text);
  }
}

Json Reply::head(const char* object) const {
  return {{"id", id_}, {"object", object}, {"created", created_}, {"model", name_}};
}

Json Reply::token(std::int32_t id, float logprob) const {
  const std::string bytes = model_.token_text(id);
  Json list = Json::array();
  for (const char c : bytes) list.push_back(static_cast<unsigned char>(c));
  return {{"token", bytes}, {"logprob", std::max(logprob, -9999.0f)}, {"bytes", std::move(list)}};
}

// Of one token, in the shape of the API that was asked. Completions have four lists, and offsets into the text.
Json Reply::logprobs(const Update& u, Choice& choice) const {
  const std::size_t top = std::min<std::size_t>(top_, u.top.size());
  if (chat_) {
    Json entry = token(u.token, u.logprob), list = Json::array();
    for (std::size_t i = 0; i < top; ++i) list.push_back(token(u.top[i].token, u.top[i].logprob));
    entry["top_logprobs"] = std::move(list);
    return Json::array({std::move(entry)});
  }
  Json best = Json::object();
  for (std::size_t i = 0; i < top; ++i) best[model_.token_text(u.top[i].token)] = std::max(u.top[i].logprob, -9999.0f);
  const std::string text = model_.token_text(u.token);
  const std::size_t offset = choice.offset;
  choice.offset += characters(text);
  return Json::array({{{"token", text}, {"logprob", u.logprob}, {"top", std::move(best)}, {"offset", offset}}});
}

namespace {

// The lists of one or many tokens as the API wants them.
Json shape(bool chat, const Json& entries) {
  if (chat) return {{"content", entries}, {"refusal", nullptr}};
  Json out = {{"tokens", Json::array()},
              {"token_logprobs", Json::array()},
              {"top_logprobs", Json::array()},
              {"text_offset", Json::array()}};
  for (const Json& e : entries) {
    out["tokens"].push_back(e["token"]);
    out["token_logprobs"].push_back(e["logprob"]);
    out["top_logprobs"].push_back(e["top"]);
    out["text_offset"].push_back(e["offset"]);
  }
  return out;
}

}  // namespace

Json Reply::chunk(std::size_t choice, Json delta, Json logprobs, Json finish) const {
  Json out = head(chat_ ? "chat.completion.chunk" : "text_completion");
  Json c = {{"index", choice}};
  if (chat_)
    c["delta"] = std::move(delta);
  else
    c["text"] = delta.value("content", "");
  c["logprobs"] = std::move(logprobs);
  c["finish_reason"] = std::move(finish);
  out["choices"] = Json::array({std::move(c)});
  if (include_usage_) out["usage"] = nullptr;
  return out;
}

Json Reply::usage() const {
  const auto prompts = std::accumulate(prompt_tokens_.begin(), prompt_tokens_.end(), std::uint64_t{0});
  const auto reused = std::accumulate(reused_tokens_.begin(), reused_tokens_.end(), std::uint64_t{0});
  return {{"prompt_tokens", prompts},
          {"completion_tokens", generated_},
          {"total_tokens", prompts + generated_},
          {"prompt_tokens_details", {{"cached_tokens", reused}}}};
}

std::string Reply::begin_stream() {
  std::string out;
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    if (chat_)
      out += event(chunk(i, {{"role", "assistant"}, {"content", ""}}, nullptr, nullptr));
    else if (!choices_[i].text.empty())
      out += event(chunk(i, {{"content", choices_[i].text}}, nullptr, nullptr));
  }
  return out;
}

// What every update means for the counts, streaming or not.
void Reply::take(const Update& u) {
  if (u.end == End::none) return;
  choices_[u.choice].end = u.end;
  --open_;
  prompt_tokens_[u.choice / per_prompt_] = u.prompt_tokens;
  auto& reused = reused_tokens_[u.choice / per_prompt_];
  reused = std::max(reused, u.reused_tokens);
  generated_ += u.generated_tokens;
  if (error_) return;
  if (u.end == End::failed) error_.emplace(500, u.error);
  if (u.end == End::timeout) error_.emplace(504, "the request took longer than this server allows", "", "timeout");
  if (u.end == End::cancelled) error_.emplace(503, "the server is stopping");
}

// What can be sent of a stream's text: not the beginning of an answer that is or may become calls.
std::string Reply::hold_back(Choice& c, std::string text) const {
  constexpr std::string_view kCall = "<tool_call>";
  if (!tools_ || c.plain) return text;
  c.held += text;
  if (kCall.starts_with(c.held) || std::string_view(c.held).starts_with(kCall)) return {};
  c.plain = true;
  return std::exchange(c.held, {});
}

// The calls in an answer, in the API's shape; null if there are none.
Json Reply::calls(const std::string& text) const {
  if (!tools_) return nullptr;
  const Json found = Json::parse(loquor::tool_calls_json(text));
  if (found["tool_calls"].empty()) return nullptr;
  Json out = {{"content", found["content"]}, {"tool_calls", Json::array()}};
  for (const Json& call : found["tool_calls"])
    out["tool_calls"].push_back({{"id", new_id("call_")},
                                 {"type", "function"},
                                 {"function", {{"name", call["name"]}, {"arguments", dump(call["arguments"])}}}});
  return out;
}

std::string Reply::events(const std::vector<Update>& updates) {
  std::string out;
  for (const Update& u : updates) {
    take(u);
    Json logs = logprobs_ && u.token >= 0 ? shape(chat_, logprobs(u, choices_[u.choice])) : Json(nullptr);
    Choice& c = choices_[u.choice];
    std::string text = hold_back(c, u.text);
    Json found;
    if (u.end != End::none) {
      found = calls(c.held);
      if (found.is_null()) text += std::exchange(c.held, {});
    }
    if (!text.empty() || !logs.is_null()) out += event(chunk(u.choice, {{"content", text}}, std::move(logs), nullptr));
    if (u.end == End::none) continue;
    if (!found.is_null()) {
      for (std::size_t i = 0; i < found["tool_calls"].size(); ++i) found["tool_calls"][i]["index"] = i;
      out += event(chunk(u.choice, {{"tool_calls", found["tool_calls"]}}, nullptr, nullptr));
    }
    if (u.end == End::failed || u.end == End::timeout || u.end == End::cancelled)
      out += event(error_->body());
    else
      out += event(chunk(u.choice, Json::object(), nullptr, finish_name(u.end, !found.is_null())));
  }
  if (!over()) return out;
  if (include_usage_) {
    Json last = head(chat_ ? "chat.completion.chunk" : "text_completion");
    last["choices"] = Json::array();
    last["usage"] = usage();
    out += event(last);
  }
  return out + "data: [DONE]\n\n";
}

void Reply::add(const std::vector<Update>& updates) {
  for (const Update& u : updates) {
    take(u);
    Choice& c = choices_[u.choice];
    c.text += u.text;
    if (logprobs_ && u.token >= 0)
      for (Json& e : logprobs(u, c)) c.logprobs.push_back(std::move(e));
  }
}

std::optional<ApiError> Reply::error() const { return error_; }

Json Reply::body() const {
  Json out = head(chat_ ? "chat.completion" : "text_completion");
  Json list = Json::array();
  for (std::size_t i = 0; i < choices_.size(); ++i) {
    const Choice& c = choices_[i];
    Json j = {{"index", i}};
    const Json found = calls(c.text);
    if (chat_) j["message"] = {{"role", "assistant"}, {"content", c.text}, {"refusal", nullptr}};
    if (!found.is_null()) j["message"].update(found);
    if (!chat_) j["text"] = c.text;
    j["logprobs"] = logprobs_ ? shape(chat_, c.logprobs) : Json(nullptr);
    j["finish_reason"] = finish_name(c.end, !found.is_null());
    list.push_back(std::move(j));
  }
  out["choices"] = std::move(list);
  out["usage"] = usage();
  return out;
}

}  // namespace server
