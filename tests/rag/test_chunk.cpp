#include <catch2/catch.hpp>
#include <string>

#include "loquor/core/status.hpp"
#include "loquor/rag/chunk.hpp"

using namespace lq;

namespace {

std::size_t words(std::string_view text) {
  std::size_t n = 0;
  bool in = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\n';
    n += !space && !in;
    in = !space;
  }
  return n;
}

std::vector<std::string> cut(const std::string& text, TextKind kind, std::size_t most, std::size_t overlap = 0) {
  std::vector<std::string> out;
  for (const Chunk& c : chunk_text(text, kind, {most, overlap}, words))
    out.push_back(text.substr(c.begin, c.end - c.begin));
  return out;
}

}  // namespace

TEST_CASE("chunks end at sentences and paragraphs", "[rag]") {
  CHECK(cut("One two three. Four five! Six seven?\n\nEight nine ten.", TextKind::plain, 5) ==
        std::vector<std::string>{"One two three. Four five!", "Six seven?\n\nEight nine ten."});
  CHECK(cut("a b c d.\n\ne f.\n\ng h i.", TextKind::plain, 8) ==
        std::vector<std::string>{"a b c d.\n\ne f.", "g h i."});
  CHECK(cut("", TextKind::plain, 8).empty());
  CHECK(cut(" \n\n \n", TextKind::plain, 8).empty());
  CHECK(cut("3.14 is not two sentences", TextKind::plain, 50).size() == 1);
}

TEST_CASE("a sentence that is too long is cut between words, a word between characters", "[rag]") {
  const auto parts = cut("one two three four five six seven", TextKind::plain, 3);
  REQUIRE(parts.size() == 3);
  for (const std::string& p : parts) CHECK(words(p) <= 3);
  const auto bytes = [](std::string_view s) { return s.size(); };
  std::string long_word;
  for (int i = 0; i < 100; ++i) long_word += "\xC3\xA9";
  std::string back;
  for (const Chunk& c : chunk_text(long_word, TextKind::plain, {7, 0}, bytes)) {
    CHECK(c.end - c.begin <= 7);
    CHECK((c.end - c.begin) % 2 == 0);
    back += long_word.substr(c.begin, c.end - c.begin);
  }
  CHECK(back == long_word);
}

TEST_CASE("chunks overlap in whole sentences of one section", "[rag]") {
  CHECK(cut("A b. C d. E f. G h.", TextKind::plain, 4, 2) ==
        std::vector<std::string>{"A b. C d.", "C d. E f.", "E f. G h."});
  CHECK(cut("# X\nA b. C d.\n# Y\nE f.", TextKind::markdown, 6, 2) ==
        std::vector<std::string>{"# X\nA b. C d.", "# Y\nE f."});
}

TEST_CASE("Markdown's headings are kept with what they head", "[rag]") {
  const std::string text =
      "Intro.\n\n# Engine\n\nRuns.\n\n## Fuel\n\nOil. # not one\n\n```sh\n# comment\n\nmore\n```\n\n# Wheels "
      "##\nFour.\n";
  const auto chunks = chunk_text(text, TextKind::markdown, {30, 0}, words);
  REQUIRE(chunks.size() == 4);
  CHECK(chunks[0].heading.empty());
  CHECK(chunks[1].heading == "Engine");
  CHECK(chunks[2].heading == "Engine > Fuel");
  CHECK(chunks[3].heading == "Wheels");
  CHECK(text.substr(chunks[2].begin, chunks[2].end - chunks[2].begin).find("# comment\n\nmore\n```") !=
        std::string::npos);
}

TEST_CASE("code is cut where definitions begin", "[rag]") {
  const std::string text = "import x\n\ndef a():\n    one two three\n\n    four five\n\ndef b():\n    six\n";
  CHECK(cut(text, TextKind::code, 9) ==
        std::vector<std::string>{"import x\n\ndef a():\n    one two three\n\n    four five", "def b():\n    six"});
}

TEST_CASE("every character but white space is in a chunk", "[rag]") {
  std::string text;
  for (int i = 0; i < 400; ++i)
    text +=
        std::string(static_cast<std::size_t>(i * 7 % 5), 'a' + static_cast<char>(i % 26)) + (i % 11 == 0 ? ".\n\n# H\n"
                                                                                             : i % 3     ? " "
                                                                                                         : ". ");
  for (const TextKind kind : {TextKind::plain, TextKind::markdown, TextKind::code})
    for (const std::size_t most : {3u, 10u, 50u}) {
      std::vector<bool> seen(text.size(), false);
      for (const Chunk& c : chunk_text(text, kind, {most, most / 3}, words)) {
        REQUIRE(c.begin < c.end);
        for (std::size_t i = c.begin; i < c.end; ++i) seen[i] = true;
      }
      for (std::size_t i = 0; i < text.size(); ++i)
        if (text[i] != ' ' && text[i] != '\n') CHECK(seen[i]);
    }
}

TEST_CASE("what cannot be chunked is refused", "[rag]") {
  CHECK_THROWS_WITH(chunk_text("a\xFF", TextKind::plain, {}, words), Catch::Contains("byte 1"));
  CHECK_THROWS_AS(chunk_text("a", TextKind::plain, {4, 4}, words), Error);
}

TEST_CASE("pages become Markdown", "[rag]") {
  std::string title;
  const std::string text = html_text(
      "<html><head><title>A page</title><style>p{}</style></head><body><nav>menu</nav><h2>Head &amp; tail</h2><p>One\n "
      "two.</p>"
      "<ul><li>x</li><li>y</li></ul><pre>a\n  "
      "b</pre><script>alert(1)</script><table><tr><td>1</td><td>2</td></tr></table>",
      &title);
  CHECK(title == "A page");
  CHECK(text == "## Head & tail\n\nOne two.\n\n- x\n- y\n\n```\na\n  b\n```\n\n1 2");
  CHECK(html_text("just text") == "just text");
  CHECK(html_text("").empty());
  std::string deep;
  for (int i = 0; i < 5000; ++i) deep += "<div>";
  CHECK_NOTHROW(html_text(deep + "x"));
}

TEST_CASE("kinds by file names", "[rag]") {
  bool html = true;
  CHECK(kind_of_file("a/b.MD", &html) == TextKind::markdown);
  CHECK_FALSE(html);
  CHECK(kind_of_file("x.html", &html) == TextKind::markdown);
  CHECK(html);
  CHECK(kind_of_file("x.py") == TextKind::code);
  CHECK(kind_of_file("README") == TextKind::plain);
}
