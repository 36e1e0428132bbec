// The stop protocol in the one-thread world: begun at every turn of a busy life, and a thousand times at random. At each
// turn of the stop: a shard that is sealed writes nothing, none leaves before all are sealed; in the end every answer
// that was given is true of the log, and no answer was cut off.
//
// ROUNDS: how many random stops (1,000); SEED: which ones.
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include "../../world/world.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::world {
namespace {

using shard::StopPhase;

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// Buyers, a payment provider and operators who do something at every turn, and remember what they were promised.
class Crowd {
 public:
  Crowd(World& world, uint64_t seed) : world_(world), random_(seed) {}

  void act() {
    for (int i = 0; i < 3; ++i) do_something();
    if (chance(30)) operate();
  }

  void listen() {
    for (Client& client : clients_) {
      if (client.is_silent) continue;
      for (const Answer& answer : client.buyer->take_answers()) {
        note(client.asks.front(), answer);
        client.asks.pop_front();
      }
    }
  }

  // Nobody was left with half an answer.
  void check_clients() {
    for (Client& client : clients_) {
      if (client.is_silent) continue;
      CHECK(client.buyer->has_ended());
      CHECK_FALSE(client.buyer->was_cut_off());
    }
  }

  // Every promise is in the logs.
  void check_promises() {
    std::map<uint64_t, OrderState> orders;
    Units held = 0;
    for (uint32_t shard = 0; shard < world_.shard_count(); ++shard) {
      const node::RestoredStream stream = world_.recover(shard);
      for (uint32_t index = 0; index < stream.state->orders_touched(); ++index)
        if (const stock::Order& order = stream.state->order(index); order.is_live)
          orders[order.id.value] = order.state;
      const stock::ItemStock& stock = stream.state->stock(0);
      CHECK(stock.accepted == stock.returned + stock.reserved + stock.paid + stock.pool());
      held += stock.accepted - stock.returned;
      if (gives_everything_back) CHECK(stock.pool() == 0);
    }
    CHECK(held <= world_.recover(0).state->items()[0].total());
    for (const auto& [id, state] : promised_) {
      REQUIRE(orders.contains(id));
      if (state != OrderState::reserved) CHECK(orders[id] == state);
    }
  }

  size_t promised() const { return promised_.size(); }
  bool gives_everything_back = true;

 private:
  struct Ask {
    std::string user;  // of an order
  };
  struct Client {
    Buyer* buyer;
    std::deque<Ask> asks;
    bool is_silent = false;  // reads nothing, or has gone
  };
  struct Order {
    std::string user, id;
  };

  uint32_t below(uint32_t bound) {
    return std::uniform_int_distribution<uint32_t>(0, bound - 1)(random_);
  }
  bool chance(uint32_t one_in) { return below(one_in) == 0; }

  Client& someone() {
    if (clients_.empty() || (clients_.size() < 40 && chance(3)))
      clients_.push_back({.buyer = &world_.connect(below(world_.shard_count())), .asks = {}});
    return clients_[below(static_cast<uint32_t>(clients_.size()))];
  }

