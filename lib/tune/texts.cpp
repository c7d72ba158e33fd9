#include "loquor/tune/texts.hpp"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "loquor/core/status.hpp"
#include "loquor/generate/chat_template.hpp"

namespace lq {
namespace {

using Json = nlohmann::json;

std::string token_text(const Tokenizer& tokenizer, std::optional<std::int32_t> id) {
  return id ? std::string(tokenizer.token_bytes(*id)) : std::string();
}

struct Turns {
  std::vector<std::string> roles, contents, extras;
  std::vector<ChatMessage> messages() const {
    std::vector<ChatMessage> out;
    for (std::size_t i = 0; i < roles.size(); ++i) out.push_back({roles[i], contents[i], extras[i]});
    return out;
  }
};

class Reader {
 public:
  Reader(const Model& model, const std::string& path, const TuneFormat& format)
      : model_(model), tokenizer_(*model.tokenizer()), path_(path), format_(format) {}

  TuneTexts read() {
    std::ifstream in(path_, std::ios::binary);
    LQ_CHECK(in, Code::io, "fine-tuning: cannot read '", path_, "'");
    TuneTexts out;
    std::string line;
    while (std::getline(in, line)) {
      ++number_;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      ++out.lines;
      add(out, text(line));
    }
    LQ_CHECK(!in.bad(), Code::io, "fine-tuning: reading '", path_, "' failed after line ", number_);
    return out;
  }

 private:
  [[noreturn]] void bad(const std::string& what) const {
    fail(Code::bad_file, "fine-tuning: '", path_, "', line ", number_, ": ", what);
  }

  void add(TuneTexts& out, TuneText t) const {
    // The first token is never predicted.
    const auto learnt = static_cast<std::size_t>(
        std::count_if(t.learnt.begin() + !t.learnt.empty(), t.learnt.end(), [](std::uint8_t x) { return x != 0; }));
    if (t.tokens.size() > format_.max_tokens) {
      ++out.too_long;
    } else if (learnt == 0) {
      ++out.empty;
    } else {
      out.tokens += t.tokens.size();
      out.learnt += learnt;
      out.texts.push_back(std::move(t));
    }
  }

  TuneText text(const std::string& line) {
    const Json row = Json::parse(line, nullptr, false);
    if (row.is_discarded()) bad("no JSON");
    if (!row.is_object()) bad("expected an object");
    if (row.contains("messages")) return conversation(turns(row["messages"]));
    if (row.contains("end") && !row["end"].is_boolean()) bad("\"end\" is not true or false");
    const bool end = row.value("end", true);
    if (row.contains("prompt") && row.contains("completion")) {
      if (row["prompt"].is_array()) return exchange(row);
      return plain(string(row, "prompt"), string(row, "completion"), end);
    }
    if (row.contains("text")) return plain("", string(row, "text"), end);
    bad("expected \"messages\", \"prompt\" and \"completion\", or \"text\"");
  }

  std::string string(const Json& row, const char* key) const {
    if (!row[key].is_string()) bad(str("\"", key, "\" is no text"));
    return row[key].get<std::string>();
  }

  // TRL's conversational form: prompt and completion are lists of messages.
  TuneText exchange(const Json& row) {
    Json all = row["prompt"];
    if (!row["completion"].is_array()) bad("\"completion\" is no list, as \"prompt\" is");
    for (const Json& m : row["completion"]) all.push_back(m);
    return conversation(turns(all));
  }

  static void put(TuneText& out, const std::vector<std::int32_t>& ids, bool learnt) {
    out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    out.learnt.insert(out.learnt.end(), ids.size(), learnt);
  }

  TuneText plain(const std::string& prompt, const std::string& completion, bool end) const {
    TuneText out;
    const bool one = prompt.empty();
    put(out, tokenizer_.encode(one ? completion : prompt, {.add_special = true}), one || !format_.completions_only);
    // An end token that the vocabulary asks for after texts is put there below, once.
    const auto eos = tokenizer_.eos();
    if (eos && out.tokens.size() > 1 && out.tokens.back() == *eos) {
      out.tokens.pop_back();
      out.learnt.pop_back();
    }
    if (!one) put(out, tokenizer_.encode(completion), true);
    if (eos && end && !completion.empty()) put(out, {*eos}, true);
    if (completion.empty()) std::fill(out.learnt.begin(), out.learnt.end(), std::uint8_t{0});
    return out;
  }

