// The operators' listener of a whole server in one thread: what the handler behind it answers.
#include "shard/admin.h"

#include "../../world/world.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::world;

namespace {

struct Rig {
  explicit Rig(uint32_t shards = 1)
      : world{{.shards = shards, .stock = 10, .admin_host = "here"}} {}

  Answer ask(std::string_view method, std::string_view target, std::string_view body = {},
             std::string_view headers = {}) {
    buyer.request(method, target, headers, body);
    return world.await_answer(buyer);
  }

  World world;
  Buyer& buyer = world.connect_operator();
};

}  // namespace

TEST_SUITE("shard/admin") {
  TEST_CASE("probes and pages are answered") {
    Rig rig;
    CHECK(rig.ask("GET", "/healthz").body == "{\"ok\":true}");
    CHECK(rig.ask("GET", "/admin/limits").status == 200);
    CHECK(rig.ask("GET", "/admin/status").body.find("\"item\":\"ticket\"") != std::string::npos);
    const Answer metrics = rig.ask("GET", "/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.body.size() > 8 * 1024);  // larger than what is copied into a buffer
    CHECK(metrics.body.find("stampede_") != std::string::npos);
  }

  TEST_CASE("a page of another origin is told nothing and changes nothing") {
    Rig rig;
    const std::string_view foreign = "Origin: https://evil.example\r\n";
    CHECK(rig.ask("GET", "/admin/status", {}, foreign).status == 403);
    CHECK(rig.ask("POST", "/admin/items/ticket/pause", {}, foreign).status == 403);
    CHECK(rig.ask("GET", "/admin/status", {}, "Origin: http://here\r\n").status == 200);
  }

  TEST_CASE("the turns of each shard are shown") {
    Rig rig(2);
    CHECK(rig.ask("GET", "/admin/turns").body.starts_with("{\"shard\":0,"));
    const Answer other = rig.ask("GET", "/admin/turns?shard=1");
    CHECK(other.body.starts_with("{\"shard\":1,"));
    CHECK(other.body.find("\"phases_ns\":{\"poll\":") != std::string::npos);
    CHECK(rig.ask("GET", "/admin/turns?shard=2").status == 400);
  }

  TEST_CASE("refusals of orders are shown by item and reason") {
    Rig rig;
    CHECK(rig.ask("GET", "/admin/status").body.find("refused") == std::string::npos);
    rig.world.process().publish_rules(
        {.limits = {.user = {.requests = 1, .window_ms = 3'600'000}}});
    Buyer& buyer = rig.world.connect(0);
    for (int i = 0; i < 3; ++i) {
      buyer.order("alice");
      rig.world.await_answer(buyer);
    }
    CHECK(rig.ask("GET", "/admin/status").body.find("\"refused\":{\"rate_limited_user\":2}") !=
          std::string::npos);
    CHECK(rig.ask("GET", "/metrics")
              .body.find("stampede_item_refusals_total{item=\"ticket\",code=\"rate_limited\","
                         "limit=\"user\"} 2") != std::string::npos);
  }

  TEST_CASE("the units of an item are shown as all shards together have them") {
    Rig rig(2);
    const std::string paid = rig.world.user_at(0), open = rig.world.user_at(1);
    for (const std::string& user : {paid, open}) {
      Buyer& buyer = rig.world.connect(0);
      buyer.order(user, 2);
      REQUIRE(rig.world.await_answer(buyer).status == 201);
    }
    const std::string text = rig.ask("GET", "/metrics").body;
    const auto value = [&](std::string_view name) {
      const std::string sample = "\nstampede_item_" + std::string(name) + "{item=\"ticket\"} ";
      const size_t at = text.find(sample);
      REQUIRE(at != std::string::npos);
      return std::stoul(text.substr(at + sample.size()));
    };
    CHECK(value("reserved_units") == 4);
    CHECK(value("sold_units_total") == 4);
    CHECK(value("paid_units") == 0);
    CHECK(value("free_units") + value("leased_units") == 6);
    CHECK(value("expired_units_total") == 0);
  }

  TEST_CASE("a scrape names the items that it wants") {
    Rig rig;
    CHECK(rig.ask("GET", "/metrics?item=ticket")
              .body.find("stampede_item_free_units{item=\"ticket\"}") != std::string::npos);
    CHECK(rig.ask("GET", "/metrics?item=ticket&item=nothing").status == 404);
    CHECK(rig.ask("GET", "/metrics?item=").status == 400);
  }

  TEST_CASE("scrapes that come together are answered one after the other") {
    Rig rig(2);
    Buyer& other = rig.world.connect_operator();
    for (int i = 0; i < 3; ++i) {
      rig.buyer.request("GET", "/metrics");
      other.request("GET", "/metrics");
    }
    for (int i = 0; i < 3; ++i) {
      CHECK(rig.world.await_answer(rig.buyer).status == 200);
      CHECK(rig.world.await_answer(other).status == 200);
    }
  }

  TEST_CASE("what is not there or not allowed is refused") {
    Rig rig;
    CHECK(rig.ask("GET", "/v1/time").status == 404);
    CHECK(rig.ask("POST", "/metrics", "{}").status == 405);
    CHECK(rig.ask("POST", "/admin/items/nothing/pause", "{}").status == 404);
    CHECK(rig.ask("GET", "/admin/status?after=nothing").status == 404);
    CHECK(rig.ask("POST", "/admin/items/ticket/restock", "{\"op_id\":\"r1\"}").status == 400);
  }

  TEST_CASE(
      "a user whom an operator blocks gets no new orders on any shard and keeps what he has") {
    Rig rig(2);
    const std::string user = rig.world.user_at(1);
    Buyer& first = rig.world.connect(0);
    first.order(user, 1, "k1");
    const Answer held = rig.world.await_answer(first);
    REQUIRE(held.status == 201);
    CHECK(rig.ask("PUT", "/admin/blocked/users/" + user, "{}").member("word") == "blocked");
    for (uint32_t shard : {0, 1}) {
      Buyer& buyer = rig.world.connect(shard);
      buyer.order(user, 1, "k2");
      CHECK(rig.world.await_answer(buyer).member("code") == "blocked");
      buyer.order(user, 1, "k1");
      CHECK(rig.world.await_answer(buyer).member("replayed") == "true");
      buyer.read(user, held.member("order_id"));
      CHECK(rig.world.await_answer(buyer).member("state") == "reserved");
      buyer.order("somebody-else");
      CHECK(rig.world.await_answer(buyer).status == 201);
    }
    first.cancel(user, held.member("order_id"));
    CHECK(rig.world.await_answer(first).member("state") == "cancelled");
    CHECK(rig.ask("DELETE", "/admin/blocked/users/" + user).member("word") == "none");
    first.order(user, 1, "k2");
    CHECK(rig.world.await_answer(first).status == 201);
  }

  TEST_CASE("an address that an operator blocks gets nothing but payments on any shard") {
    Rig rig(2);
    CHECK(rig.ask("PUT", "/admin/blocked/addresses/198.51.100.0%2F24", "{}").status == 200);
    for (uint32_t shard : {0, 1}) {
      Buyer& stranger = rig.world.connect(shard);
      stranger.order("u" + std::to_string(shard));
      const Answer held = rig.world.await_answer(stranger);
      REQUIRE(held.status == 201);
      Buyer& buyer = rig.world.connect(shard);
      buyer.end().set_address(*net::parse_address("198.51.100.7:1"));
      buyer.order("u1");
      CHECK(rig.world.await_answer(buyer).member("code") == "blocked");
      buyer.request("GET", "/v1/time");
      CHECK(rig.world.await_answer(buyer).member("code") == "blocked");
      buyer.pay(held.member("order_id"), "p1", 100, rig.world.payment_key(), rig.world.now_unix());
      CHECK(rig.world.await_answer(buyer).member("state") == "paid");
    }
  }

  TEST_CASE("a change needs a token when there are tokens and is recorded under its name") {
    Rig rig;
    rig.world.process().operators.store(std::make_shared<const door::Operators>(
        *door::Operators::parse("alice alices-own-token-1", "tokens")));
    CHECK(rig.ask("GET", "/admin/limits").status == 401);
    CHECK(rig.ask("PUT", "/admin/limits", R"({"lease_max":5})", "Authorization: Bearer alice\r\n")
              .status == 401);
    CHECK(rig.ask("GET", "/healthz").status == 200);
    CHECK(rig.world.process().lease_max == 256);
    CHECK(rig.ask("PUT", "/admin/limits", R"({"lease_max":5})",
                  "Authorization: Bearer alices-own-token-1\r\n")
              .status == 200);
    CHECK(rig.world.process().lease_max == 5);
  }

  TEST_CASE("answers of several turns leave in the order of the requests") {
    Rig rig;
    rig.buyer.request("GET", "/admin/audit");
    rig.buyer.request("POST", "/admin/items/ticket/restock", {}, "{\"op_id\":\"r1\",\"delta\":5}");
    rig.buyer.request("GET", "/healthz");
    const Answer audit = rig.world.await_answer(rig.buyer);
    CHECK(audit.body.find("\"ok\":true") != std::string::npos);
    const Answer restock = rig.world.await_answer(rig.buyer);
    CHECK(restock.member("applied") == "true");
    CHECK(restock.member("total") == "15");
    CHECK(rig.world.await_answer(rig.buyer).body == "{\"ok\":true}");
    const Answer repeat =
        rig.ask("POST", "/admin/items/ticket/restock", "{\"op_id\":\"r1\",\"delta\":5}");
    CHECK(repeat.member("applied") == "false");
    CHECK(repeat.member("total") == "15");
  }

  TEST_CASE("a paused sale sells nothing and operators are not counted as buyers") {
    Rig rig;
    Buyer& buyer = rig.world.connect(0);
    CHECK(rig.ask("POST", "/admin/items/ticket/pause", "{}").status == 200);
    buyer.order("u1");
    CHECK(rig.world.await_answer(buyer).member("code") == "sale_paused");
    CHECK(rig.ask("POST", "/admin/items/ticket/resume", "{}").status == 200);
    buyer.order("u1");
    CHECK(rig.world.await_answer(buyer).status == 201);
    CHECK(rig.world.process().metrics[0]->requests.get() == 2);
  }
}