  void do_something() {
    Client& client = someone();
    if (client.is_silent || client.buyer->has_ended()) return;
    Buyer& buyer = *client.buyer;
    const uint32_t what = below(20);
    if (what == 0) {
      client.is_silent = true;
      if (chance(2)) return buyer.end().reset();
      return buyer.end().set_window(below(300));  // and never reads
    }
    if (what == 1) {
      buyer.request("GET", "/v1/time", "Expect: 100-continue\r\n");
      return client.asks.push_back({});
    }
    if (what < 10 || orders_.empty()) {
      const std::string user = "user-" + std::to_string(++users_);
      buyer.order(user, 1 + below(3), chance(3) ? "key" : "");
      return client.asks.push_back({.user = user});
    }
    const Order order = orders_[below(static_cast<uint32_t>(orders_.size()))];
    if (what < 13)
      buyer.cancel(order.user, order.id);
    else if (what < 16)
      buyer.pay(order.id, "p-" + std::to_string(++payments_), 100, world_.payment_key(),
                world_.now_unix());
    else
      buyer.read(order.user, order.id, chance(2) ? 20'000 : 0);
    client.asks.push_back({});
  }

  void operate() {
    clients_.push_back({.buyer = &world_.connect_operator(), .asks = {}});
    Buyer& buyer = *clients_.back().buyer;
    const int64_t delta = chance(3) ? -5 : 20;
    const std::string body = "{\"op_id\":\"op-" + std::to_string(++payments_) +
                             "\",\"delta\":" + std::to_string(delta) + "}";
    if (chance(3))
      buyer.request("GET", "/admin/audit");
    else
      buyer.request("POST", "/admin/items/ticket/restock", {}, body);
    clients_.back().asks.push_back({});
  }

  void note(const Ask& ask, const Answer& answer) {
    const std::string id = answer.member("order_id"), state = answer.member("state");
    if (id.empty() || answer.status > 201) return;
    OrderState& promised = promised_[order_number(id)];
    if (state == "paid") promised = OrderState::paid;
    if (state == "cancelled" && promised != OrderState::paid) promised = OrderState::cancelled;
    if (answer.status == 201) orders_.push_back({.user = ask.user, .id = id});
  }

  World& world_;
  std::mt19937_64 random_;
  std::vector<Client> clients_;
  std::vector<Order> orders_;
  std::map<uint64_t, OrderState> promised_;
  int users_ = 0;
  int payments_ = 0;
};

// What must hold at every turn of a stop.
class Watch {
 public:
  explicit Watch(World& world) : world_(world), seen_(world.shard_count()) {}

  void look() {
    bool are_all_sealed = true;
    for (uint32_t i = 0; i < world_.shard_count(); ++i) {
      Seen& seen = seen_[i];
      const StopPhase phase = world_.shard(i).stop_phase();
      CHECK(phase >= seen.phase);
      orderlog::Writer& writer = world_.shard(i).writer();
      if (seen.phase >= StopPhase::sealed) {
        CHECK(writer.appended() == seen.appended);
        CHECK(world_.disk(i).writes() == seen.writes);
      }
      if (phase >= StopPhase::sealed) {
        CHECK(writer.is_sealed());
        CHECK_FALSE(writer.is_writing());
      }
      seen = {.phase = phase, .appended = writer.appended(), .writes = world_.disk(i).writes()};
      are_all_sealed = are_all_sealed && phase >= StopPhase::sealed;
    }
    for (uint32_t i = 0; i < world_.shard_count(); ++i)
      if (world_.has_left(i)) CHECK(are_all_sealed);
  }

