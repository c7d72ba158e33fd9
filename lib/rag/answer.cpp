#include "loquor/rag/answer.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "loquor/core/status.hpp"
#include "loquor/generate/chat_template.hpp"
#include "wording.hpp"

namespace lq {
namespace {

constexpr const char* kInstructions =
    "Answer the question briefly, using only the numbered sources. Cite the sources you use by their numbers, like "
    "[1]. If they do not answer "
    "the question, say: I don't know.";
constexpr const char* kAlone = "Answer the question with a few words from the text.";
constexpr const char* kAloneBegin = "The answer is:";
constexpr std::size_t kAloneTokens = 24;

// The texts that are a run of a text's words, after a space.
std::shared_ptr<const Grammar> spans_of(std::string_view text) {
  constexpr std::size_t kMostWords = 250;
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size() && words.size() < kMostWords;) {
    const std::size_t begin = text.find_first_not_of(" \t\r\n", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t\r\n", begin), text.size());
    words.emplace_back(text.substr(begin, at - begin));
  }
  std::string any, rules;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string quoted;
    for (const char c : words[i]) quoted += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    const std::string next = i + 1 < words.size() ? str(" (\" \" w", i + 1, ")?") : "";
    rules += str("w", i, " ::= \"", quoted, "\"", next, "\n");
    any += str(i ? " | " : "", "w", i);
  }
  return Grammar::from_gbnf("root ::= \" \" (" + any + ")\n" + rules);
}

class Asker {
 public:
  Asker(DocumentStore& store, Session& session, const std::string& question, const AskOptions& options)
      : store_(store), session_(session), question_(question), o_(options) {}

  Answer run() {
    (void)room();  // refuses what cannot be before anything is done
    find();
    if (!relevant()) {
      answer_.abstained = true;
      return std::move(answer_);
    }
    if (o_.guards && !guard()) {
      answer_.abstained = true;
      return std::move(answer_);
    }
    if (!write()) answer_.abstained = true;
    return std::move(answer_);
  }

 private:
  static void flag(Source& s, SourceFlag f) { s.flags |= static_cast<unsigned>(f); }
  static bool left_out(const Source& s) {
    return s.flags & (static_cast<unsigned>(SourceFlag::instructions) | static_cast<unsigned>(SourceFlag::disputed) |
                      static_cast<unsigned>(SourceFlag::no_room) | static_cast<unsigned>(SourceFlag::beside));
  }

  void find() {
    for (Hit& h : store_.search(question_, o_.search)) {
      Source s;
      s.hit = std::move(h);
      answer_.sources.push_back(std::move(s));
    }
  }

  bool relevant() const {
    for (const Source& s : answer_.sources)
      if (std::isnan(s.hit.cosine) ? s.hit.bm25 > 0 : s.hit.cosine >= o_.threshold) return true;
    return false;
  }

  std::vector<std::int32_t> prompt(const std::string& system, const std::string& user) {
    const Model& m = session_.model();
    const Tokenizer& t = *m.tokenizer();
    if (m.chat_template().empty()) return t.encode(system + "\n\n" + user + "\nAnswer:", {.add_special = true});
    if (!template_) template_ = ChatTemplate::compile(m.chat_template());
    const std::string bos = t.bos() ? std::string(t.token_bytes(*t.bos())) : "",
                      eos = t.eos() ? std::string(t.token_bytes(*t.eos())) : "";
    const ChatMessage messages[] = {{"system", system}, {"user", user}};
    ChatInput in;
    in.messages = messages;
    in.bos_token = bos;
    in.eos_token = eos;
    const RenderedChat chat = template_->render(in);
    return t.encode(chat.text, {.parse_special = true, .untrusted = chat.untrusted});
  }

