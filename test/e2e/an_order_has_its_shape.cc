// What a buyer gets: 201 and an order with every promised field, which he can read again, find in
// his list and nobody else can see.

#include <doctest/doctest.h>
#include <regex>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

int64_t unix_ms(const std::string& text) {
  tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S.", &parts);
  return rest == nullptr ? 0 : timegm(&parts) * 1000 + std::atoi(rest);
}

void check_shape(const Json& order, const Ask& ask) {
  static const std::regex id("[0-9a-f]{16}"),
      time("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z");
  CHECK(std::regex_match(order["order_id"].text(), id));
  CHECK(order["item"].text() == ask.item);
  CHECK(order["qty"].number() == ask.quantity);
  CHECK(order["user"].text() == ask.user);
  CHECK(order["state"].text() == "reserved");
  CHECK(order["refund_due"].number() == 0);
  CHECK(order["amount"].number() == 55350 * ask.quantity);
  CHECK(order["currency"].text() == "CNY");
  CHECK(std::regex_match(order["created_at"].text(), time));
  CHECK(std::regex_match(order["pay_before"].text(), time));
}

TEST_SUITE("e2e/an_order_has_its_shape") {
  TEST_CASE("an accepted order carries every field") {
    Server server({.catalog = catalog({{.pay_window_s = 1800}})});
    Ask ask{.user = "u1", .quantity = 2};
    Response response = server.order(ask);
    REQUIRE(response.status == 201);
    CHECK(response.header("Content-Type").rfind("application/json", 0) == 0);
    Json order = response.json();
    check_shape(order, ask);
    int64_t created = unix_ms(order["created_at"].text());
    CHECK(unix_ms(order["pay_before"].text()) - created == 1'800'000);
    CHECK(std::abs(created - time(nullptr) * 1000) < 60'000);
    CHECK(!order.has("replayed"));
  }

  TEST_CASE("an order reads as it was accepted") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{.stock = 100}}), .shards = shards});
      for (int i = 0; i < 20; ++i) {
        Ask ask{.user = "user-" + std::to_string(i), .quantity = 1 + i % 3};
        Response created = server.order(ask);
        REQUIRE(created.status == 201);
        Response read = server.read(ask.user, created.json()["order_id"].text());
        CHECK(read.status == 200);
        check_shape(read.json(), ask);
        CHECK(read.json()["created_at"].text() == created.json()["created_at"].text());
        CHECK(read.json()["pay_before"].text() == created.json()["pay_before"].text());
      }
    }
  }

  TEST_CASE("a list has the caller's orders of that item with the newest first") {
    Server server(
        {.catalog = catalog({{.stock = 100}, {.code = "other", .stock = 100}}), .shards = 2});
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
      ids.insert(ids.begin(), server.buy({.user = "alice"}));
      server.buy({.user = "alice", .item = "other"});
      server.buy({.user = "bob"});
    }
    server.cancel("alice", ids[2]);
    Response response = server.list("alice");
    REQUIRE(response.status == 200);
    Json orders = response.json()["orders"];
    REQUIRE(orders.size() == ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
      CHECK(orders.at(i)["order_id"].text() == ids[i]);
      CHECK(orders.at(i)["state"].text() == (i == 2 ? "cancelled" : "reserved"));
    }
  }

  TEST_CASE("a user without orders has an empty list") {
    Server server({.catalog = catalog({{}})});
    Response response = server.list("nobody");
    CHECK(response.status == 200);
    CHECK(response.json()["orders"].is_array());
    CHECK(response.json()["orders"].size() == 0);
  }

  TEST_CASE("a list of an unknown item is refused") {
    Server server({.catalog = catalog({{}})});
    Response response = server.list("u1", "nothing");
    CHECK(response.status == 404);
    CHECK(response.code() == "unknown_item");
  }

  TEST_CASE("another user's order answers exactly as one that does not exist") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    std::string id = server.buy({.user = "alice"});
    std::string forged = id;
    forged[9] = forged[9] == '0' ? '1' : '0';
    Response foreign = server.read("mallory", id), unknown = server.read("mallory", forged);
    CHECK(foreign.status == 404);
    CHECK(foreign.code() == "unknown_order");
    CHECK(foreign.body == unknown.body);
    CHECK(server.cancel("mallory", id).status == 404);
    CHECK(server.cancel("mallory", id).code() == "unknown_order");
    CHECK(server.state_of("alice", id) == "reserved");
    CHECK(server.list("mallory").json()["orders"].size() == 0);
  }

  TEST_CASE("an id that is no id is an unknown order") {
    Server server({.catalog = catalog({{}})});
    std::string id = server.buy({.user = "alice"});
    for (std::string bad :
         {id.substr(1), id + "0", std::string("zzzzzzzzzzzzzzzz"), std::string("0000000000000000"),
          std::string("%00"), "+" + id.substr(1)}) {
      CAPTURE(bad);
      CHECK(server.read("alice", bad).status == 404);
      CHECK(server.cancel("alice", bad).status == 404);
    }
    CHECK(server.state_of("alice", id) == "reserved");
  }

  TEST_CASE("an order of another node is misdirected and the answer names the node") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    char id[17];
    std::snprintf(id, sizeof id, "%016llx", (5ULL << 54) | (1ULL << 14) | 1);
    for (Response response :
         {server.read("alice", id), server.cancel("alice", id), server.pay(id)}) {
      CHECK(response.status == 421);
      CHECK(response.code() == "misdirected");
      CHECK(response.json()["node"].number() == 5);
    }
  }

  TEST_CASE("ids carry the node and are unique") {
    Server server(
        {.catalog = catalog({{.stock = 2'000}}), .shards = 5, .flags = {{"--node", "1023"}}});
    std::map<std::string, int> seen;
    for (const Outcome& outcome : rush_until_decided(server.address(), crowd(2'000))) {
      REQUIRE(outcome.order_id.size() == 16);
      ++seen[outcome.order_id];
      CHECK((std::stoull(outcome.order_id, nullptr, 16) >> 54) == 1023);
    }
    CHECK(seen.size() == 2'000);
  }
}

}  // namespace
}  // namespace stampede::e2e