 private:
  struct Seen {
    StopPhase phase = StopPhase::serving;
    Lsn appended = 0;
    uint64_t writes = 0;
  };
  World& world_;
  std::vector<Seen> seen_;
};

// Turns until all have left; the rounds it took. One shard after the other is looked at after each single turn.
uint32_t stop(World& world, Crowd& crowd, bool goes_on_acting) {
  Watch watch(world);
  world.begin_stop();
  uint32_t rounds = 0;
  for (; !world.have_all_left() && rounds < 2'000; ++rounds) {
    if (goes_on_acting && rounds < 20) crowd.act();
    for (uint32_t i = 0; i < world.shard_count(); ++i) {
      world.turn(i);
      watch.look();
    }
    world.clock.advance(rounds < 50 ? kMillisecond : 20 * kMillisecond);
    crowd.listen();
  }
  CHECK(world.have_all_left());
  crowd.listen();
  return rounds;
}

TEST_SUITE("shard/stopping") {
  TEST_CASE("a server at rest stops in a few turns") {
    for (const uint32_t shards : {1u, 2u, 4u}) {
      World world({.shards = shards});
      world.rounds(5);
      Crowd nobody(world, 0);
      CHECK(stop(world, nobody, false) < 10);
    }
  }

  TEST_CASE("a stop before the first turn") {
    World world({.shards = 3});
    Crowd nobody(world, 0);
    CHECK(stop(world, nobody, false) < 10);
  }

  TEST_CASE("a stop may begin at every turn of a busy life") {
    for (uint32_t at = 0; at < 150; ++at) {
      CAPTURE(at);
      // The first reservations expire while it stops.
      World world({.shards = 2, .stock = 60, .pay_window_s = 1, .admin_host = "here"});
      Crowd crowd(world, 42);
      for (uint32_t round = 0; round < at; ++round) {
        crowd.act();
        world.round(10 * kMillisecond);
        crowd.listen();
      }
      stop(world, crowd, true);
      crowd.check_clients();
      crowd.check_promises();
    }
  }

  TEST_CASE("stops at random keep every promise") {
    const uint64_t seed = number_from_environment("SEED", std::random_device{}());
    const uint64_t rounds = number_from_environment("ROUNDS", 1'000);
    MESSAGE("seed " << seed << ", " << rounds << " stops");
    size_t promised = 0;
    for (uint64_t round = 0; round < rounds; ++round) {
      CAPTURE(seed);
      CAPTURE(round);
      std::mt19937_64 random(seed + round);
      World world({.shards = 1 + static_cast<uint32_t>(random() % 3),
                   .stock = 20 + random() % 200,
                   .pay_window_s = 1 + static_cast<int64_t>(random() % 3),
                   .admin_host = "here"});
      Crowd crowd(world, random());
      for (uint32_t i = 0; i < world.shard_count(); ++i)
        world.disk(i).set_polls_per_write(1 + random() % 4);
      for (uint64_t turns = random() % 120; turns > 0; --turns) {
        crowd.act();
        world.round(static_cast<int64_t>(random() % 30) * kMillisecond);
        crowd.listen();
      }
      stop(world, crowd, random() % 2 == 0);
      crowd.check_clients();
      crowd.check_promises();
      promised += crowd.promised();
    }
    CHECK(promised > 0);
  }

  TEST_CASE("a neighbour that is not done is still answered") {
    World world({.shards = 2});
    world.rounds(5);
    world.disk(1).set_polls_per_write(0);
    Buyer& buyer = world.connect(0);
    buyer.order(world.user_at(1));
    while (!world.disk(1).is_writing()) world.round();
    world.begin_stop();
    world.rounds(100);
    // Shard 0 has nothing to do and stays for the answer.
    CHECK(world.shard(0).stop_phase() == StopPhase::finishing);
    CHECK(buyer.take_answers().empty());
    world.disk(1).set_polls_per_write(1);
    for (int i = 0; i < 100 && !world.have_all_left(); ++i) world.round();
    CHECK(world.have_all_left());
    CHECK(buyer.take_answer().status == 201);
  }

  TEST_CASE("a request whose client has gone is still waited for") {
    World world({.shards = 2});
    world.rounds(5);
    world.disk(1).set_polls_per_write(0);
    Buyer& buyer = world.connect(0);
    buyer.order(world.user_at(1));
    while (!world.disk(1).is_writing()) world.round();
    buyer.end().reset();
    world.rounds(3);
    world.begin_stop();
    world.rounds(100);
    // Shard 0 has no client any more, and shard 1 still has its request.
    CHECK(world.process().stop_counts.finished.load() == 0);
    world.disk(1).set_polls_per_write(1);
    for (int i = 0; i < 100 && !world.have_all_left(); ++i) world.round();
    CHECK(world.have_all_left());
    CHECK(world.recover(1).state->orders_live() == 1);
  }

  TEST_CASE("a grant that comes behind the seal is nobody's") {
    World world({.has_fake_ledger = true});
    world.rounds(5);
    world.fake_ledger().withhold(true);
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    while (!world.fake_ledger().is_under_way()) world.round();
    world.begin_stop();
    for (int i = 0; i < 1'000 && world.shard(0).stop_phase() < StopPhase::sealed; ++i)
      world.round(10 * kMillisecond);
    REQUIRE(world.shard(0).stop_phase() == StopPhase::sealed);
    CHECK(buyer.take_answer().member("code") == "shutting_down");
    const Lsn appended = world.shard(0).writer().appended();
    world.fake_ledger().withhold(false);
    world.round();
    CHECK(world.fake_ledger().book().granted(0, 0) > 0);
    CHECK(world.shard(0).writer().appended() == appended);
    world.rounds(2);
    CHECK(world.have_all_left());
  }

  TEST_CASE("time stands while a server stops") {
    World world({.pay_window_s = 1});
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(10);
    REQUIRE(buyer.take_answer().status == 201);
    // Its window is over in the turn in which the stop begins.
    world.clock.advance(2 * kSecond);
    world.begin_stop();
    for (int i = 0; i < 100 && !world.have_all_left(); ++i) world.round();
    CHECK(world.have_all_left());
    CHECK(world.recover(0).state->stock(0).reserved == 1);
  }

  TEST_CASE("a full disk does not hold a stop up for ever and nothing unwritten was promised") {
    World world({.stock = 10'000});
    world.set_disk_full(true);
    Buyer& buyer = world.connect(0);
    std::vector<std::string> created;
    for (int i = 0; i < 1'500; ++i) {
      buyer.order("user-" + std::to_string(i));
      const Answer answer = world.await_answer(buyer);
      if (answer.status == 201) created.push_back(answer.member("order_id"));
    }
    // Payments use up the rest of the last segment.
    for (size_t i = 0; i < created.size() && !world.shard(0).writer().is_blocked(); ++i) {
      buyer.pay(created[i], "p-" + std::to_string(i), 100, world.payment_key(), world.now_unix());
      world.rounds(3);
      buyer.take_answers();
    }
    REQUIRE(world.shard(0).writer().is_blocked());
    world.begin_stop();
    for (int i = 0; i < 2'000 && !world.have_all_left(); ++i) world.round(10 * kMillisecond);
    CHECK(world.have_all_left());
    CHECK(world.recover(0).state->orders_live() == created.size());
  }

  TEST_CASE("a ledger that does not answer is waited for two seconds") {
    World world({.has_fake_ledger = true});
    Buyer& buyer = world.connect(0);
    buyer.order("alice");
    world.rounds(10);
    REQUIRE(buyer.take_answer().status == 201);
    world.fake_ledger().withhold(true);
    world.begin_stop();
    int rounds = 0;
    for (; rounds < 1'000 && !world.have_all_left(); ++rounds) world.round(10 * kMillisecond);
    CHECK(world.have_all_left());
    CHECK(rounds >= bounds::stop_ledger_ms / 10);
    CHECK(rounds < 100 + bounds::stop_ledger_ms / 10);
    // The units are in the log, where the ledger finds them.
    CHECK(world.recover(0).state->stock(0).pool() == 0);
  }

  TEST_CASE("a sealed stream promises nothing and takes no grant") {
    World world({.has_fake_ledger = true});
    world.rounds(5);
    world.fake_ledger().ask_for_promise(7);
    world.rounds(5);
    REQUIRE(world.fake_ledger().promised().has_value());
    world.begin_stop();
    for (int i = 0; i < 100 && world.shard(0).stop_phase() < StopPhase::sealed; ++i) world.round();
    REQUIRE(world.shard(0).stop_phase() == StopPhase::sealed);
    const Lsn appended = world.shard(0).writer().appended();
    world.fake_ledger().ask_for_promise(8);
    world.round();
    CHECK_FALSE(world.fake_ledger().promised().has_value());
    CHECK(world.shard(0).writer().appended() == appended);
    CHECK(world.recover(0).state->promised_epoch() == 7);
  }
}

}  // namespace
}  // namespace stampede::world
