// Floods of new orders, and those who must not wait for them.
#include "../../world/world.h"
#include "connections_rig.h"

namespace stampede::shard {
namespace {

using world::Buyer;
using world::FakeClient;
using world::World;

void refuse_all(ConnectionsRig& rig) {
  rig.handler.answer = [&rig](const http::Request&, ReplyTo place) {
    rig.answers.refuse(place, {.verdict = Verdict::sold_out});
  };
}

TEST_SUITE("shard/fair_turns") {
  TEST_CASE("one connection is decided a bounded number of requests a turn and loses none") {
    ConnectionsRig rig;
    refuse_all(rig);
    FakeClient& flood = rig.client();
    FakeClient& modest = rig.client();
    flood.send(repeated(get("/flood"), 60));
    modest.send(get("/modest"));
    rig.turn();
    CHECK(rig.handler.paths.size() == kRequestsPerRead + 1);
    rig.turn();
    CHECK(rig.handler.paths.size() == 2 * kRequestsPerRead + 1);
    rig.rest();
    CHECK(responses_in(flood.read()).size() == 60);
    CHECK(responses_in(modest.read()).size() == 1);
  }

  TEST_CASE(
      "a turn decides a bounded number of requests of all connections and every one has its turn") {
    ConnectionsRig rig;
    refuse_all(rig);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(&rig.client());
    for (FakeClient* client : clients) client->send(repeated(get("/"), 40));
    size_t before = 0;
    for (int turns = 0; turns < 200 && before < 200 * 40; ++turns) {
      rig.turn();
      CHECK(rig.handler.paths.size() - before <= kRequestsPerTurn + kRequestsPerRead);
      before = rig.handler.paths.size();
      // What the first ones leave no time for stays with the kernel.
      if (turns == 0) CHECK(rig.net.counters().reads < clients.size() / 2);
      // Nobody is more than some slices ahead of anybody.
      if (turns == 31)
        for (FakeClient* client : clients) CHECK(client->unread_bytes() > 0);
    }
    rig.rest();
    for (FakeClient* client : clients) CHECK(responses_in(client->read()).size() == 40);
  }

  TEST_CASE("what was read together with a flood that used up the turn is decided in the next") {
    ConnectionsRig rig;
    refuse_all(rig);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 40; ++i) clients.push_back(&rig.client());
    for (FakeClient* client : clients) client->send(repeated(get("/"), 16));
    rig.turn();
    CHECK(rig.net.counters().reads == clients.size());
    CHECK(rig.handler.paths.size() <= kRequestsPerTurn + kRequestsPerRead);
    rig.rest();
    for (FakeClient* client : clients) CHECK(responses_in(client->read()).size() == 16);
  }

  TEST_CASE("with hardly a buffer left nobody loses what was read of him") {
    // Half a request of each has to be kept, and there are chunks for three at a time.
    ConnectionsRig rig({.connections_max = 4096, .places_max = 4096, .chunks_max = {3, 3, 3}});
    refuse_all(rig);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 30; ++i) clients.push_back(&rig.client());
    const std::string request = get("/");
    for (FakeClient* client : clients) client->send(request.substr(0, 20));
    rig.rest();
    for (FakeClient* client : clients) client->send(request.substr(20));
    rig.rest();
    for (FakeClient* client : clients) {
      CHECK_FALSE(client->was_reset());
      CHECK(responses_in(client->read()).size() == 1);
    }
  }

  TEST_CASE("a payment waits one turn whatever floods in") {
    World world({.shards = 1, .stock = 10});
    const std::string user = world.user_at(0);
    Buyer& buyer = world.connect(0);
    buyer.order(user);
    const std::string order = world.await_answer(buyer).member("order_id");
    Buyer& provider = world.connect(0);
    provider.pay(order, "p1", 100, world.payment_key(), world.now_unix());
    CHECK(world.await_answer(provider).status == 200);
    buyer.read(user, order);
    CHECK(world.await_answer(buyer).status == 200);
    std::vector<Buyer*> flood;
    for (int i = 0; i < 900; ++i) flood.push_back(&world.connect(0));
    world.rounds(20);
    for (Buyer* one : flood)
      for (int i = 0; i < 40; ++i) one->request("GET", "/v1/time");
    world.rounds(2);
    // Both have no change to write: what is answered is answered in the turn in which it is read.
    provider.pay(order, "p1", 100, world.payment_key(), world.now_unix());
    buyer.read(user, order);
    world.turn(0);
    CHECK(provider.has_answer());
    CHECK(buyer.has_answer());
    CHECK(provider.take_answer().status == 200);
    CHECK(buyer.take_answer().status == 200);
  }

  TEST_CASE("only whoever is known and asks for what he has is read first") {
    World world({.shards = 1, .stock = 10});
    const std::string user = world.user_at(0);
    Buyer& buyer = world.connect(0);
    buyer.order(user);
    const std::string order = world.await_answer(buyer).member("order_id");
    Buyer& forger = world.connect(0);
    const auto rank_of = [&](Buyer& one) { return world.net(0).rank_of(one.end().socket()); };
    CHECK(rank_of(buyer) == net::Rank::usual);
    buyer.cancel(user, order);
    CHECK(world.await_answer(buyer).status == 200);
    CHECK(rank_of(buyer) == net::Rank::second);
    forger.pay(order, "p1", 100, door::Key("k1", door::Secret{8}), world.now_unix());
    CHECK(world.await_answer(forger).status == 401);
    CHECK(rank_of(forger) == net::Rank::usual);
    forger.pay(order, "p1", 100, world.payment_key(), world.now_unix());
    CHECK(world.await_answer(forger).status == 200);
    CHECK(rank_of(forger) == net::Rank::first);
    forger.request("GET", "/v1/orders/" + order, "");
    CHECK(world.await_answer(forger).status == 401);
    CHECK(rank_of(forger) == net::Rank::usual);
    for (const char* target : {"/v1/time", "/nowhere"}) {
      buyer.read(user, order);
      CHECK(world.await_answer(buyer).status == 200);
      CHECK(rank_of(buyer) == net::Rank::second);
      buyer.request("GET", target);
      world.await_answer(buyer);
      CHECK(rank_of(buyer) == net::Rank::usual);
    }
  }
}

}  // namespace
}  // namespace stampede::shard
