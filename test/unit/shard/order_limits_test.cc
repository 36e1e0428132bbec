// What operators set for the door reaches the desks of all shards, and what a shard's door does with it.
#include "../../world/world.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::world {
namespace {

void set_limits(World& world, const door::Limits& limits) {
  world.process().publish_rules({.limits = limits});
  world.rounds(2);
}
Answer order(World& world, Buyer& buyer, const std::string& user) {
  buyer.order(user);
  return world.await_answer(buyer);
}

TEST_SUITE("shard/order_limits") {
  TEST_CASE("a limit holds at the home shard whichever shard has the connection") {
    World world({.shards = 2});
    Buyer &here = world.connect(0), &there = world.connect(1);
    for (const uint32_t home : {0u, 1u}) {
      const std::string user = world.user_at(home);
      set_limits(world, {.user = {.requests = 2, .window_ms = 3'600'000}});
      CHECK(order(world, here, user).status == 201);
      CHECK(order(world, there, user).status == 201);
      for (Buyer* buyer : {&here, &there}) {
        const Answer refused = order(world, *buyer, user);
        CHECK(refused.status == 429);
        CHECK(refused.member("limit") == "user");
      }
      set_limits(world, {.open_per_user = 2});
      CHECK(order(world, here, user).member("limit") == "open");
      set_limits(world, {});
      CHECK(order(world, here, user).status == 201);
    }
  }

  TEST_CASE("two shards share the rate of the sale") {
    World world({.shards = 2});
    set_limits(world, {.order_rate = {.per_second = 1}});
    Buyer &here = world.connect(0), &there = world.connect(1);
    CHECK(order(world, here, world.user_at(0)).status == 201);
    const Answer refused = order(world, there, world.user_at(1));
    CHECK(refused.status == 429);
    CHECK(refused.member("limit") == "sale");
    world.rounds(1'100);
    CHECK(order(world, there, world.user_at(1)).status == 201);
    CHECK(order(world, here, world.user_at(0)).status == 429);
  }

  TEST_CASE("each level of degrading holds those before it") {
    World world({.shards = 2});
    Buyer& buyer = world.connect(0);
    const std::string old = world.user_at(1);
    const std::string id = order(world, buyer, old).member("order_id");
    set_limits(world, {.degrade = door::Degrade::no_new_users});
    CHECK(order(world, buyer, world.user_at(0)).member("code") == "overloaded");
    CHECK(order(world, buyer, old).status == 201);
    buyer.read(old, id, 20'000);
    world.rounds(20);
    CHECK_FALSE(buyer.has_answer());
    Buyer& other = world.connect(0);
    set_limits(world, {.degrade = door::Degrade::no_polls});
    CHECK(order(world, other, world.user_at(0)).member("code") == "overloaded");
    other.read(old, id, 20'000);
    world.rounds(20);
    CHECK(other.take_answer().status == 200);
    set_limits(world, {.degrade = door::Degrade::static_only});
    CHECK(order(world, other, old).member("code") == "overloaded");
    other.read(old, id);
    world.rounds(20);
    CHECK(other.take_answer().status == 200);
    other.pay(id, "p1", 100, world.payment_key(), world.now_unix());
    world.rounds(20);
    CHECK(other.take_answer().status == 200);
  }
}

}  // namespace
}  // namespace stampede::world
