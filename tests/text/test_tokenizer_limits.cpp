// Hostile vocabularies and texts: clean errors, bounded time, little stack.
#include <pthread.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>

#include "cpu_time.hpp"
#include "gguf_vocab.hpp"
#include "golden_text.hpp"
#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "test_data.hpp"
#include "tiny_vocab.hpp"

using lq::Code;
using lq_test::TinyVocab;

namespace {

Code create_code(const lq::TokenizerData& data, const std::string& word) {
  try {
    lq::Tokenizer::create(data);
  } catch (const lq::Error& e) {
    CHECK_THAT(e.what(), Catch::Contains(word));
    return e.code();
  }
  return Code::ok;
}

double seconds(const std::function<void()>& fn) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double start = lq_test::cpu_seconds();
    fn();
    best = std::min(best, lq_test::cpu_seconds() - start);
  }
  return best;
}

std::string repeated(const std::string& pattern, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += pattern;
  return out;
}

}  // namespace

TEST_CASE("metadata that contradict themselves are refused with the reason", "[text]") {
  {
    TinyVocab v;
    v.data.model = "rwkv";
    CHECK(create_code(v.data, "gpt2") == Code::unsupported);
    v.data.model = "gpt2";
    v.data.pre = "never";
    CHECK(create_code(v.data, "smollm") == Code::unsupported);
  }
  {
    TinyVocab v;
    v.data.types.pop_back();
    CHECK(create_code(v.data, "token_type") == Code::bad_file);
    v.data.types.push_back(7);
    CHECK(create_code(v.data, "token_type[257]") == Code::bad_file);
    v.data.types.back() = -1;
    CHECK(create_code(v.data, "-1") == Code::bad_file);
    v.data.types.clear();
    CHECK(create_code(v.data, "") == Code::ok);
    v.data.scores = {1.0f};
    CHECK(create_code(v.data, "scores") == Code::bad_file);
  }
  {
    TinyVocab v;
    v.data.bos = 258;
    CHECK(create_code(v.data, "bos_token_id is 258") == Code::bad_file);
    v.data.bos = -5;
    CHECK(create_code(v.data, "-5") == Code::bad_file);
    v.data.bos.reset();
    v.data.add_bos = true;
    CHECK(create_code(v.data, "add_bos_token") == Code::bad_file);
    v.data.add_bos.reset();
    v.data.pad = 100000;
    CHECK(create_code(v.data, "") == Code::ok);
    CHECK_FALSE(v.make()->pad());
  }
  {
    lq::TokenizerData none;
    none.model = "gpt2";
    none.pre = "gpt-2";
    CHECK(create_code(none, "empty") == Code::bad_file);
    const std::string big(lq::Vocab::kMaxTokenBytes + 1, 'a');
    none.tokens = {big};
    CHECK(create_code(none, "tokens[0]") == Code::limit);
    none.tokens.assign(lq::Vocab::kMaxTokens + 1, std::string_view());
    CHECK(create_code(none, "tokens") == Code::limit);
  }
  for (const char* merge : {"", "ab", " ", "a", "ab ", " ab"}) {
    TinyVocab v;
    v.data.merges = {"a b", v.keep(merge)};
    CHECK(create_code(v.data, "merges[1]") == Code::bad_file);
  }
}

TEST_CASE("merges that can never apply are left out, as real files have them", "[text]") {
  TinyVocab v({"a b"});
  v.data.merges.push_back("x y");   // the joined token isn't in the vocabulary
  v.data.merges.push_back("qq r");  // nor this left side
  v.data.merges.push_back("a b");   // again
  v.data.merges.push_back("日 a");  // outside the byte alphabet
  CHECK(v.make()->encode("abxyqqr").size() == 6);
}

TEST_CASE("of tokens spelled alike the lowest id counts", "[text]") {
  TinyVocab v({"a b"});
  v.add("ab", 1);
  v.add("a", 1);
  v.add("<|end|>", 3);
  v.add("", 1);
  v.add("", 3);
  const auto t = v.make();
  CHECK(t->encode("ab") == std::vector<std::int32_t>{258});
  CHECK(t->encode("a") == std::vector<std::int32_t>{'a'});
  CHECK(t->encode("<|end|>", {.parse_special = true}) == std::vector<std::int32_t>{256});
  CHECK(t->find("ab") == 258);
}

TEST_CASE("a vocabulary made to collide in the hash table is refused quickly", "[text]") {
  // The hash multiplies the two halves of a key, so zeroing one makes every hash zero.
  std::string head(8, '\0');
  const std::uint64_t cancel = 0x9e3779b97f4a7c15u;
  std::memcpy(head.data(), &cancel, 8);
  TinyVocab v;
  for (int i = 0; i < 20000; ++i) {
    const std::string tail = {static_cast<char>('!' + i % 90), static_cast<char>('!' + i / 90 % 90),
                              static_cast<char>('!' + i / 8100)};
    v.add(lq::encode_byte_alphabet(head + tail), 1);
  }
  CHECK(create_code(v.data, "hash") == Code::bad_file);
}

