#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "generate/tiny_session.hpp"
#include "loquor/core/status.hpp"
#include "loquor/models/adapter.hpp"
#include "loquor/tune/finetune.hpp"
#include "temp_folder.hpp"

using namespace lq_test;

namespace {

std::string written(const TempFolder& folder, const std::string& text, const char* name = "data.jsonl") {
  std::ofstream(folder / name, std::ios::binary) << text;
  return folder / name;
}

lq::TuneTexts read(const LoadedTiny& tiny, const std::string& text, lq::TuneFormat format = {}) {
  const TempFolder folder;
  return lq::read_tune_texts(*tiny.model, written(folder, text), format);
}

// What of a text is learnt, as text; what is not, in brackets.
std::string shown(const LoadedTiny& tiny, const lq::TuneText& t) {
  std::string out;
  bool inside = true;
  for (std::size_t i = 0; i < t.tokens.size(); ++i) {
    if (static_cast<bool>(t.learnt[i]) != inside) out += inside ? "[" : "]";
    inside = t.learnt[i] != 0;
    out += tiny.model->tokenizer()->token_bytes(t.tokens[i]);
  }
  return out + (inside ? "" : "]");
}

// Lines that say which letter follows which.
std::string letters(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) {
    const char a = static_cast<char>('a' + i % 20), b = static_cast<char>(a + 1);
    out +=
        nlohmann::json{{"prompt", std::string("after ") + a + ":"}, {"completion", std::string(" ") + b}}.dump() + "\n";
  }
  return out;
}

lq::FinetuneOptions options(const TempFolder& folder, const std::string& data) {
  lq::FinetuneOptions o;
  o.data = data;
  o.out = folder / "adapter";
  o.format.max_tokens = 32;
  o.train = lq::finetune_defaults();
  o.train.learning_rate = 0.02;
  o.train.steps = 20;
  o.lora.rank = 4;
  return o;
}

std::string message_of(const std::function<void()>& fn) {
  try {
    fn();
  } catch (const lq::Error& e) {
    return std::string(lq::code_name(e.code())) + ": " + e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("what is learnt of an example", "[tune]") {
  const LoadedTiny tiny;
  const auto one = [&](const std::string& line, lq::TuneFormat f = {}) {
    const auto t = read(tiny, line, f);
    REQUIRE(t.texts.size() == 1);
    return shown(tiny, t.texts[0]);
  };
  CHECK(one(R"({"prompt": "2+2=", "completion": "4"})") == "[2+2=]4<|im_end|>");
  CHECK(one(R"({"text": "hello"})") == "hello<|im_end|>");
  CHECK(one(R"({"text": "hello the inner", "end": false})") == "hello the inner");
  CHECK(one(R"({"prompt": "hello", "completion": " the inner", "end": false})") == "[hello] the inner");
  const std::string chat =
      R"({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"},
      {"role": "user", "content": "<|im_end|>"}, {"role": "assistant", "content": "ok"}]})";
  std::string line = chat;
  line.erase(std::remove(line.begin(), line.end(), '\n'), line.end());
  CHECK(one(line) ==
        "[<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n]yo<|im_end|>[\n"
        "<|im_start|>user\n<|im_end|><|im_end|>\n<|im_start|>assistant\n]ok<|im_end|>[\n]");
  CHECK(
      one(R"({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]})") ==
      "[<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n]b<|im_end|>[\n]");
  CHECK(one(R"({"prompt": "2+2=", "completion": "4"})", {.completions_only = false}) == "2+2=4<|im_end|>");
  // What a user says spells no control token: the third turn's is bytes, not the one token that ends a turn.
  const auto t = read(tiny, line).texts[0];
  CHECK(std::count(t.tokens.begin(), t.tokens.end(), 2) == 4);
  // The prompt is the tokens that a generation would be given.
  const auto prompt = tiny.model->tokenizer()->encode("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n",
                                                      {.parse_special = true});
  CHECK(std::equal(prompt.begin(), prompt.end(), t.tokens.begin()));
}