  std::string generate(const std::vector<std::int32_t>& ids, std::size_t most,
                       const std::function<bool(std::string_view)>& stream,
                       std::shared_ptr<const Grammar> grammar = nullptr) {
    GenerateOptions g;
    g.grammar = std::move(grammar);
    g.max_tokens = most;
    g.cancel = o_.cancel;
    session_.start(std::span<const std::int32_t>(ids), std::move(g));
    for (;;) {
      const Event e = session_.step();
      if (!e.text.empty() && stream && !stream(e.text)) session_.stop();
      if (e.kind == EventKind::done) break;
    }
    const GenerateResult r = session_.result();
    answer_.prompt_tokens += r.prompt_tokens;
    answer_.answer_tokens += r.generated_tokens;
    return session_.output();
  }

  std::size_t room() const {
    const std::size_t most = o_.budget ? std::min(o_.budget, session_.capacity()) : session_.capacity();
    LQ_CHECK(most > o_.max_tokens, Code::invalid_argument, "ask: an answer of ", o_.max_tokens,
             " tokens in a budget of ", most);
    return most - o_.max_tokens;
  }

  // False if the question has a name that no source has.
  bool guard() {
    double best = 0;
    for (Source& s : answer_.sources) {
      if (gives_orders(s.hit.text))
        flag(s, SourceFlag::instructions);
      else
        best = std::max(best, s.hit.trust);
    }
    for (Source& s : answer_.sources)
      if (s.hit.trust < best / 2) flag(s, SourceFlag::low_trust);
    if (!keep_witnesses()) return false;
    vote();
    return true;
  }

  // What a source says by itself: a run of its words.
  std::string alone(const Source& s) {
    auto ids = prompt(kAlone, "Text: " + s.hit.text + "\n\nQuestion: " + question_);
    const auto begin = session_.model().tokenizer()->encode(kAloneBegin);
    ids.insert(ids.end(), begin.begin(), begin.end());
    if (ids.size() + kAloneTokens > session_.capacity()) return "";
    std::string said = generate(ids, kAloneTokens, {}, spans_of(s.hit.text));
    said.erase(0, said.find_first_not_of(' '));
    return said;
  }

  static std::string all_of(const Source& s) { return s.hit.title + " " + s.hit.heading + " " + s.hit.text; }

  // Only sources with all names of the question, and about as many of its words as the best of them, are about the
  // same thing; others may speak of something else, and are no witnesses. False if no source has all the names.
  bool keep_witnesses() {
    constexpr double kAsMuch = 0.8;
    std::string names;
    for (const std::string& n : names_in(question_)) names += n + " ";
    std::vector<double> shared;
    double most = 0;
    for (const Source& s : answer_.sources) {
      const bool named = names.empty() || supported_by(names, all_of(s)) == 1;
      shared.push_back(left_out(s) || !named ? -1 : supported_by(question_, all_of(s)));
      most = std::max(most, shared.back());
    }
    bool any = false;
    for (std::size_t i = 0; i < shared.size(); ++i) {
      const bool witness = shared[i] >= kAsMuch * most && shared[i] >= 0;
      any |= witness;
      if (!witness && !left_out(answer_.sources[i])) flag(answer_.sources[i], SourceFlag::beside);
    }
    return any;
  }

  // What an answer says beyond the question's own words; "" if nothing.
  std::string told(const std::string& says) const {
    const auto asked = all_words(question_);
    std::string out;
    for (const std::string& w : content_words(says))
      if (std::find(asked.begin(), asked.end(), w) == asked.end()) out += (out.empty() ? "" : " ") + w;
    return out;
  }