  Turns turns(const Json& list) const {
    if (!list.is_array() || list.empty()) bad("\"messages\" is no list of messages");
    Turns out;
    for (const Json& m : list) {
      if (!m.is_object() || !m.contains("role") || !m["role"].is_string()) bad("a message without a \"role\"");
      Json extra = m;
      extra.erase("role");
      extra.erase("content");
      const bool said = m.contains("content") && !m["content"].is_null();
      if (said && !m["content"].is_string()) bad("a message's \"content\" is no text");
      if (!said && extra.empty()) bad("a message without \"content\"");
      out.roles.push_back(m["role"].get<std::string>());
      out.contents.push_back(said ? m["content"].get<std::string>() : "");
      out.extras.push_back(extra.empty() ? "" : extra.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    return out;
  }

  RenderedChat render(std::span<const ChatMessage> messages, bool prompt) {
    if (!template_) {
      LQ_CHECK(!model_.chat_template().empty(), Code::not_found, "fine-tuning: '", path_, "', line ", number_,
               ": messages, and the model has no chat template");
      template_ = ChatTemplate::compile(model_.chat_template());
    }
    const std::string bos = token_text(tokenizer_, tokenizer_.bos()), eos = token_text(tokenizer_, tokenizer_.eos());
    ChatInput input;
    input.messages = messages;
    input.add_generation_prompt = prompt;
    input.bos_token = bos;
    input.eos_token = eos;
    try {
      return template_->render(input);
    } catch (const Error& e) {
      bad(e.what());
    }
  }

  // Tokens of the bytes [begin, end) of a rendered conversation.
  std::vector<std::int32_t> encode(const RenderedChat& chat, std::size_t begin, std::size_t end) const {
    std::vector<TextRange> untrusted;
    for (const TextRange& r : chat.untrusted)
      if (r.end > begin && r.begin < end)
        untrusted.push_back({std::max(r.begin, begin) - begin, std::min(r.end, end) - begin});
    EncodeOptions options;
    options.parse_special = true;
    options.untrusted = untrusted;
    return tokenizer_.encode(std::string_view(chat.text).substr(begin, end - begin), options);
  }

  // Each turn of the assistant is cut where a generation would begin, so that prompts are the tokens they will be
  // then. A template that writes earlier turns otherwise than the last ones (leaving out their reasoning) gives only
  // the last turn to learn.
  TuneText conversation(const Turns& turns) {
    const std::vector<ChatMessage> all = turns.messages();
    const RenderedChat whole = render(all, false);
    std::vector<TextRange> learnt;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (turns.roles[i] != "assistant" || i == 0) continue;
      const std::string before = render(std::span(all).first(i), true).text;
      const std::string after = i + 1 == all.size() ? whole.text : render(std::span(all).first(i + 1), false).text;
      if (!whole.text.starts_with(before) || !whole.text.starts_with(after) || after.size() <= before.size()) {
        if (i + 1 == all.size()) bad("the chat template does not write the last turn where it asks for it");
        continue;
      }
      learnt.push_back({before.size(), after.size()});
    }
    TuneText out;
    std::size_t at = 0;
    for (const TextRange& r : learnt) {
      put(out, encode(whole, at, r.begin), !format_.completions_only);
      put_turn(out, encode(whole, r.begin, r.end));
      at = r.end;
    }
    if (!format_.completions_only) put(out, encode(whole, at, whole.text.size()), true);
    return out;
  }

  // What follows the token that ends the turn (a line feed of the template's) is not the model's to say.
  void put_turn(TuneText& out, const std::vector<std::int32_t>& ids) const {
    auto end = ids.end();
    for (auto i = ids.begin(); i != ids.end(); ++i)
      if (tokenizer_.is_end_of_generation(*i)) end = i + 1;
    put(out, {ids.begin(), end}, true);
    put(out, {end, ids.end()}, !format_.completions_only);
  }

  const Model& model_;
  const Tokenizer& tokenizer_;
  std::string path_;
  TuneFormat format_;
  std::size_t number_ = 0;
  std::shared_ptr<const ChatTemplate> template_;
};

}  // namespace

TuneTexts read_tune_texts(const Model& model, const std::string& path, const TuneFormat& format) {
  LQ_CHECK(format.max_tokens >= 2, Code::invalid_argument, "fine-tuning: texts of at most ", format.max_tokens,
           " tokens");
  return Reader(model, path, format).read();
}

}  // namespace lq
