// The shapes of OpenAI's API: requests to work for the engine, updates of the engine to replies.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>

#include "engine.hpp"

namespace server {

using Json = nlohmann::ordered_json;

// An error as the client sees it.
struct ApiError : std::runtime_error {
  ApiError(int status, const std::string& message, std::string param = {}, std::string code = {})
      : std::runtime_error(message), status(status), param(std::move(param)), code(std::move(code)) {}
  Json body() const;
  int status;
  std::string param, code;
};

// Parses a body, with bounded nesting.
Json parse_json(const std::string& text);

struct Request {
  bool chat = true;
  bool tools = false;  // the answer may be calls
  Work work;
  bool stream = false, include_usage = false;
  bool logprobs = false;
  std::uint32_t top_logprobs = 0;
  std::string model;              // as the client named it
  std::vector<std::string> echo;  // of each prompt, where the client wants it before the text
};

// The grammar that response_format or tools ask for; those asked for lately are kept, so that what is worked out for
// them serves the next request. Throws ApiError.
std::shared_ptr<const loquor::Grammar> grammar_of_format(const Json& format);
std::shared_ptr<const loquor::Grammar> grammar_of_tools(const Json& tools, const std::string& choice, bool parallel);

// The body of /v1/chat/completions and /v1/completions. Throws ApiError; a member that is not known is an error.
Request parse_chat(const Json& body, const Engine& engine);
Request parse_completion(const Json& body, const Engine& engine);

// Texts (or, detokenized, tokens) of the body of /v1/embeddings.
struct EmbeddingRequest {
  std::vector<std::string> texts;
  bool base64 = false;
  std::optional<std::uint32_t> dimensions;
};
EmbeddingRequest parse_embeddings(const Json& body, const loquor::Model& model);

// Turns the updates of one request into its reply, whole or as events of a stream.
class Reply {
 public:
  Reply(const Request& request, const loquor::Model& model, std::string name);
  // Events ("data: ...\n\n") for these updates; at the end also the usage, if wanted, and [DONE].
  std::string begin_stream();
  std::string events(const std::vector<Update>& updates);
  // Keeps what came; body() is the whole reply when all choices have ended.
  void add(const std::vector<Update>& updates);
  Json body() const;
  bool over() const { return open_ == 0; }
  // The first choice that did not end as it should: its message and status.
  std::optional<ApiError> error() const;

 private:
  struct Choice {
    std::string text;
    std::string held;    // of a stream: what is or may become a call
    bool plain = false;  // it is text, not calls
    Json logprobs = Json::array();
    End end = End::none;
    std::size_t offset = 0;
  };
  Json head(const char* object) const;
  Json chunk(std::size_t choice, Json delta, Json logprobs, Json finish) const;
  Json logprobs(const Update& update, Choice& choice) const;
  Json token(std::int32_t id, float logprob) const;
  Json usage() const;
  void take(const Update& update);
  std::string hold_back(Choice& choice, std::string text) const;
  Json calls(const std::string& text) const;

  const bool chat_, tools_, include_usage_, logprobs_;
  const std::uint32_t top_;
  const loquor::Model model_;
  const std::string name_, id_;
  const std::vector<std::string> echo_;
  const std::int64_t created_;
  std::vector<Choice> choices_;
  std::size_t open_, per_prompt_;
  std::vector<std::uint32_t> prompt_tokens_, reused_tokens_;
  std::uint64_t generated_ = 0;
  std::optional<ApiError> error_;
};

// As text, with U+FFFD for what is not UTF-8.
std::string dump(const Json& json);

}  // namespace server
