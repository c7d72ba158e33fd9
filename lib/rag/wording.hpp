// Words of texts, for comparing what sources and answers say.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lq {

// Lower case (ASCII), of letters, digits and bytes over 127.
std::vector<std::string> all_words(std::string_view text);
// Without articles, auxiliary verbs, question words and the like.
std::vector<std::string> content_words(std::string_view text);
// Names in a question: words with a capital that do not begin a sentence, in lower case.
std::vector<std::string> names_in(std::string_view question);
// The fraction of the answer's content words that the text has; 0 for an answer without any.
double supported_by(std::string_view answer, std::string_view text);
// Whether the text says that there is no answer, as models are told to.
bool says_nothing(std::string_view answer);

}  // namespace lq
