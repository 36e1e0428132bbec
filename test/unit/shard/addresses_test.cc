// Limits of addresses in a whole server: two shards, gateways and strangers, and those who must never be refused.
#include "../../world/world.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::shard {
namespace {

using world::Answer;
using world::Buyer;
using world::World;

constexpr int64_t kHour = 3'600 * kSecond;

// N requests an hour, of whoever counts as one address.
door::Rules rate_of(uint32_t requests, std::string_view header = {}) {
  door::Rules rules;
  rules.limits.address = {.requests = requests, .window_ms = 3'600'000};
  rules.address_header = header;
  return rules;
}

door::Rules connections_of(uint32_t most) {
  door::Rules rules;
  rules.limits.connections_address = most;
  return rules;
}

Answer time(World& world, Buyer& buyer, std::string_view headers = {}) {
  buyer.request("GET", "/v1/time", headers);
  return world.await_answer(buyer);
}

Answer order(World& world, Buyer& buyer, std::string_view user, std::string_view key = {}) {
  buyer.order(user, 1, key);
  return world.await_answer(buyer);
}

net::Address ip(std::string_view text) {
  const std::string with_port =
      text.find(':') == text.npos ? std::string(text) + ":1" : "[" + std::string(text) + "]:1";
  Result<net::Address> address = net::parse_address(with_port);
  REQUIRE(address);
  return *address;
}

Buyer& from(World& world, std::string_view address, uint32_t shard = 0) {
  Buyer& buyer = world.connect(shard);
  buyer.end().set_address(ip(address));
  return buyer;
}

uint64_t sum_of(World& world, Counter Metrics::*counter) {
  uint64_t sum = 0;
  for (const auto& metrics : world.process().metrics) sum += ((*metrics).*counter).get();
  return sum;
}

TEST_SUITE("shard/addresses") {
  TEST_CASE("an allowance is one for all shards and all connections of an address") {
    World world({.shards = 2});
    world.process().publish_rules(rate_of(4));
    for (int i = 0; i < 4; ++i) CHECK(time(world, world.connect(i % 2)).status == 200);
    for (const uint32_t shard : {0u, 1u}) {
      const Answer refused = time(world, world.connect(shard));
      CHECK(refused.status == 429);
      CHECK(refused.member("code") == "rate_limited");
      CHECK(refused.member("limit") == "address");
    }
    CHECK(time(world, from(world, "192.0.2.1")).status == 200);
    CHECK(world.process().metrics[0]->limited[unsigned(Limit::address)].get() == 1);
  }

  TEST_CASE("whoever waits as long as he was told is served and a millisecond earlier he is not") {
    World world({});
    world.process().publish_rules(rate_of(1));
    Buyer& buyer = world.connect(0);
    CHECK(time(world, buyer).status == 200);
    buyer.request("GET", "/v1/time");
    world.turn(0);
    world.turn(0);
    const int64_t wait_ms = std::stoll(buyer.take_answer().member("retry_after_ms"));
    world.clock.advance((wait_ms - 1) * kMillisecond);
    Buyer& early = world.connect(0);
    early.request("GET", "/v1/time");
    world.turn(0);
    world.turn(0);
    world.clock.advance(kMillisecond);
    CHECK(early.take_answer().status == 429);
    Buyer& late = world.connect(0);
    late.request("GET", "/v1/time");
    world.turn(0);
    world.turn(0);
    CHECK(late.take_answer().status == 200);
  }

  TEST_CASE("a winner who asks again is answered however much his address has asked") {
    for (const uint32_t home : {0u, 1u}) {
      World world({.shards = 2, .per_user_limit = 1});
      const std::string winner = world.user_at(home), keyless = world.user_at(home),
                        late = world.user_at(home);
      Buyer& buyer = world.connect(0);
      const Answer won = order(world, buyer, winner, "k");
      CHECK(won.status == 201);
      const Answer held = order(world, buyer, keyless);
      CHECK(held.status == 201);
      world.process().publish_rules(rate_of(1));
      CHECK(time(world, buyer).status == 200);
      const Answer again = order(world, buyer, winner, "k");
      CHECK(again.status == 200);
      CHECK(again.member("replayed") == "true");
      CHECK(again.member("order_id") == won.member("order_id"));
      const Answer limit = order(world, buyer, keyless);
      CHECK(limit.status == 409);
      CHECK(limit.member("order_id") == held.member("order_id"));
      for (const std::string_view key : {"", "k"}) {
        const Answer refused = order(world, buyer, late, key);
        CHECK(refused.status == 429);
        CHECK(refused.member("limit") == "address");
        CHECK(std::stoll(refused.member("retry_after_ms")) > 1'000);
      }
      CHECK(world.shard(home).state().orders_live() == 2);
    }
  }

  TEST_CASE("an order that can neither be repeated nor held is refused without asking a desk") {
    World world({.shards = 2});
    world.process().publish_rules(rate_of(1));
    Buyer& buyer = world.connect(0);
    CHECK(order(world, buyer, world.user_at(1)).status == 201);
    const uint64_t forwarded = sum_of(world, &Metrics::requests_forwarded);
    CHECK(order(world, buyer, world.user_at(1)).member("limit") == "address");
    CHECK(sum_of(world, &Metrics::requests_forwarded) == forwarded);
  }

  // Each is refused for another reason while the address is within its rate.
  TEST_CASE("an address over its rate learns nothing else about its orders") {
    World world({.shards = 2, .per_user_limit = 2});
    Result<door::BlockList> list = door::parse_block_list("user mallory\n", "blocked", 1);
    REQUIRE(list);
    door::Rules rules;
    rules.blocked.file = std::make_shared<const door::BlockList>(std::move(*list));
    struct Order {
      std::string_view headers, body;
      int status;
    };
    const std::string_view good = R"({"item":"ticket","qty":1})";
    const std::vector<Order> orders = {
        {"X-User-Id: u\r\n", R"({"item":"nothing","qty":1})", 404},
        {"", good, 401},
        {"X-User-Id: u\r\n", "{", 400},
        {"X-User-Id: u\r\nIdempotency-Key: a b\r\n", good, 400},
        {"X-User-Id: mallory\r\n", good, 403},
        {"X-User-Id: u\r\n", R"({"item":"ticket","qty":3})", 400},
    };
    const auto answer_to = [&](const Order& order) {
      Buyer& buyer = world.connect(0);
      buyer.request("POST", "/v1/orders", order.headers, order.body);
      return world.await_answer(buyer);
    };
    world.process().publish_rules(rules);
    for (const Order& one : orders) CHECK(answer_to(one).status == one.status);
    rules.limits.address = {.requests = 1, .window_ms = 3'600'000};
    world.process().publish_rules(rules);
    CHECK(time(world, world.connect(0)).status == 200);
    for (const Order& one : orders) {
      CAPTURE(one.body);
      CAPTURE(one.headers);
      const Answer refused = answer_to(one);
      CHECK(refused.status == 429);
      CHECK(refused.member("limit") == "address");
      CHECK(std::stoll(refused.member("retry_after_ms")) > 1'000);
    }
  }

  TEST_CASE("an address over its rate is told so in a pause too and its winner is answered") {
    World world({.per_user_limit = 1, .admin_host = "here"});
    Buyer& buyer = world.connect(0);
    CHECK(order(world, buyer, "winner", "k").status == 201);
    Buyer& staff = world.connect_operator();
    staff.request("POST", "/admin/items/ticket/pause", {}, "{}");
    CHECK(world.await_answer(staff).status == 200);
    CHECK(order(world, buyer, "late").member("code") == "sale_paused");
    world.process().publish_rules(rate_of(1));
    CHECK(time(world, buyer).status == 200);
    CHECK(order(world, buyer, "late").member("limit") == "address");
    CHECK(order(world, buyer, "winner", "k").member("replayed") == "true");
    CHECK(order(world, buyer, "winner").member("code") == "limit_reached");
  }

  TEST_CASE("payments and what buyers do with their orders are neither counted nor refused") {
    World world({.shards = 2});
    const std::string user = world.user_at(1);
    Buyer& buyer = world.connect(0);
    const std::string paid = order(world, buyer, user).member("order_id");
    const std::string cancelled = order(world, buyer, user).member("order_id");
    world.process().publish_rules(rate_of(1));
    for (int i = 0; i < 3; ++i) {
      buyer.read(user, paid);
      CHECK(world.await_answer(buyer).status == 200);
      buyer.request("GET", "/v1/orders?item=ticket", "X-User-Id: " + user + "\r\n");
      CHECK(world.await_answer(buyer).status == 200);
      buyer.pay(paid, "p1", 100, world.payment_key(), world.now_unix());
      CHECK(world.await_answer(buyer).status == 200);
      buyer.cancel(user, cancelled);
      CHECK(world.await_answer(buyer).status == 200);
    }
    CHECK(time(world, buyer).status == 200);
    CHECK(time(world, buyer).status == 429);
    buyer.cancel(user, cancelled);
    CHECK(world.await_answer(buyer).status == 200);
  }

  TEST_CASE("a blocked address may bring a payment and nothing else") {
    World world({.shards = 2});
    const std::string user = world.user_at(1);
    Buyer& buyer = from(world, "198.51.100.7");
    const std::string reserved = order(world, buyer, user).member("order_id");
    Result<door::BlockList> list =
        door::parse_block_list("address 198.51.100.0/24\n", "blocked", 1);
    REQUIRE(list);
    door::Rules rules;
    rules.blocked.file = std::make_shared<const door::BlockList>(std::move(*list));
    world.process().publish_rules(rules);
    CHECK(time(world, buyer).member("code") == "blocked");
    buyer.read(user, reserved);
    CHECK(world.await_answer(buyer).member("code") == "blocked");
    buyer.pay(reserved, "p1", 100, world.payment_key(), world.now_unix());
    CHECK(world.await_answer(buyer).status == 200);
    CHECK(time(world, from(world, "198.51.101.7")).status == 200);
  }

  TEST_CASE("everything that anybody may ask counts") {
    for (const char* target :
         {"/v1/items", "/v1/items/ticket", "/v1/items/ticket/stock", "/v1/time"}) {
      CAPTURE(target);
      World world({});
      world.process().publish_rules(rate_of(1));
      Buyer& buyer = world.connect(0);
      buyer.request("GET", target);
      CHECK(world.await_answer(buyer).status == 200);
      buyer.request("GET", target);
      CHECK(world.await_answer(buyer).status == 429);
    }
    World world({});
    world.process().publish_rules(rate_of(1));
    Buyer& buyer = world.connect(0);
    buyer.request("GET", "/nowhere");
    CHECK(world.await_answer(buyer).status == 404);
    CHECK(time(world, buyer).status == 429);
  }

  TEST_CASE("a gateway names the buyer in one header in any case and each buyer counts alone") {
    World world({.shards = 2});
    world.process().publish_rules(rate_of(1, "x-real-ip"));
    CHECK(time(world, world.connect(0), "X-Real-IP: 192.0.2.1\r\n").status == 200);
    CHECK(time(world, world.connect(1), "x-real-ip:192.0.2.1\r\n").status == 429);
    CHECK(time(world, world.connect(0), "X-REAL-IP: \t::ffff:192.0.2.1 \r\n").status == 429);
    CHECK(time(world, world.connect(0), "X-Real-IP: 192.0.2.2\r\n").status == 200);
    CHECK(time(world, world.connect(0), "X-Real-IP: 2001:db8::1\r\n").status == 200);
    CHECK(time(world, world.connect(1), "X-Real-IP: 2001:DB8:0:0:ffff::9\r\n").status == 429);
    CHECK(time(world, world.connect(1), "X-Real-IP: 2001:db8:0:1::1\r\n").status == 200);
    CHECK(sum_of(world, &Metrics::addresses_unnamed) == 0);
  }

  TEST_CASE("without one good address in the header the gateway itself counts") {
    for (const char* headers :
         {"", "X-Real-IP:\r\n", "X-Real-IP: unknown\r\n", "X-Real-IP: 192.0.2.1, 192.0.2.2\r\n",
          "X-Real-IP: 192.0.2.1:80\r\n", "X_Real_IP: 192.0.2.1\r\n",
          "X-Forwarded-For: 192.0.2.1\r\n"}) {
      CAPTURE(headers);
      World world({});
      world.process().publish_rules(rate_of(1, "x-real-ip"));
      CHECK(time(world, world.connect(0), headers).status == 200);
      CHECK(time(world, world.connect(0), "X-Real-IP: 192.0.2.1\r\n").status == 200);
      CHECK(time(world, world.connect(0), headers).status == 429);
      CHECK(sum_of(world, &Metrics::addresses_unnamed) == 2);
    }
  }

  TEST_CASE("a header that comes twice is refused whatever stands in it") {
    World world({});
    world.process().publish_rules(rate_of(10, "x-real-ip"));
    for (const char* headers : {"X-Real-IP: 192.0.2.1\r\nX-Real-IP: 192.0.2.2\r\n",
                                "X-Real-IP: 192.0.2.1\r\nAccept: */*\r\nx-real-ip: 192.0.2.1\r\n",
                                "X-Real-IP:\r\nX-Real-IP: 192.0.2.1\r\n"})
      CHECK(time(world, world.connect(0), headers).status == 400);
  }

  TEST_CASE("strangers cannot name their address") {
    World world({});
    world.process().publish_rules(rate_of(1));
    CHECK(time(world, world.connect(0), "X-Real-IP: 192.0.2.1\r\n").status == 200);
    CHECK(time(world, world.connect(0), "X-Real-IP: 192.0.2.2\r\n").status == 429);
  }

  TEST_CASE("peers of one IPv6 subscriber count as one and IPv4 in its clothes as IPv4") {
    World world({.shards = 2});
    world.process().publish_rules(rate_of(1));
    CHECK(time(world, from(world, "2001:db8::1", 0)).status == 200);
    CHECK(time(world, from(world, "2001:db8::ffff:2", 1)).status == 429);
    CHECK(time(world, from(world, "2001:db8:0:1::1", 1)).status == 200);
    CHECK(time(world, from(world, "192.0.2.1", 0)).status == 200);
    CHECK(time(world, from(world, "::ffff:192.0.2.1", 1)).status == 429);
  }

  TEST_CASE("a limit is taken away and set while the server runs") {
    World world({});
    world.process().publish_rules(rate_of(1));
    Buyer& buyer = world.connect(0);
    CHECK(time(world, buyer).status == 200);
    CHECK(time(world, buyer).status == 429);
    world.process().publish_rules({});
    CHECK(time(world, buyer).status == 200);
    world.process().publish_rules(rate_of(1));
    CHECK(time(world, buyer).status == 429);
    world.round(kHour);
    CHECK(time(world, world.connect(0)).status == 200);
  }

  TEST_CASE(
      "connections of one address are counted over all shards and told when they are too many") {
    World world({.shards = 2});
    world.process().publish_rules(connections_of(2));
    Buyer& first = world.connect(0);
    Buyer& second = world.connect(1);
    CHECK(time(world, first).status == 200);
    CHECK(time(world, second).status == 200);
    for (const uint32_t shard : {0u, 1u}) {
      Buyer& third = world.connect(shard);
      third.request("GET", "/v1/time");
      const Answer refused = world.await_answer(third);
      CHECK(refused.status == 429);
      CHECK(refused.member("limit") == "address");
      CHECK(!refused.member("retry_after_ms").empty());
      CHECK(third.end().sees_end());
      CHECK(!third.end().was_reset());
    }
    CHECK(time(world, from(world, "192.0.2.1", 1)).status == 200);
    // One closes, by itself or by its reset, and one more may come.
    first.end().close();
    world.rounds(3);
    Buyer& again = world.connect(1);
    CHECK(time(world, again).status == 200);
    second.end().reset();
    world.rounds(3);
    CHECK(time(world, world.connect(0)).status == 200);
    CHECK(time(world, world.connect(0)).status == 429);
    CHECK(sum_of(world, &Metrics::connections_refused) == 3);
  }

  TEST_CASE("operators are not counted among the connections of their address") {
    World world({.admin_host = "here"});
    world.process().publish_rules(connections_of(1));
    CHECK(time(world, world.connect(0)).status == 200);
    for (int i = 0; i < 3; ++i) {
      Buyer& staff = world.connect_operator();
      staff.request("GET", "/healthz");
      CHECK(world.await_answer(staff).status == 200);
    }
  }

  TEST_CASE("those that are refused for their address hold no places") {
    World world({});
    world.process().publish_rules(connections_of(1));
    CHECK(time(world, world.connect(0)).status == 200);
    std::vector<Buyer*> refused;
    for (int i = 0; i < 200; ++i) refused.push_back(&world.connect(0));
    world.rounds(10);
    uint32_t told = 0, reset = 0;
    for (Buyer* one : refused) {
      reset += one->end().was_reset();
      told += one->end().unread_bytes() > 0;
    }
    CHECK(told == kRefusedMax);
    CHECK(reset == 200 - kRefusedMax);
    CHECK(world.shard(0).connections().open() == 1 + kRefusedMax);
    world.round(bounds::linger_deadline_ms * kMillisecond + kSecond);
    world.rounds(3);
    CHECK(world.shard(0).connections().open() == 1);
    // And the next one is told again.
    Buyer& next = world.connect(0);
    next.request("GET", "/v1/time");
    CHECK(world.await_answer(next).status == 429);
  }
}

}  // namespace
}  // namespace stampede::shard