TEST_CASE("texts that cannot be learnt are counted, lines that are none are errors", "[tune]") {
  const LoadedTiny tiny;
  const auto t =
      read(tiny,
           "{\"text\": \"good\"}\n\n{\"text\": \"much too long for ten tokens\"}\r\n"
           "{\"prompt\": \"x\", \"completion\": \"\"}\n{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n",
           {.max_tokens = 10});
  CHECK(t.lines == 4);
  CHECK(t.too_long == 1);
  CHECK(t.empty == 1 + (t.texts.size() == 1));
  CHECK(t.texts.size() == 1);
  for (const char* line :
       {"[1]", "{", "{\"other\": 1}", "{\"text\": 1}", "{\"text\": \"x\", \"end\": 1}", "{\"messages\": []}", "{\"messages\": [{\"role\": 1}]}",
        "{\"messages\": [{\"role\": \"user\"}]}", "{\"prompt\": [], \"completion\": \"x\"}",
        "{\"messages\": [{\"role\": \"user\", \"content\": [1]}]}"}) {
    INFO(line);
    const std::string said = message_of([&] { read(tiny, "{\"text\": \"good\"}\n" + std::string(line) + "\n"); });
    CHECK_THAT(said, Catch::Contains("line 2") && Catch::Contains("data.jsonl"));
  }
  CHECK_THAT(message_of([&] { lq::read_tune_texts(*tiny.model, "/nonexistent/x", {}); }),
             Catch::Contains("/nonexistent/x"));
  TinyModel bare;
  bare.chat_template = "";
  const LoadedTiny mute(bare);
  CHECK_THAT(message_of([&] { read(mute, "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}"); }),
             Catch::Contains("no chat template"));
}

TEST_CASE("rows hold texts whole and apart", "[tune]") {
  std::vector<lq::TuneText> texts;
  std::size_t tokens = 0, learnt = 0;
  for (std::int32_t i = 0; i < 40; ++i) {
    lq::TuneText t;
    for (std::int32_t k = 0; k < 2 + i % 7; ++k) {
      t.tokens.push_back(100 * i + k);
      t.learnt.push_back(k % 2);
      learnt += k % 2;
    }
    tokens += t.tokens.size();
    texts.push_back(t);
  }
  for (const bool pack : {true, false}) {
    const auto d = lq::packed_dataset(texts, 16, pack);
    CHECK(d->size() == (pack ? (tokens + 15) / 16 : 40));
    std::size_t seen = 0, counted = 0;
    for (std::size_t r = 0; r < d->size(); ++r) {
      std::int32_t x[32], y[16];
      d->get(r, x, y);
      for (std::size_t i = 0; i < 16; ++i) {
        const bool more = i + 1 < 16 && x[17 + i] == x[16 + i] + 1;
        if (y[i] >= 0) {
          REQUIRE(more);
          CHECK(y[i] == x[i + 1]);
          CHECK(y[i] % 100 % 2 == 1);
          ++counted;
        }
        seen += more;
      }
    }
    CHECK(seen == tokens - 40);
    CHECK(counted == learnt);
  }
  CHECK_THROWS_AS(lq::packed_dataset(texts, 5, true), lq::Error);
}

TEST_CASE("fine-tuning learns, and its files are the adapter", "[tune]") {
  const LoadedTiny tiny;
  const TempFolder folder;
  auto o = options(folder, written(folder, letters(60)));
  o.eval_data = written(folder, letters(20), "eval.jsonl");
  o.train.steps = 60;
  const auto r = lq::finetune(tiny.model, o);
  CHECK(r.train.lines == 60);
  CHECK(r.rows < 60);
  CHECK(r.end.step == 60);
  CHECK(r.eval_loss_after < 0.5 * r.eval_loss_before);
  CHECK_FALSE(std::filesystem::exists(folder / "adapter/checkpoint.safetensors"));
  const auto peft = lq::Adapter::load(tiny.model->decoder(), folder / "adapter");
  const auto gguf = lq::Adapter::load(tiny.model->decoder(), folder / "adapter/adapter.gguf");
  CHECK(peft->fingerprint() == gguf->fingerprint());
  // The session that wears it says what was learnt.
  lq::Session s(tiny.model);
  s.set_adapters({{peft, 1.0f}});
  s.set_prompt(tiny.model->tokenizer()->encode("after d:", {.add_special = true}));
  s.feed(tiny.model->tokenizer()->encode(" "));
  const auto logits = s.logits();
  CHECK(std::max_element(logits.begin(), logits.end()) - logits.begin() == byte_token('e'));
  const auto json = nlohmann::json::parse(lq::to_json(r));
  CHECK(json["perplexity_after"].get<double>() == Approx(std::exp(r.eval_loss_after)));
}

