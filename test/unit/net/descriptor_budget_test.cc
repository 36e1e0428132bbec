#include "net/descriptor_budget.h"

#include <doctest/doctest.h>

#include <string>

#include "../base/death.h"

namespace stampede::net {
namespace {

TEST_SUITE("net/descriptor_budget") {
  TEST_CASE("places are taken to the last one and given back") {
    DescriptorBudget budget(2, 0);
    CHECK(budget.take(false));
    CHECK(budget.take(false));
    CHECK(!budget.take(false));
    CHECK(budget.open() == 2);
    budget.give();
    CHECK(budget.take(false));
    CHECK(!budget.take(false));
  }

  TEST_CASE("operators get in when buyers have taken all") {
    DescriptorBudget budget(2, 1);
    CHECK(budget.take(false));
    CHECK(budget.take(false));
    CHECK(!budget.take(false));
    CHECK(budget.take(true));
    CHECK(!budget.take(true));
    budget.give();
    CHECK(!budget.take(false));
    CHECK(budget.take(true));
  }

  TEST_CASE("a full table is told once until an eighth of it was free") {
    const Death told = death_of([] {
      DescriptorBudget budget(16, 0);
      for (int i = 0; i < 16; ++i) REQUIRE(budget.take(false));
      for (int i = 0; i < 3; ++i) CHECK(!budget.take(false));
      budget.give();
      CHECK(budget.take(false));
      CHECK(!budget.take(false));
      for (int i = 0; i < 3; ++i) budget.give();
      for (int i = 0; i < 3; ++i) CHECK(budget.take(false));
      for (int i = 0; i < 3; ++i) CHECK(!budget.take(false));
    });
    CHECK(told.exit_code == kSurvived);
    size_t lines = 0;
    for (const char c : told.words) lines += c == '\n';
    CHECK(lines == 2);
    CHECK(told.words.find("16 connections are open") != std::string::npos);
  }

  TEST_CASE("fewer places hold for newcomers and never more than at the start") {
    DescriptorBudget budget(4, 1);
    for (int i = 0; i < 3; ++i) CHECK(budget.take(false));
    budget.limit(2);
    CHECK(!budget.take(false));
    CHECK(budget.open() == 3);
    budget.give();
    budget.give();
    CHECK(budget.take(false));
    CHECK(!budget.take(false));
    CHECK(budget.take(true));
    for (const uint32_t all : {0u, 4u, 1'000u}) {
      budget.limit(2);
      budget.limit(all);
      CHECK(budget.take(false));
      CHECK(!budget.take(false));
      budget.give();
    }
  }

  TEST_CASE("one beyond the places is counted until it goes") {
    DescriptorBudget budget(1, 0);
    CHECK(budget.take(false));
    CHECK(!budget.take(false));
    CHECK(!budget.take_beyond());
    CHECK(budget.open() == 2);
    budget.give();
    CHECK(!budget.take(false));
    budget.give();
    CHECK(budget.take(false));
  }

  TEST_CASE("beyond the places as many may stay as are kept for few") {
    DescriptorBudget budget(1, 2);
    CHECK(budget.take(false));
    CHECK(budget.take_beyond());
    CHECK(budget.take(true));
    CHECK(!budget.take(true));
    CHECK(!budget.take_beyond());
    CHECK(budget.open() == 4);
  }

  TEST_CASE("a place that nobody took cannot be given back") {
    CHECK(death_of([] { DescriptorBudget(2, 0).give(); }).signal == SIGABRT);
  }
}

}  // namespace
}  // namespace stampede::net
