#include "base/result.h"

#include <doctest/doctest.h>

#include <memory>

#include "death.h"

namespace stampede {
namespace {

TEST_SUITE("base/result") {
  TEST_CASE("a result is a value or the error that says why there is none") {
    const Result<int> value = 7;
    REQUIRE(value);
    CHECK(*value == 7);
    const Result<int> none = Error{"catalog.json:1: it is empty"};
    CHECK_FALSE(none);
    CHECK(none.error().message == "catalog.json:1: it is empty");
  }

  TEST_CASE("a value that cannot be copied can be moved out") {
    Result<std::unique_ptr<int>> result = std::make_unique<int>(7);
    REQUIRE(result);
    const std::unique_ptr<int> taken = std::move(*result);
    CHECK(*taken == 7);
  }

  TEST_CASE("asking for the value of an error or the error of a value is a bug") {
    CHECK(death_of([] { (void)*Result<int>(Error{"no"}); }).signal == SIGABRT);
    CHECK(death_of([] { (void)Result<int>(7).error(); }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede
