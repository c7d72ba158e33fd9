// Routes, limits and who may come in.
#pragma once

#define CPPHTTPLIB_THREAD_POOL_COUNT 8
#include <httplib.h>

#include <optional>

#include "openai.hpp"

namespace server {

struct Options {
  std::string host = "127.0.0.1";
  int port = 8080;
  std::string name;     // of the model, as clients see it
  std::string api_key;  // none: everybody may come in
  std::string cors;     // origin that browsers' scripts may come from, or "*"; none: CORS is off
  std::size_t body = std::size_t{4} << 20;
  std::size_t connections = 128;
  std::chrono::seconds write_timeout{10};  // of a client that does not read
};

// A text encoder, asked by one request at a time.
class Encoder {
 public:
  Encoder(const loquor::Model& model, std::string name) : model_(model), embedder_(model), name_(std::move(name)) {}
  Json embed(const Json& body);
  const std::string& name() const { return name_; }

 private:
  loquor::Model model_;
  loquor::Embedder embedder_;
  std::string name_;
  std::mutex mutex_;
};

class Server {
 public:
  Server(Engine& engine, Encoder* encoder, Metrics& metrics, Options options);

  // The port that it listens at, or an error.
  int bind();
  void serve();  // until stop()
  // New requests are refused; those at work get this long to end.
  void drain(std::chrono::seconds most);

 private:
  using In = httplib::Request;
  using Out = httplib::Response;

  void routes();
  void complete(const In& in, Out& out, bool chat);
  void answer(const In& in, Out& out, Request request);
  void stream(const In& in, Out& out, Request request);
  std::optional<ApiError> refusal(const In& in) const;
  bool foreign_host(const In& in) const;
  void reply(Out& out, const Json& json, int status = 200) const;
  void reply(Out& out, const ApiError& error) const;
  Json models() const;

  Engine& engine_;
  Encoder* encoder_;
  Metrics& metrics_;
  const Options options_;
  const std::int64_t started_;
  std::atomic<bool> draining_ = false;
  httplib::Server http_;
};

extern const char kPage[];  // page.html

}  // namespace server
