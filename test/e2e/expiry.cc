// A reservation that nobody pays for gives its units back once, after its window and not before.

#include <doctest/doctest.h>
#include <chrono>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/expiry") {
  TEST_CASE("unpaid orders expire and their units are sold again") {
    for (int shards : {1, 5}) {
      CAPTURE(shards);
      Server server({.catalog = catalog({{.stock = 100, .pay_window_s = 1}}), .shards = shards});
      auto first = rush_until_decided(server.address(), crowd(100, "lazy"));
      CHECK(tally(first)["201"] == 100);
      CHECK(wait_until([&] { return server.books().reserved == 0; }));
      for (const Outcome& outcome : first)
        CHECK(server.state_of(outcome.ask.user, outcome.order_id) == "expired");
      Books books = server.books();
      CHECK(books.ok);
      CHECK(books.free + books.leased == 100);
      size_t sold = 0;
      int round = 0;
      CHECK(wait_until([&] {
        sold += tally(
            rush(server.address(), crowd(100, "keen" + std::to_string(round++) + "-")))["201"];
        return sold >= 100;
      }));
      server.check_books();
    }
  }

  TEST_CASE("no order expires before its time") {
    Server server({.catalog = catalog({{.pay_window_s = 2}}), .shards = 2});
    auto asked = std::chrono::steady_clock::now();
    std::string id = server.buy({.user = "u1"});
    CHECK(wait_until([&] { return server.state_of("u1", id) == "expired"; }));
    CHECK(std::chrono::steady_clock::now() - asked >= std::chrono::seconds{2});
  }

  TEST_CASE("a paid order does not expire") {
    Server server({.catalog = catalog({{.pay_window_s = 1}})});
    std::string paid = server.buy({.user = "u1"}), unpaid = server.buy({.user = "u2"});
    REQUIRE(server.pay(paid).status == 200);
    CHECK(wait_until([&] { return server.state_of("u2", unpaid) == "expired"; }));
    CHECK(server.state_of("u1", paid) == "paid");
    CHECK(server.books().paid == 1);
  }

  TEST_CASE("five thousand reservations that end together come back once each") {
    Server server({.catalog = catalog({{.stock = 5'000, .pay_window_s = 2}}), .shards = 2});
    CHECK(tally(rush_until_decided(server.address(), crowd(5'000)))["201"] == 5'000);
    CHECK(wait_until([&] { return server.books().reserved == 0; }));
    Books books = server.books();
    CHECK(books.ok);
    CHECK(books.free + books.leased == 5'000);
    server.check_books();
    CHECK(Database(server.database_path())
              .number("select count(*) from orders where state='expired'") == 5'000);
  }

  TEST_CASE("a server that was stopped for longer than the window expires its orders once") {
    Server server({.catalog = catalog({{.stock = 50, .pay_window_s = 1}}), .shards = 2});
    auto outcomes = rush_until_decided(server.address(), crowd(50));
    std::string paid_late = outcomes[7].order_id;
    server.pause();
    // The callback waits in the socket while the window passes; its order's owner decides which
    // came first.
    std::string body = payment_body({});
    Http provider = server.client();
    REQUIRE(provider.connect());
    REQUIRE(provider.send(request_text("POST", "/v1/orders/" + paid_late + "/payment",
                                       {{"Stampede-Signature", signature(body)}}, body)));
    CHECK(!provider.has_input(milliseconds{1'500}));
    server.go_on();
    Response answer = provider.receive();
    CHECK((answer.status == 200 || answer.status == 503));
    CHECK(wait_until([&] { return (answer = server.pay(paid_late)).status == 200; }));
    CHECK(answer.json()["state"].text() == "paid");
    CHECK(wait_until([&] { return server.books().reserved == 0; }));
    CHECK(server.books().paid == 1);
    server.check_books();
  }
}

}  // namespace
}  // namespace stampede::e2e
