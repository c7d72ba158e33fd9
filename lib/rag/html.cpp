#include <gumbo.h>

#include <cstring>
#include <memory>

#include "loquor/rag/chunk.hpp"

namespace lq {
namespace {

constexpr int kDeepest = 400;  // nested further, a page is nonsense

class Writer {
 public:
  explicit Writer(std::string* title) : title_(title) {}

  void node(const GumboNode* n, int depth) {
    if (depth > kDeepest) return;
    if (n->type == GUMBO_NODE_TEXT || n->type == GUMBO_NODE_WHITESPACE || n->type == GUMBO_NODE_CDATA)
      return text(n->v.text.text);
    if (n->type != GUMBO_NODE_ELEMENT) return;
    element(n->v.element, depth);
  }

  std::string take() {
    while (!out_.empty() && (out_.back() == '\n' || out_.back() == ' ')) out_.pop_back();
    return std::move(out_);
  }

 private:
  void element(const GumboElement& e, int depth) {
    switch (e.tag) {
      case GUMBO_TAG_SCRIPT:
      case GUMBO_TAG_STYLE:
      case GUMBO_TAG_NAV:
      case GUMBO_TAG_NOSCRIPT:
      case GUMBO_TAG_TEMPLATE:
      case GUMBO_TAG_SVG:
      case GUMBO_TAG_FORM:
      case GUMBO_TAG_BUTTON:
      case GUMBO_TAG_SELECT:
        return;
      case GUMBO_TAG_TITLE:
        return read_title(e);
      case GUMBO_TAG_BR:
        out_ += '\n';
        return;
      case GUMBO_TAG_PRE:
        return pre(e, depth);
      case GUMBO_TAG_H1:
      case GUMBO_TAG_H2:
      case GUMBO_TAG_H3:
      case GUMBO_TAG_H4:
      case GUMBO_TAG_H5:
      case GUMBO_TAG_H6:
        block();
        out_ += std::string(static_cast<std::size_t>(e.tag - GUMBO_TAG_H1) + 1, '#') + " ";
        children(e, depth);
        return block();
      case GUMBO_TAG_LI:
        line();
        out_ += "- ";
        children(e, depth);
        return line();
      case GUMBO_TAG_TR:
        line();
        children(e, depth);
        return line();
      case GUMBO_TAG_TD:
      case GUMBO_TAG_TH:
        children(e, depth);
        out_ += " ";
        return;
      case GUMBO_TAG_P:
      case GUMBO_TAG_DIV:
      case GUMBO_TAG_SECTION:
      case GUMBO_TAG_ARTICLE:
      case GUMBO_TAG_UL:
      case GUMBO_TAG_OL:
      case GUMBO_TAG_TABLE:
      case GUMBO_TAG_BLOCKQUOTE:
      case GUMBO_TAG_HEADER:
      case GUMBO_TAG_FOOTER:
      case GUMBO_TAG_MAIN:
      case GUMBO_TAG_DL:
      case GUMBO_TAG_FIGURE:
        block();
        children(e, depth);
        return block();
      default:
        children(e, depth);
    }
  }

  void children(const GumboElement& e, int depth) {
    for (unsigned i = 0; i < e.children.length; ++i) node(static_cast<const GumboNode*>(e.children.data[i]), depth + 1);
  }

  void read_title(const GumboElement& e) {
    if (!title_ || !title_->empty() || e.children.length == 0) return;
    const auto* n = static_cast<const GumboNode*>(e.children.data[0]);
    if (n->type == GUMBO_NODE_TEXT) *title_ = n->v.text.text;
  }

  void pre(const GumboElement& e, int depth) {
    block();
    out_ += "```\n";
    as_is_ = true;
    children(e, depth);
    as_is_ = false;
    line();
    out_ += "```";
    block();
  }

  void text(const char* s) {
    if (as_is_) {
      out_ += s;
      return;
    }
    for (; *s; ++s) {
      const bool space = *s == ' ' || *s == '\n' || *s == '\t' || *s == '\r';
      if (!space)
        out_ += *s;
      else if (!out_.empty() && out_.back() != ' ' && out_.back() != '\n')
        out_ += ' ';
    }
  }

  void line() {
    while (!out_.empty() && out_.back() == ' ') out_.pop_back();
    if (!out_.empty() && out_.back() != '\n') out_ += '\n';
  }
  void block() {
    line();
    if (!out_.empty() && !out_.ends_with("\n\n")) out_ += '\n';
  }

  std::string* title_;
  std::string out_;
  bool as_is_ = false;
};

}  // namespace

std::string html_text(std::string_view html, std::string* title) {
  const auto free = [](GumboOutput* o) { gumbo_destroy_output(&kGumboDefaultOptions, o); };
  const std::unique_ptr<GumboOutput, decltype(free)> page(
      gumbo_parse_with_options(&kGumboDefaultOptions, html.data(), html.size()), free);
  Writer w(title);
  if (page) w.node(page->root, 0);
  return w.take();
}

}  // namespace lq
