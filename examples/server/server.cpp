#include "server.hpp"

#include <ctime>
#include <thread>

#include "connection.hpp"

namespace server {
namespace {

constexpr std::chrono::milliseconds kPoll{50};  // how often a waiting thread looks whether its client is still there
constexpr std::chrono::seconds kKeepAlive{15};  // a comment in a stream that has nothing to say, for proxies

// Takes as long whatever the key is, so that time does not tell how much of it was right.
bool same_key(const std::string& a, const std::string& b) {
  unsigned char different = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < a.size(); ++i)
    different |= static_cast<unsigned char>(a[i] ^ b[i % (b.size() ? b.size() : 1)]);
  return !different;
}

std::string base64(const unsigned char* bytes, std::size_t size) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < size; i += 3) {
    const std::size_t n = std::min<std::size_t>(3, size - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < n ? bytes[i + j] : 0u);
    for (std::size_t j = 0; j < 4; ++j) out += j <= n ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

ApiError api_error(const loquor::Error& e) {
  switch (e.status()) {
    case LQ_ERR_CONTEXT_FULL:
      return ApiError(400, e.what(), "messages", "context_length_exceeded");
    case LQ_ERR_INVALID_ARGUMENT:
    case LQ_ERR_TEMPLATE:
    case LQ_ERR_LIMIT:
    case LQ_ERR_UNSUPPORTED:
      return ApiError(400, e.what());
    default:
      return ApiError(500, e.what());
  }
}

}  // namespace

Server::Server(Engine& engine, Encoder* encoder, Metrics& metrics, Options options)
    : engine_(engine),
      encoder_(encoder),
      metrics_(metrics),
      options_(std::move(options)),
      started_(std::time(nullptr)) {
  const std::size_t threads = options_.connections;
  http_.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
  http_.set_payload_max_length(options_.body);
  http_.set_tcp_nodelay(true);
  http_.set_read_timeout(std::chrono::seconds(10));
  http_.set_write_timeout(options_.write_timeout);
  http_.set_keep_alive_timeout(5);
  http_.set_keep_alive_max_count(1000);
  http_.set_pre_routing_handler([this](const In& in, Out& out) {
    const auto why = refusal(in);
    if (!why) return httplib::Server::HandlerResponse::Unhandled;
    reply(out, *why);
    return httplib::Server::HandlerResponse::Handled;
  });
  http_.set_exception_handler([this](const In&, Out& out, std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const ApiError& e) {
      reply(out, e);
    } catch (const Busy& e) {
      out.set_header("Retry-After", "1");
      reply(out, ApiError(draining_ ? 503 : 429, e.what()));
    } catch (const loquor::Error& e) {
      reply(out, api_error(e));
    } catch (const std::exception& e) {
      reply(out, ApiError(500, e.what()));
    }
  });
  http_.set_error_handler([this](const In& in, Out& out) {
    if (!out.body.empty()) return;
    const std::string what = out.status == 404   ? "there is nothing at " + in.path
                             : out.status == 413 ? "the body is larger than " + std::to_string(options_.body) + " bytes"
                                                 : "the request could not be read";
    reply(out, ApiError(out.status, what));
  });
  http_.set_post_routing_handler([this](const In& in, Out& out) {
    if (options_.cors.empty()) return;
    out.set_header("Access-Control-Allow-Origin", options_.cors);
    if (in.method == "OPTIONS") out.set_header("Access-Control-Allow-Headers", "authorization, content-type");
  });
  http_.set_logger([this](const In& in, const Out& out) {
    metrics_.count_response(out.status == 404                      ? "other"
                            : in.path.rfind("/v1/models/", 0) == 0 ? "/v1/models"
                                                                   : in.path,
                            out.status);
  });
  routes();
}

