// The names and tokens of operators.
#include "door/operators.h"

#include <doctest/doctest.h>

namespace stampede::door {
namespace {

const std::string kA = "aaaaaaaaaaaaaaaa", kB = "bbbbbbbbbbbbbbbbbbbb";

std::string complaint(std::string_view text) {
  const Result<Operators> parsed = Operators::parse(text, "tokens");
  return parsed ? "" : parsed.error().message;
}

TEST_SUITE("door/operators") {
  TEST_CASE("each token has the name of its line") {
    const Result<Operators> all =
        Operators::parse("# who may\n\nalice " + kA + "\r\n\tdeploy-1 \t" + kB + "  ", "tokens");
    REQUIRE(bool(all));
    CHECK(all->count() == 2);
    CHECK(all->name_of(kA) == "alice");
    CHECK(all->name_of(kB) == "deploy-1");
    for (const std::string& token :
         {std::string(), kA + "a", kA.substr(1), std::string("alice"), "alice " + kA})
      CHECK_FALSE_MESSAGE(all->name_of(token), token);
  }

  TEST_CASE("one token without a name is the operator") {
    for (const char* end : {"", "\n", "\r\n", " \n\n# the only one\n"}) {
      const Result<Operators> one = Operators::parse(kA + end, "tokens");
      REQUIRE(bool(one));
      CHECK(one->name_of(kA) == "operator");
      CHECK(bool(Operators::parse("\xef\xbb\xbf" + kA + end, "tokens")));
    }
  }

  TEST_CASE("a wrong file is refused with its line and without its tokens") {
    for (const auto& [text, words] : {
             std::pair<std::string, std::string>{"", "tokens: expected a token"},
             {"\n# nobody\n", "tokens: expected a token"},
             {"secret", "tokens:1: expected a token of at least 16"},
             {"alice secret", "tokens:1: expected a token of at least 16"},
             {"alice secret-with a blank", "tokens:1: expected a token of at least 16"},
             {"al.ice " + kA, "tokens:1: an operator's name is"},
             {"local " + kA, "tokens:1: the name local"},
             {"alice " + kA + "\nalice " + kB, "tokens:2: the name alice is given twice"},
             {"alice " + kA + "\nbob " + kA, "tokens:2: the token of alice is given twice"},
             {kA + "\n" + kB, "tokens:1: a token without a name must be the only one"},
             {kA + "\nbob " + kB, "tokens:1: a token without a name must be the only one"},
             {"alice " + kA + "\n" + kB, "tokens:2: expected NAME TOKEN"},
         }) {
      CHECK_MESSAGE(complaint(text).starts_with(words), complaint(text));
      CHECK(complaint(text).find(kA) == std::string::npos);
      CHECK(complaint(text).find("secret") == std::string::npos);
    }
  }

  TEST_CASE("there is a bound on operators") {
    std::string text;
    for (unsigned i = 0; i < bounds::operators_max; ++i)
      text += "n" + std::to_string(i) + " token-of-sixteen-" + std::to_string(i) + "\n";
    CHECK(complaint(text).empty());
    CHECK(complaint(text + "more " + kA).starts_with("tokens:65: more than 64"));
  }
}

}  // namespace
}  // namespace stampede::door