TEST_CASE("random vocabularies never crash", "[text]") {
  int created = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    lq::Random random(seed);
    std::deque<std::string> keep;
    const auto any = [&](std::size_t least, std::size_t most) {
      std::string s;
      for (std::uint64_t n = least + random.next() % (most - least); n > 0; --n)
        s += "ab<>|\x80\xc4\xa0\xff 0"[random.next() % 11];
      return std::string_view(keep.emplace_back(s));
    };
    const bool sound = seed % 3 != 0;  // the others mostly fail to load
    lq::TokenizerData data;
    data.model = "gpt2";
    data.pre = seed % 2 ? "smollm" : "llama-bpe";
    for (std::uint64_t n = 1 + random.next() % 60; n > 0; --n) {
      data.tokens.push_back(any(0, 5));
      data.types.push_back(static_cast<std::int32_t>(random.next() % (sound ? 6 : 8) + 1));
      if (sound && random.next() % 2) data.types.back() = 1;
    }
    for (std::uint64_t n = random.next() % 40; n > 0; --n) {
      const std::string left(any(sound, 4)), right(any(sound, 4));
      data.merges.push_back(keep.emplace_back(left + " " + right));
      if (sound && (left + right).find(' ') != std::string::npos) data.merges.pop_back();
    }
    if (random.next() % 2) data.unk = static_cast<std::int32_t>(random.next() % (sound ? data.tokens.size() : 60));
    try {
      const auto t = lq::Tokenizer::create(data);
      ++created;
      for (int i = 0; i < 20; ++i) {
        const auto ids = t->encode(any(0, 200), {.add_special = true, .parse_special = i % 2 == 0});
        t->decode(ids, i % 3 == 0);
      }
    } catch (const lq::Error& e) {
      CHECK(std::string(e.what()).size() > 10);
    }
  }
  CHECK(created > 100);
}

TEST_CASE("encoding a repeated pattern takes time in proportion to its length", "[text]") {
  LQ_NEED_FILE(lq_test::model_path());
  const auto t = lq::Tokenizer::create(lq_test::read_tokenizer(lq_test::model_path()));
  for (const char* pattern :
       {"a", " ", "=", "\n", "ab", "the", " \n", "\t ", "1", "'", "'s", "é", "日本", "\xff", "<", "<|im_end|>", "😀"}) {
    const std::string one = repeated(pattern, 1 << 20), two = repeated(pattern, 2 << 20);
    const double t1 = seconds([&] { t->encode(one, {.parse_special = true}); });
    const double t2 = seconds([&] { t->encode(two, {.parse_special = true}); });
    CAPTURE(pattern, t1, t2);
    // The promise is 1 s/MB and 2.5; a busy machine and a sanitizer get some slack on the ratio of small times.
    CHECK(t1 < 1.0);
    CHECK(t2 < 2.5 * t1 + 0.05);
  }
}

TEST_CASE("merges listed against their own order stay linear", "[text]") {
  // The pair that a merge makes ranks below the merge itself: the queue is interrupted at every step.
  TinyVocab v({"aa a", "aaa aa", "b aa", "aa b", "a a", "aaaa a", "a aaa"});
  v.add("aaaa", 1);
  v.data.merges.push_back("aa aa");
  const auto t = v.make();
  for (const char* pattern : {"a", "aab", "aaaab", "baa"}) {
    const std::string one = repeated(pattern, 1 << 20);
    CAPTURE(pattern);
    CHECK(seconds([&] { t->encode(one); }) < 1.0);
    CHECK(t->decode(t->encode(one)) == one);
  }
}

TEST_CASE("everything runs on a thread with 128 KiB of stack", "[text]") {
  LQ_NEED_FILE(lq_test::model_path());
  static bool done;
  done = false;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  REQUIRE(pthread_attr_setstacksize(&attr, 128 << 10) == 0);
  const auto body = [](void*) -> void* {
    const auto t = lq::Tokenizer::create(lq_test::read_tokenizer(lq_test::model_path()));
    const std::string text = repeated("x", 200000) + repeated(" <|im_end|>", 5000);
    const auto ids = t->encode(text, {.parse_special = true});
    lq::StreamDecoder decoder(t, lq::StreamDecoder::Mode::text, true);
    std::string all;
    for (const auto id : ids) all += decoder.feed(id);
    done = all == text && t->decode(ids, true) == text;
    return nullptr;
  };
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attr, body, nullptr) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attr);
  CHECK(done);
}
