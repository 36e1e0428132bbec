// Whole shards in one thread (test/world): what a turn promises, and what becomes of it when the disk is slow, full or
// broken.
#include "shard/shard.h"

#include <csignal>
#include <thread>

#include "../../world/world.h"
#include "../base/death.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::world {
namespace {

constexpr int64_t kMs = kMillisecond;

bool has_order(const node::RestoredStream& stream, const std::string& id) {
  for (uint32_t index = 0; index < stream.state->orders_touched(); ++index) {
    const stock::Order& order = stream.state->order(index);
    if (order.is_live && order.id.value == order_number(id)) return true;
  }
  return false;
}

TEST_SUITE("shard/shard") {
  TEST_CASE("an answer leaves only when its record is on the disk") {
    World world({});
    world.rounds(5);
    world.disk(0).set_polls_per_write(0);
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(5);
    // The grant and the reservation are on their way.
    REQUIRE(world.disk(0).is_writing());
    CHECK(buyer.take_answers().empty());
    CHECK(world.recover(0).state->orders_live() == 0);
    while (buyer.unanswered() > 0) {
      if (world.disk(0).is_writing()) world.disk(0).complete();
      world.round();
      for (const Answer& answer : buyer.take_answers()) {
        CHECK(answer.status == 201);
        CHECK(has_order(world.recover(0), answer.member("order_id")));
      }
    }
  }

  TEST_CASE("what comes while a write is in flight is one commit") {
    World world({});
    Buyer& first = world.connect(0);
    first.order("early");
    REQUIRE(world.await_answer(first).status == 201);
    world.rounds(5);
    world.disk(0).set_polls_per_write(0);
    first.order("first");
    world.rounds(3);
    REQUIRE(world.disk(0).is_writing());
    Buyer& crowd = world.connect(0);
    for (int i = 0; i < 2; ++i) crowd.order("user-" + std::to_string(i));
    world.rounds(3);
    const uint64_t writes = world.disk(0).writes();
    world.disk(0).complete();
    world.rounds(3);
    CHECK(first.take_answer().status == 201);
    CHECK(world.disk(0).writes() == writes + 1);
    CHECK(crowd.take_answers().empty());
    world.disk(0).complete();
    world.rounds(3);
    CHECK(crowd.take_answers().size() == 2);
  }

  TEST_CASE("a user's home shard decides and the shard with the connection answers") {
    World world({.shards = 2});
    Buyer& buyer = world.connect(0);
    const std::string user = world.user_at(1);
    buyer.order(user);
    world.rounds(10);
    const Answer created = buyer.take_answer();
    REQUIRE(created.status == 201);
    CHECK(has_order(world.recover(1), created.member("order_id")));
    CHECK(world.recover(0).state->orders_live() == 0);
    // Any shard finds it.
    Buyer& other = world.connect(1);
    other.read(user, created.member("order_id"));
    world.rounds(5);
    CHECK(other.take_answer().status == 200);
  }

  TEST_CASE("a long poll over two shards ends with the payment") {
    World world({.shards = 2});
    Buyer& buyer = world.connect(0);
    const std::string user = world.user_at(1);
    buyer.order(user);
    world.rounds(10);
    const std::string order = buyer.take_answer().member("order_id");
    buyer.read(user, order, 20'000);
    world.rounds(10);
    CHECK(buyer.take_answers().empty());
    Buyer& provider = world.connect(0);
    provider.pay(order, "p-1", 100, world.payment_key(), world.now_unix());
    world.rounds(10);
    CHECK(provider.take_answer().status == 200);
    const Answer news = buyer.take_answer();
    CHECK(news.status == 200);
    CHECK(news.member("state") == "paid");
  }

  TEST_CASE("two shards sell exactly the stock") {
    World world({.shards = 2, .stock = 30});
    int created = 0, sold_out = 0;
    std::vector<Buyer*> buyers;
    for (int i = 0; i < 60; ++i) {
      buyers.push_back(&world.connect(i % 2));
      buyers.back()->order("user-" + std::to_string(i));
      world.round();
    }
    world.rounds(300);
    for (Buyer* buyer : buyers) {
      const Answer answer = buyer->take_answer();
      created += answer.status == 201;
      sold_out += answer.status == 409;
    }
    CHECK(created == 30);
    CHECK(sold_out == 30);
  }

  TEST_CASE("a write that fails ends the process and nobody is answered") {
    World world({});
    world.rounds(5);
    world.disk(0).set_polls_per_write(0);
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(5);
    REQUIRE(world.disk(0).is_writing());
    const Death failed = death_of([&] {
      world.disk(0).fail(EIO);
      world.rounds(2);
      if (!buyer.take_answers().empty()) _exit(kSurvived - 1);
    });
    CHECK(failed.exit_code == kExitLogWrite);
    CHECK(failed.words.find("Input/output error") != std::string::npos);
    const Death cut = death_of([&] {
      world.disk(0).cut_short(0);
      world.rounds(2);
    });
    CHECK(cut.exit_code == kExitLogWrite);
    CHECK(cut.words.find("only 0 bytes") != std::string::npos);
    CHECK(world.recover(0).state->orders_live() == 0);
  }

  TEST_CASE("a write is waited for up to the watchdog and no longer") {
    World world({});
    world.rounds(5);
    world.disk(0).set_polls_per_write(0);
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(5);
    world.rounds(9, kSecond);
    CHECK(buyer.take_answers().empty());
    CHECK(death_of([&] { world.rounds(3, kSecond); }).exit_code == kExitLogWrite);
    for (int i = 0; i < 3; ++i) {
      if (world.disk(0).is_writing()) world.disk(0).complete();
      world.round();
    }
    CHECK(buyer.take_answer().status == 201);
  }

  TEST_CASE("a power cut in the middle of a write loses only what nobody was told") {
    World world({});
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(10);
    const std::string kept = buyer.take_answer().member("order_id");
    world.disk(0).set_polls_per_write(0);
    for (int i = 0; i < 50; ++i) buyer.order("user-" + std::to_string(i));
    world.rounds(5);
    REQUIRE(world.disk(0).is_writing());
    world.disk(0).tear(orderlog::kHeaderBytes + 20);
    CHECK(buyer.take_answers().empty());
    const node::RestoredStream restored = world.recover(0);
    CHECK(has_order(restored, kept));
    CHECK(restored.state->orders_live() == 1);
  }

  TEST_CASE("a full disk refuses orders and takes them again when there is room") {
    World world({.stock = 100'000});
    world.set_disk_full(true);
    Buyer& buyer = world.connect(0);
    int created = 0;
    std::string code;
    for (int i = 0; i < 4'000 && code.empty(); ++i) {
      buyer.order("user-" + std::to_string(i));
      const Answer answer = world.await_answer(buyer);
      created += answer.status == 201;
      if (answer.status != 201) code = answer.member("code");
    }
    CHECK(code == "overloaded");
    CHECK(created > 0);
    world.set_disk_full(false);
    world.rounds(5);
    buyer.order("somebody");
    world.rounds(10);
    CHECK(buyer.take_answer().status == 201);
  }

  TEST_CASE("without news of the stock an order waits and is not refused for good") {
    World world({.has_fake_ledger = true});
    world.fake_ledger().withhold(true);
    world.rounds(3);
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(50);
    CHECK(buyer.take_answers().empty());
    world.rounds(100);
    CHECK(buyer.take_answer().member("code") == "try_again");
    buyer.order("alice");
    world.rounds(10);
    world.fake_ledger().withhold(false);
    world.rounds(10);
    CHECK(buyer.take_answer().status == 201);
  }

  TEST_CASE("a shard rests while those who wait for units can only wait for its ledger") {
    World world({.has_fake_ledger = true});
    world.fake_ledger().withhold(true);
    world.rounds(3);
    world.connect(0).order("alice");
    world.rounds(20);
    const uint64_t before = world.net(0).polls_without_rest();
    world.rounds(60);
    CHECK(world.net(0).polls_without_rest() - before < 5);
  }

  TEST_CASE("a shard's parts belong to its thread") {
    World world({.shards = 2});
    // A thread of its own runs the shards to their end: from then on nobody else may touch them.
    const Death death = death_of([&] {
      world.begin_stop();
      std::thread([&] {
        std::thread other([&] { world.shard(1).run(); });
        world.shard(0).run();
        other.join();
      }).join();
      (void)world.shard(0).desk();
    });
    CHECK(death.signal == SIGABRT);
    CHECK(death.words.find("owner_.is_mine()") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::world
