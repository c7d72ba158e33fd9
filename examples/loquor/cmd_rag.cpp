// loquor rag: documents kept in a file, found again, and asked.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "cli.hpp"

namespace cli {

namespace {

namespace fs = std::filesystem;

struct Options {
  Common common;
  std::string store, encoder = "minilm";
  bool read_only = false, whole = false;
  std::vector<std::string> paths, keys;
  std::string query, mode = "hybrid", filter, metadata, question;
  double trust = 1, min_trust = 0, mmr = 1, threshold = 0.35;
  unsigned k = 5, per_document = 0, chunk_tokens = 0, overlap = 32, max_tokens = 200, ctx = 4096;
  bool no_guards = false;
};

// The store and, unless only words are searched ("none"), the model that makes its vectors.
struct Opened {
  std::optional<loquor::Model> encoder;
  loquor::Store store;
};

Opened open(const Options& o, bool read_only) {
  if (read_only && !fs::exists(o.store)) throw FileError(o.store + ": no such file");
  std::optional<loquor::Model> encoder;
  if (o.encoder != "none") {
    Common c = o.common;
    c.model = o.encoder;
    encoder = c.load();
  }
  loquor::StoreOptions s;
  s.read_only = read_only;
  s.chunk_tokens = o.chunk_tokens;
  s.overlap = o.overlap;
  s.whole_documents = o.whole;
  loquor::Store store(o.store, encoder ? &*encoder : nullptr, s);
  return {std::move(encoder), std::move(store)};
}

lq_text_kind kind_of(std::string ending) {
  std::transform(ending.begin(), ending.end(), ending.begin(), [](unsigned char c) { return std::tolower(c); });
  if (ending == ".html" || ending == ".htm" || ending == ".xhtml") return LQ_TEXT_HTML;
  if (ending == ".md" || ending == ".markdown") return LQ_TEXT_MARKDOWN;
  for (const char* code : {".c",  ".h",  ".cc", ".cpp",  ".cxx", ".hpp", ".cs",  ".py", ".js", ".ts",  ".jsx",
                           ".go", ".rs", ".rb", ".java", ".kt",  ".php", ".lua", ".sh", ".pl", ".sql", ".tsx"})
    if (ending == code) return LQ_TEXT_CODE;
  return LQ_TEXT_PLAIN;
}

// The files named, and those in folders named, hidden ones left out.
std::vector<std::string> files_of(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  for (const std::string& p : paths) {
    if (!fs::is_directory(p)) {
      out.push_back(p);
      continue;
    }
    for (auto it = fs::recursive_directory_iterator(p, fs::directory_options::skip_permission_denied);
         it != fs::recursive_directory_iterator(); ++it) {
      const bool hidden = it->path().filename().string().starts_with(".");
      if (hidden && it->is_directory()) it.disable_recursion_pending();
      if (!hidden && it->is_regular_file()) out.push_back(it->path().string());
    }
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

int add(const Options& o) {
  const std::vector<std::string> files = files_of(o.paths);
  if (files.empty()) throw UsageError("rag add: no files");
  Opened in = open(o, false);
  std::vector<loquor::Document> documents;
  Json failed = Json::array();
  for (const std::string& f : files) {
    if (fs::path(f).extension() == ".pdf") {
      failed.push_back({{"key", f}, {"reason", "PDF files are read by the Python package (loquor.read_document)"}});
      continue;
    }
    loquor::Document d;
    d.key = d.source = f;
    d.text = read_file(f);
    d.kind = kind_of(fs::path(f).extension().string());
    d.metadata = o.metadata;
    d.trust = o.trust;
    documents.push_back(std::move(d));
  }
  ProgressBar bar("Adding");
  Json report = Json::parse(in.store.add(
      documents,
      [&](std::uint32_t done, std::uint32_t all) {
        bar.update(static_cast<double>(done) / all);
        return true;
      },
      &interrupt()));
  for (const Json& f : failed) report["failed"].push_back(f);
  if (o.common.json) {
    print_json(report);
  } else {
    std::printf("%d added, %d replaced, %d unchanged, %d the same as others; %d chunks\n", report["added"].get<int>(),
                report["replaced"].get<int>(), report["unchanged"].get<int>(), report["duplicates"].get<int>(),
                report["chunks"].get<int>());
    for (const Json& f : report["failed"])
      std::fprintf(stderr, "left out: %s: %s\n", f["key"].get<std::string>().c_str(),
                   f["reason"].get<std::string>().c_str());
  }
  return kOk;
}

loquor::SearchOptions search_options(const Options& o) {
  loquor::SearchOptions s;
  s.k = o.k;
  s.mode = o.mode == "words" ? LQ_SEARCH_WORDS : o.mode == "dense" ? LQ_SEARCH_DENSE : LQ_SEARCH_HYBRID;
  s.filter = o.filter;
  s.min_trust = o.min_trust;
  s.mmr = o.mmr;
  s.per_document = o.per_document;
  return s;
}

std::string where(const Json& hit) {
  return hit["key"].get<std::string>() + ", bytes " + std::to_string(hit["begin"].get<int>()) + " to " +
         std::to_string(hit["end"].get<int>());
}

int search(const Options& o) {
  Opened in = open(o, true);
  const Json hits = Json::parse(in.store.search(o.query, search_options(o)));
  if (o.common.json) {
    print_json(hits);
    return kOk;
  }
  int n = 0;
  for (const Json& h : hits) {
    std::string text = h["text"].get<std::string>();
    std::replace(text.begin(), text.end(), '\n', ' ');
    constexpr std::size_t kShown = 200;
    const std::string cosine =
        h["cosine"].is_null() ? "" : ", cosine " + std::to_string(h["cosine"].get<double>()).substr(0, 5);
    std::printf("%d. %s%s\n   %s%s\n", ++n, where(h).c_str(), cosine.c_str(), text.substr(0, kShown).c_str(),
                text.size() > kShown ? " ..." : "");
  }
  if (hits.empty()) std::fprintf(stderr, "nothing was found\n");
  return kOk;
}

void print_sources(const Json& answer) {
  for (const Json& s : answer["sources"]) {
    std::string flags;
    for (const Json& f : s["flags"]) flags += " (" + f.get<std::string>() + ")";
    const int number = s["number"].get<int>();
    std::printf("%s%s%s\n", (number ? "[" + std::to_string(number) + "] " : "    ").c_str(), where(s).c_str(),
                flags.c_str());
  }
}

int ask(const Options& o) {
  Opened in = open(o, true);
  const loquor::Model model = o.common.load();
  loquor::SessionOptions so;
  so.n_ctx = o.ctx;
  loquor::Session session(model, so);
  loquor::AskOptions a;
  a.search = search_options(o);
  a.max_tokens = o.max_tokens;
  a.guards = !o.no_guards;
  a.threshold = o.threshold;
  a.cancel = &interrupt();
  if (!o.common.json)
    a.stream = [](std::string_view text) {
      std::fwrite(text.data(), 1, text.size(), stdout);
      return std::fflush(stdout) == 0;
    };
  const Json answer = Json::parse(in.store.ask(session, o.question, a));
  if (o.common.json) {
    print_json(answer);
    return kOk;
  }
  if (answer["text"].get<std::string>().empty()) std::printf("I found nothing about that.");
  std::printf("\n\n");
  if (answer["conflict"].get<bool>()) std::printf("The sources disagree.\n");
  print_sources(answer);
  return kOk;
}

int index(const Options& o) {
  Opened in = open(o, false);
  ProgressBar bar("Indexing");
  in.store.index(
      [&](std::uint32_t done, std::uint32_t all) {
        bar.update(static_cast<double>(done) / all);
        return true;
      },
      &interrupt());
  if (o.common.json) print_json(Json::parse(in.store.info()));
  return kOk;
}

int remove(const Options& o) {
  Opened in = open(o, false);
  Json gone = Json::array(), missing = Json::array();
  for (const std::string& key : o.keys) (in.store.remove(key) ? gone : missing).push_back(key);
  if (o.common.json) print_json({{"removed", gone}, {"missing", missing}});
  for (const Json& key : missing) std::fprintf(stderr, "no document '%s'\n", key.get<std::string>().c_str());
  return missing.empty() ? kOk : kBadFile;
}

int info(const Options& o) {
  Options words = o;
  words.encoder = "none";
  Opened in = open(words, true);
  const Json i = Json::parse(in.store.info(true));
  if (o.common.json) {
    print_json(i);
    return kOk;
  }
  std::printf("%d documents, %d chunks of at most %d tokens\n", i["documents"].get<int>(), i["chunks"].get<int>(),
              i["chunk_tokens"].get<int>());
  for (const Json& key : i["keys"]) std::printf("  %s\n", key.get<std::string>().c_str());
  return kOk;
}

void add_search(CLI::App& sub, Options& o) {
  sub.add_option("-k", o.k, "Most chunks")->check(CLI::Range(1, 1000))->capture_default_str();
  sub.add_option("--mode", o.mode, "hybrid, dense (vectors) or words (BM25)")
      ->check(CLI::IsMember({"hybrid", "dense", "words"}))
      ->capture_default_str();
  sub.add_option("--filter", o.filter,
                 R"(Only documents whose metadata have this: '{"lang": "en", "year": {"$gte": 2020}}')");
  sub.add_option("--min-trust", o.min_trust, "Only documents of this trust")->check(CLI::Range(0.0, 1.0));
  sub.add_option("--mmr", o.mmr, "Below 1: chunks that are unlike one another")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  sub.add_option("--per-document", o.per_document, "Most chunks of one document; 0 = any number")
      ->capture_default_str();
}

}  // namespace

Command add_rag(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* rag = app.add_subcommand("rag", "Keep documents in a file, find them again, and ask them");
  rag->require_subcommand(1);
  const auto part = [&](const char* name, const char* what) {
    CLI::App* sub = rag->add_subcommand(name, what);
    o->common.add_to(*sub);
    sub->add_option("--store", o->store, "The file")->required();
    sub->add_option("--encoder", o->encoder, "The text encoder; none = only words are searched")->capture_default_str();
    return sub;
  };
  CLI::App* a = part("add", "Add files, or the files in folders");
  a->add_option("paths", o->paths, "Text, Markdown, HTML or source code")->required();
  a->add_option("--metadata", o->metadata, "A JSON object, for filters");
  a->add_option("--trust", o->trust, "0 to 1")->check(CLI::Range(0.0, 1.0))->capture_default_str();
  a->add_option("--chunk-tokens", o->chunk_tokens,
                "Of a new store: tokens of a chunk; 0 = what the encoder takes, at most 200");
  a->add_option("--overlap", o->overlap, "Of a new store: tokens that chunks share")->capture_default_str();
  a->add_flag("--whole", o->whole, "Of a new store: one chunk for each document");
  CLI::App* s = part("search", "Find chunks");
  s->add_option("query", o->query)->required();
  add_search(*s, *o);
  CLI::App* q = part("ask", "Answer a question from the documents");
  q->add_option("question", o->question)->required();
  add_search(*q, *o);
  q->add_option("-n,--max-tokens", o->max_tokens, "Of the answer")->capture_default_str();
  q->add_option("--ctx", o->ctx, "Tokens of prompt and answer")->capture_default_str();
  q->add_option("--threshold", o->threshold, "Below this cosine of the best chunk there is no answer")
      ->capture_default_str();
  q->add_flag("--no-guards", o->no_guards, "Believe all sources");
  CLI::App* r = part("remove", "Remove documents");
  r->add_option("keys", o->keys)->required();
  CLI::App* x = part("index", "Make an approximate index of the vectors, for large stores");
  part("info", "What is in it");
  return {rag, [o, a, s, q, r, x] {
            return a->parsed()   ? add(*o)
                   : s->parsed() ? search(*o)
                   : q->parsed() ? ask(*o)
                   : r->parsed() ? remove(*o)
                   : x->parsed() ? index(*o)
                                 : info(*o);
          }};
}

}  // namespace cli