// Pages of other sites must not reach a server that only this machine should: their scripts cannot send JSON without
// asking (CORS), and a name of theirs that resolves to this machine is not one of ours.
bool Server::foreign_host(const In& in) const {
  if (!options_.api_key.empty() ||
      (options_.host != "127.0.0.1" && options_.host != "localhost" && options_.host != "::1"))
    return false;
  std::string host = in.get_header_value("Host");
  if (const auto colon = host.rfind(':'); colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  return host != "127.0.0.1" && host != "localhost" && host != "[::1]";
}

std::optional<ApiError> Server::refusal(const In& in) const {
  if (foreign_host(in)) return ApiError(403, "this server is not known as '" + in.get_header_value("Host") + "'");
  if (in.method == "OPTIONS" || in.path == "/health" || in.path == "/") return std::nullopt;
  if (!options_.api_key.empty()) {
    const std::string given = in.get_header_value("Authorization");
    if (given.rfind("Bearer ", 0) != 0 || !same_key(given.substr(7), options_.api_key))
      return ApiError(401, "a valid API key is needed", "", "invalid_api_key");
  }
  if (in.method == "POST") {
    if (draining_) return ApiError(503, "the server is stopping");
    if (in.get_header_value("Content-Type").rfind("application/json", 0) != 0)
      return ApiError(415, "the body must be application/json");
    if (!in.has_header("Content-Length")) return ApiError(411, "the length of the body must be given");
  }
  return std::nullopt;
}

void Server::reply(Out& out, const Json& json, int status) const {
  out.status = status;
  out.set_content(dump(json) + "\n", "application/json");
}

void Server::reply(Out& out, const ApiError& error) const { reply(out, error.body(), error.status); }

Json Server::models() const {
  Json list = Json::array();
  list.push_back({{"id", options_.name}, {"object", "model"}, {"created", started_}, {"owned_by", "loquor"}});
  if (encoder_)
    list.push_back({{"id", encoder_->name()}, {"object", "model"}, {"created", started_}, {"owned_by", "loquor"}});
  return list;
}

void Server::routes() {
  http_.Get("/", [](const In&, Out& out) { out.set_content(kPage, "text/html; charset=utf-8"); });
  http_.Get("/health", [this](const In&, Out& out) {
    reply(out, {{"status", draining_ ? "stopping" : "ok"}}, draining_ ? 503 : 200);
  });
  http_.Get("/metrics",
            [this](const In&, Out& out) { out.set_content(metrics_.render(), "text/plain; version=0.0.4"); });
  http_.Get("/v1/models", [this](const In&, Out& out) { reply(out, {{"object", "list"}, {"data", models()}}); });
  http_.Get(R"(/v1/models/(.+))", [this](const In& in, Out& out) {
    for (const Json& m : models())
      if (m["id"] == in.matches[1].str()) return reply(out, m);
    throw ApiError(404, "there is no model '" + in.matches[1].str() + "'", "model", "model_not_found");
  });
  http_.Post("/v1/chat/completions", [this](const In& in, Out& out) { complete(in, out, true); });
  http_.Post("/v1/completions", [this](const In& in, Out& out) { complete(in, out, false); });
  http_.Post("/v1/embeddings", [this](const In& in, Out& out) {
    if (!encoder_)
      throw ApiError(404, "this server has no model for embeddings (--embedder)", "model", "model_not_found");
    reply(out, encoder_->embed(parse_json(in.body)));
  });
  http_.Options(R"(.*)", [](const In&, Out& out) { out.status = 204; });
}

void Server::complete(const In& in, Out& out, bool chat) {
  const Json body = parse_json(in.body);
  Request request = chat ? parse_chat(body, engine_) : parse_completion(body, engine_);
  if (!request.model.empty() && request.model != options_.name)
    throw ApiError(404, "there is no model '" + request.model + "'; this server has '" + options_.name + "'", "model",
                   "model_not_found");
  if (request.stream)
    stream(in, out, std::move(request));
  else
    answer(in, out, std::move(request));
}

namespace {

// Counts a request from its begin to its end, wherever that is.
struct InFlight {
  explicit InFlight(Metrics& metrics) : metrics(metrics) { ++metrics.requests_in_flight; }
  ~InFlight() { --metrics.requests_in_flight; }
  InFlight(const InFlight&) = delete;
  Metrics& metrics;
};

}  // namespace

void Server::answer(const In& in, Out& out, Request request) {
  const InFlight counted(metrics_);
  const auto ticket = engine_.submit(request.work, in.remote_addr);
  const Connection connection(in.remote_addr, in.remote_port);
  Reply reply_(request, engine_.model(), options_.name);
  while (!reply_.over()) {
    reply_.add(ticket->wait(kPoll));
    if (!connection.gone()) continue;
    ticket->cancel();
    out.status = 499;  // nobody reads it; the metrics count it
    return;
  }
  if (const auto error = reply_.error()) throw ApiError(*error);
  reply(out, reply_.body());
}

void Server::stream(const In& in, Out& out, Request request) {
  struct State {
    State(Metrics& metrics, const In& in, const Request& request, const loquor::Model& model, const std::string& name)
        : counted(metrics), connection(in.remote_addr, in.remote_port), reply(request, model, name) {}
    InFlight counted;
    std::shared_ptr<Ticket> ticket;
    Connection connection;
    Reply reply;
    bool begun = false;
    Clock::time_point spoke = Clock::now();
  };
  const auto state = std::make_shared<State>(metrics_, in, request, engine_.model(), options_.name);
  state->ticket = engine_.submit(request.work, in.remote_addr);
  out.set_header("Cache-Control", "no-store");
  out.set_header("X-Accel-Buffering", "no");
  out.set_chunked_content_provider(
      "text/event-stream",
      [state](std::size_t, httplib::DataSink& sink) {
        State& s = *state;
        std::string text;
        if (!std::exchange(s.begun, true)) text = s.reply.begin_stream();
        text += s.reply.events(s.ticket->wait(text.empty() ? kPoll : std::chrono::milliseconds(0)));
        if (text.empty() && Clock::now() - s.spoke > kKeepAlive) text = ": still here\n\n";
        if (!text.empty()) s.spoke = Clock::now();
        if (s.connection.gone() || (!text.empty() && !sink.write(text.data(), text.size()))) {
          s.ticket->cancel();
          return false;
        }
        if (s.reply.over()) sink.done();
        return true;
      },
      [state](bool) { state->ticket->cancel(); });
}

int Server::bind() {
  if (options_.port == 0) return http_.bind_to_any_port(options_.host);
  return http_.bind_to_port(options_.host, options_.port) ? options_.port : -1;
}

void Server::serve() { http_.listen_after_bind(); }

void Server::drain(std::chrono::seconds most) {
  draining_ = true;
  engine_.refuse();
  const auto until = Clock::now() + most;
  while (metrics_.requests_in_flight > 0 && Clock::now() < until)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  engine_.cancel_all();
  for (int i = 0; i < 100 && metrics_.requests_in_flight > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  http_.stop();
}

Json Encoder::embed(const Json& body) {
  const EmbeddingRequest request = parse_embeddings(body, model_);
  if (request.dimensions && *request.dimensions != embedder_.dimension())
    throw ApiError(400, "this model's vectors have " + std::to_string(embedder_.dimension()) + " dimensions",
                   "dimensions");
  std::vector<std::string_view> texts(request.texts.begin(), request.texts.end());
  std::vector<float> vectors;
  {
    const std::lock_guard lock(mutex_);
    vectors = embedder_.embed(texts);
  }
  const std::size_t n = embedder_.dimension();
  Json list = Json::array();
  std::size_t tokens = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const float* v = vectors.data() + i * n;
    Json value = request.base64 ? Json(base64(reinterpret_cast<const unsigned char*>(v), n * sizeof *v))
                                : Json(std::vector<float>(v, v + n));
    list.push_back({{"object", "embedding"}, {"index", i}, {"embedding", std::move(value)}});
    tokens += model_.tokenize(texts[i], true).size();
  }
  return {{"object", "list"},
          {"data", std::move(list)},
          {"model", name_},
          {"usage", {{"prompt_tokens", tokens}, {"total_tokens", tokens}}}};
}

}  // namespace server
