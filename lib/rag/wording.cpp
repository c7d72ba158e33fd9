#include "wording.hpp"

#include <algorithm>
#include <array>

#include "loquor/rag/answer.hpp"

namespace lq {
namespace {

constexpr std::string_view kFunctionWords[] = {
    "a",    "an",  "the",  "of",    "in",   "on",    "at",   "to",    "is",    "are", "was",  "were", "it",
    "its",  "and", "or",   "by",    "for",  "that",  "this", "these", "those", "be",  "been", "as",   "with",
    "from", "has", "have", "had",   "do",   "does",  "did",  "what",  "which", "who", "whom", "when", "where",
    "why",  "how", "can",  "could", "will", "would", "i",    "you",   "me",    "my",  "your", "there"};

char lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c); }

bool of_word(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u >= 0x80 || (u >= '0' && u <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& w : words) out += (out.empty() ? "" : " ") + w;
  return out;
}

}  // namespace

std::vector<std::string> all_words(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  for (const char c : text) {
    if (of_word(c)) {
      word += lower(c);
    } else if (!word.empty()) {
      out.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) out.push_back(word);
  return out;
}

std::vector<std::string> content_words(std::string_view text) {
  std::vector<std::string> out = all_words(text);
  std::erase_if(out, [](const std::string& w) {
    return std::find(std::begin(kFunctionWords), std::end(kFunctionWords), w) != std::end(kFunctionWords);
  });
  return out;
}

std::vector<std::string> names_in(std::string_view question) {
  std::vector<std::string> out;
  bool begins = true;
  for (std::size_t i = 0; i < question.size();) {
    if (!of_word(question[i])) {
      if (question[i] == '.' || question[i] == '?' || question[i] == '!' || question[i] == ':') begins = true;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < question.size() && of_word(question[end])) ++end;
    const std::string_view word = question.substr(i, end - i);
    if (!begins && word.size() > 1 && word[0] >= 'A' && word[0] <= 'Z') out.push_back(all_words(word)[0]);
    begins = false;
    i = end;
  }
  return out;
}

double supported_by(std::string_view answer, std::string_view text) {
  const auto said = content_words(answer), there = all_words(text);
  const std::set<std::string> has(there.begin(), there.end());
  if (said.empty()) return 0;
  const auto n = std::count_if(said.begin(), said.end(), [&](const std::string& w) { return has.count(w) > 0; });
  return static_cast<double>(n) / static_cast<double>(said.size());
}

bool says_nothing(std::string_view answer) {
  const std::string said = " " + joined(all_words(answer)) + " ";
  if (said == "  " || said == " none " || said.starts_with(" none ")) return true;
  for (const char* no :
       {" i don t know ", " i do not know ", " not mentioned ", " does not say ", " do not answer ",
        " does not answer ", " no answer ", " not provided ", " cannot be determined ", " no information "})
    if (said.find(no) != std::string::npos) return true;
  return false;
}

// Verbs of overriding near what is overridden, or the roles of a conversation spelled out. Found by words, so that
// spacing, case and punctuation do not hide them.
bool gives_orders(std::string_view text) {
  const std::string said = " " + joined(all_words(text)) + " ";
  constexpr std::array<const char*, 8> kOverride = {" ignore ",       " disregard ",     " forget ",
                                                    " override ",     " overrule ",      " do not follow ",
                                                    " don t follow ", " stop following "};
  constexpr std::array<const char*, 12> kOverridden = {
      " instructions ", " instruction ", " prompt ", " prompts ",       " rules ",           " guidelines ",
      " above ",        " previous ",    " prior ",  " other sources ", " other documents ", " context "};
  constexpr std::size_t kNear = 60;
  for (const char* verb : kOverride)
    for (std::size_t at = said.find(verb); at != std::string::npos; at = said.find(verb, at + 1)) {
      const std::string_view near = std::string_view(said).substr(at, kNear);
      for (const char* what : kOverridden)
        if (near.find(what) != std::string_view::npos) return true;
    }
  for (const char* phrase : {" you are now ",
                             " new instructions ",
                             " system prompt ",
                             " you must answer ",
                             " you must reply ",
                             " you must respond ",
                             " always answer ",
                             " always reply ",
                             " always respond ",
                             " answer only with ",
                             " reply only with ",
                             " respond only with ",
                             " instead answer ",
                             " instead say ",
                             " the assistant must ",
                             " as an ai ",
                             " note to the assistant ",
                             " attention ai ",
                             " act as ",
                             " pretend to be ",
                             " pretend that you ",
                             " im start ",
                             " im end "})
    if (said.find(phrase) != std::string::npos) return true;
  return false;
}

}  // namespace lq
