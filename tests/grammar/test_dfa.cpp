#include "loquor/grammar/dfa.hpp"

#include <catch2/catch.hpp>

#include "loquor/core/random.hpp"
#include "loquor/core/status.hpp"
#include "loquor/grammar/regex.hpp"

using lq::CharSet;
using lq::Dfa;

TEST_CASE("character sets join, cut and complement ranges", "[grammar]") {
  CharSet set('a', 'c');
  set.add('e', 'g');
  set.add('d', 'd');
  CHECK(set == CharSet('a', 'g'));
  set.add('z', 'z');
  CHECK(set.size() == 8);
  CHECK(set.complement().complement() == set);
  CHECK(set.minus(CharSet('b', 'y')).ranges() == std::vector<CharSet::Range>{{'a', 'a'}, {'z', 'z'}});
  CHECK(CharSet::any().complement().empty());
  CHECK_FALSE(set.contains('h'));
  CHECK(set.contains('g'));
}

TEST_CASE("character sets equal sets of bits", "[grammar]") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    lq::Random random(seed);
    CharSet a, b;
    std::vector<bool> in_a(40), in_b(40);
    for (int i = 0; i < 5; ++i)
      for (auto* which : {&a, &b}) {
        const auto first = static_cast<std::uint32_t>(random.next() % 40);
        const auto last = std::min<std::uint32_t>(39, first + static_cast<std::uint32_t>(random.next() % 6));
        which->add(first, last);
        for (auto c = first; c <= last; ++c) (which == &a ? in_a : in_b)[c] = true;
      }
    const CharSet both = a.intersect(b), less = a.minus(b), other = a.complement();
    for (std::uint32_t c = 0; c < 40; ++c) {
      CHECK(a.contains(c) == in_a[c]);
      CHECK(both.contains(c) == (in_a[c] && in_b[c]));
      CHECK(less.contains(c) == (in_a[c] && !in_b[c]));
      CHECK(other.contains(c) == !in_a[c]);
    }
  }
}

TEST_CASE("the algebra of automata agrees with that of sets of texts", "[grammar]") {
  const std::vector<std::string> patterns = {"a*",  "(ab|b)*a?", "[^a]b{1,2}", "",
                                             "b.*", "é+",        "a{2}|bb|",   "(a|b)*ab(a|b)"};
  std::vector<std::string> texts = {""};
  for (std::size_t i = 0; texts.size() < 400; ++i)
    for (const char* c : {"a", "b", "é"}) texts.push_back(texts[i] + c);
  for (const auto& p : patterns)
    for (const auto& q : patterns) {
      const Dfa a = lq::dfa_of_match(p), b = lq::dfa_of_match(q);
      const Dfa both = a.intersect(b), either = a.unite(b), less = a.minus(b), one = a.exclusive(b);
      CAPTURE(p, q);
      for (const auto& t : texts) {
        const bool in_a = a.accepts(t), in_b = b.accepts(t);
        CHECK(both.accepts(t) == (in_a && in_b));
        CHECK(either.accepts(t) == (in_a || in_b));
        CHECK(less.accepts(t) == (in_a && !in_b));
        CHECK(one.accepts(t) == (in_a != in_b));
      }
    }
  CHECK(lq::dfa_of_match("a+").disjoint(lq::dfa_of_match("b+")));
  CHECK_FALSE(lq::dfa_of_match("a+").disjoint(lq::dfa_of_match("[ab]")));
}

TEST_CASE("lengths count code points", "[grammar]") {
  const Dfa two = Dfa::of_length(2, 2);
  CHECK(two.accepts("éé"));
  CHECK(two.accepts("\xf0\x9f\x98\x80x"));
  CHECK_FALSE(two.accepts("é"));
  CHECK(Dfa::of_length(1, SIZE_MAX).accepts("abc"));
  CHECK(Dfa::of_length(3, 2).empty());
  CHECK_FALSE(Dfa::any().accepts("\xff"));
  CHECK_THROWS_AS(Dfa::of_length(0, 1'000'000), lq::Error);
}