  // Witnesses answer one by one; of different answers one is believed: that of a source at least twice as trusted, or
  // else of the most trust together (after Xiang et al. 2024, "Certifiably Robust RAG against Retrieval Corruption").
  void vote() {
    struct Group {
      double trust = 0, most = 0;
      std::vector<Source*> of;
    };
    std::map<std::string, Group> groups;
    std::vector<Source*> asked;
    for (Source& s : answer_.sources)
      if (!left_out(s)) asked.push_back(&s);
    if (asked.size() < 2) return;
    for (Source* s : asked) {
      s->says = alone(*s);
      const std::string said = told(s->says);
      if (said.empty()) continue;
      // "50" and "50 metres" are one answer.
      auto at = std::find_if(groups.begin(), groups.end(), [&](const auto& g) {
        const std::string a = " " + g.first + " ", b = " " + said + " ";
        return a.find(b) != std::string::npos || b.find(a) != std::string::npos;
      });
      if (at == groups.end()) at = groups.try_emplace(said).first;
      Group& g = at->second;
      g.trust += s->hit.trust;
      g.most = std::max(g.most, s->hit.trust);
      g.of.push_back(s);
    }
    if (groups.size() < 2) return;
    answer_.conflict = true;
    const auto believed = std::max_element(groups.begin(), groups.end(), [](const auto& a, const auto& b) {
      const Group &x = a.second, &y = b.second;
      if (x.most >= 2 * y.most || y.most >= 2 * x.most) return x.most < y.most;
      return x.trust != y.trust ? x.trust < y.trust : x.of.front()->hit.score < y.of.front()->hit.score;
    });
    for (auto& [says, g] : groups)
      if (says != believed->first)
        for (Source* s : g.of) flag(*s, SourceFlag::disputed);
  }

  // The sources as the model reads them, numbered; those without room are flagged.
  std::vector<std::int32_t> final_prompt() {
    const std::string system = o_.instructions.empty() ? kInstructions : o_.instructions;
    std::string shown;
    std::vector<std::int32_t> ids;
    std::size_t number = 0;
    for (Source& s : answer_.sources) {
      if (left_out(s)) continue;
      const std::string more = shown + "[" + std::to_string(number + 1) + "] " +
                               (s.hit.title.empty() ? "" : s.hit.title + ": ") + s.hit.text + "\n";
      auto longer = prompt(system, "Sources:\n" + more + "\nQuestion: " + question_);
      if (longer.size() > room()) {
        flag(s, SourceFlag::no_room);
        continue;
      }
      shown = more;
      ids = std::move(longer);
      s.number = ++number;
    }
    return ids;
  }

  bool write() {
    const auto ids = final_prompt();
    if (ids.empty()) return false;
    answer_.text = generate(ids, o_.max_tokens, o_.stream);
    if (says_nothing(answer_.text)) return false;
    cite();
    return true;
  }

  void cite() {
    std::size_t shown = 0;
    for (const Source& s : answer_.sources) shown = std::max(shown, s.number);
    const std::string& text = answer_.text;
    for (std::size_t at = text.find('['); at != std::string::npos; at = text.find('[', at + 1)) {
      std::size_t n = 0, i = at + 1;
      for (; i < text.size() && text[i] >= '0' && text[i] <= '9' && i < at + 5; ++i)
        n = 10 * n + static_cast<std::size_t>(text[i] - '0');
      if (i < text.size() && text[i] == ']' && n >= 1 && n <= shown) answer_.citations.push_back({n, at, i + 1});
    }
    if (answer_.citations.empty()) attribute();
  }

  // A model that cites nothing is cited for: the source that has most of the answer's words, if it has most of them.
  void attribute() {
    const Source* best = nullptr;
    double most = 0.5;
    for (const Source& s : answer_.sources)
      if (const double w = s.number ? supported_by(answer_.text, s.hit.title + " " + s.hit.text) : 0; w > most) {
        most = w;
        best = &s;
      }
    if (!best) return;
    const std::string mark = " [" + std::to_string(best->number) + "]";
    answer_.citations.push_back({best->number, answer_.text.size() + 1, answer_.text.size() + mark.size()});
    answer_.text += mark;
    if (o_.stream) o_.stream(mark);
  }

  DocumentStore& store_;
  Session& session_;
  const std::string& question_;
  const AskOptions& o_;
  Answer answer_;
  std::shared_ptr<const ChatTemplate> template_;
};

}  // namespace

Answer ask(DocumentStore& store, Session& session, const std::string& question, const AskOptions& options) {
  return Asker(store, session, question, options).run();
}

}  // namespace lq
