#include "ledger/book.h"

#include <doctest/doctest.h>

#include <vector>

#include "../base/death.h"

namespace stampede::ledger {
namespace {

Book book_of(Units supplied, Units withdrawn, const std::vector<StreamCount>& counts) {
  Book book(static_cast<uint32_t>(counts.size()));
  REQUIRE(book.start(0, supplied, withdrawn, counts));
  return book;
}

TEST_SUITE("ledger/book") {
  TEST_CASE("a start counts what is held and withdrawn and what lies unsold in pools") {
    const Book book =
        book_of(20, 3, {{.accepted = 6, .returned = 1, .pool = 2}, {.accepted = 4, .pool = 4}});
    CHECK(book.free(0) == 8);
    CHECK(book.total(0) == 17);
    CHECK(book.news_for(0, 0).pool_elsewhere == 4);
    CHECK(book.news_for(1, 0).pool_elsewhere == 2);
    CHECK(book.news_for(0, 0).accepted == 6);
    CHECK(book.news_for(0, 0).returned == 1);
  }

  TEST_CASE("a book has the counters of each stream and no other") {
    Book book(2);
    const std::vector<StreamCount> counts(1);
    CHECK(death_of([&] { (void)book.start(0, 1, 0, counts); }).signal == SIGABRT);
  }

  TEST_CASE("counters that go backwards are faults") {
    Book book = book_of(10, 0, std::vector<StreamCount>(1));
    (void)book.ask(0, {.item = 0, .want = 4});
    (void)book.ask(0, {.item = 0, .accepted = 4, .returned = 2, .pool = 2});
    CHECK(death_of([&] { (void)book.ask(0, {.item = 0, .returned = 1}); }).signal == SIGABRT);
    CHECK(death_of([&] { (void)book.ask(0, {.item = 0, .returned = 5}); }).signal == SIGABRT);
    CHECK(death_of([&] { book.supply(0, 9); }).signal == SIGABRT);
    book.supply(0, 12);
    CHECK(book.free(0) == 10);
  }

  TEST_CASE("a withdrawal takes no more than is free and leaves the total") {
    Book book = book_of(10, 0, std::vector<StreamCount>(1));
    (void)book.ask(0, {.item = 0, .want = 4});
    CHECK_FALSE(book.withdraw(0, 7));
    CHECK(book.total(0) == 10);
    CHECK(book.withdraw(0, 6));
    CHECK(book.total(0) == 4);
    CHECK(book.free(0) == 0);
  }

  TEST_CASE("others are concerned when units become free or run out and when the last is sold") {
    Book book = book_of(2, 0, std::vector<StreamCount>(2));
    CHECK_FALSE(book.ask(0, {.item = 0, .want = 1}).concerns_others);
    CHECK(book.ask(0, {.item = 0, .pool = 1, .want = 1}).concerns_others);  // none is free any more
    CHECK_FALSE(book.ask(0, {.item = 0, .pool = 1}).concerns_others);
    CHECK(book.ask(0, {.item = 0, .pool = 0}).concerns_others);  // sold out
    CHECK(book.ask(0, {.item = 0, .returned = 1}).concerns_others);
  }
}

}  // namespace
}  // namespace stampede::ledger