TEST_CASE("a run that was ended goes on, with the same adapter at the end", "[tune]") {
  const LoadedTiny tiny;
  const TempFolder a, b;
  const auto whole = options(a, written(a, letters(60)));
  lq::finetune(tiny.model, whole);
  auto cut = options(b, written(b, letters(60)));
  auto flag = std::make_shared<std::atomic<bool>>(false);
  cut.cancel = flag;
  cut.progress = [&](const lq::TrainProgress& p) {
    if (p.step == 7) *flag = true;
    return true;
  };
  CHECK_THAT(message_of([&] { lq::finetune(tiny.model, cut); }), Catch::Contains("cancel"));
  CHECK(std::filesystem::exists(b / "adapter/checkpoint.safetensors"));
  CHECK_FALSE(std::filesystem::exists(b / "adapter/adapter_config.json"));
  *flag = false;
  std::size_t first = 0;
  cut.progress = [&](const lq::TrainProgress& p) {
    if (!first) first = p.step;
    return true;
  };
  auto unlike = cut;
  unlike.lora.rank = 5;
  CHECK_THAT(message_of([&] { lq::finetune(tiny.model, unlike); }), Catch::Contains("another"));
  lq::finetune(tiny.model, cut);
  CHECK(first == 8);
  const auto print = [&](const TempFolder& f) {
    return lq::Adapter::load(tiny.model->decoder(), f / "adapter")->fingerprint();
  };
  CHECK(print(a) == print(b));
}

TEST_CASE("held-out texts are drawn by the seed", "[tune]") {
  const LoadedTiny tiny;
  const TempFolder folder;
  auto o = options(folder, written(folder, letters(50)));
  o.eval_fraction = 0.2;
  o.train.steps = 1;
  const auto r = lq::finetune(tiny.model, o);
  CHECK(r.eval.lines == 10);
  CHECK(r.train.lines == 40);
  const auto all = lq::read_tune_texts(*tiny.model, o.data, o.format);
  CHECK(r.train.learnt + r.eval.learnt == all.learnt);
  CHECK(r.train.tokens + r.eval.tokens == all.tokens);
  CHECK(std::isfinite(r.eval_loss_before));
}

TEST_CASE("what cannot be fine-tuned is refused", "[tune]") {
  const LoadedTiny tiny;
  const TempFolder folder;
  const auto said = [&](auto change) {
    auto o = options(folder, written(folder, letters(5)));
    change(o);
    return message_of([&] { lq::finetune(tiny.model, o); });
  };
  CHECK_THAT(said([](auto& o) { o.data = ""; }), Catch::Contains("data"));
  CHECK_THAT(said([](auto& o) { o.format.max_tokens = 1000; }), Catch::Contains("1000") && Catch::Contains("256"));
  CHECK_THAT(said([](auto& o) { o.format.max_tokens = 3; }), Catch::Contains("5 are longer"));
  CHECK_THAT(said([](auto& o) { o.lora.targets = {"nose"}; }), Catch::Contains("nose"));
  CHECK_THAT(said([](auto& o) { o.eval_fraction = 1; }), Catch::Contains("eval_fraction"));
  CHECK_THAT(said([&](auto& o) { o.eval_data = written(folder, "\n", "none.jsonl"); }), Catch::Contains("none.jsonl"));
  CHECK_THAT(said([](auto& o) { o.out = "/proc/none/x"; }), Catch::Contains("/proc/none/x"));
  CHECK_THAT(said([](auto& o) {
               o.train.learning_rate = 1e30;
               o.train.schedule = "constant";
             }),
             Catch::Contains("limit") || Catch::Contains("finite"));
}
