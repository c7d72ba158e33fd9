// Documents cut into pieces that can be found and cited: byte ranges of their text, along its structure.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

enum class TextKind : int {
  plain = 0,     // paragraphs and sentences
  markdown = 1,  // headings begin sections; fenced code stays together
  code = 2,      // definitions that begin at the margin
};

struct Chunk {
  std::size_t begin = 0, end = 0;  // bytes of the text
  std::string heading;             // of the section it is in, with those above it: "Engine > Fuel"
};

struct ChunkOptions {
  std::size_t max_tokens = 200;  // of a chunk, its heading not counted
  std::size_t overlap = 32;      // tokens of the end of one chunk that the next one begins with, in whole sentences
};

// Chunks cover the text but for white space between them. A sentence of more than max_tokens is cut between words, a
// word between characters. `count` tells how many tokens a text has. Throws Error{invalid_argument} for an overlap
// that is not below the size, or text that is not UTF-8.
std::vector<Chunk> chunk_text(std::string_view text, TextKind kind, const ChunkOptions& options,
                              const std::function<std::size_t(std::string_view)>& count);

// The text of an HTML page as Markdown: headings, paragraphs, list items, preformatted text; no scripts, styles, or
// navigation. `title` gets its title. Never fails: what is no HTML is text.
std::string html_text(std::string_view html, std::string* title = nullptr);

// By the file name's ending: "md", "html", "py", ... ; `html` is set for a page that html_text() must read first.
TextKind kind_of_file(std::string_view name, bool* html = nullptr);

}  // namespace lq
