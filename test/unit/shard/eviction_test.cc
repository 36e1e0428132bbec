// Who is closed for a newcomer when all connections are used up, and who never is.
#include "connections_rig.h"

namespace stampede::shard {
namespace {

using world::FakeClient;

struct FullRig : ConnectionsRig {
  explicit FullRig(uint32_t places) : ConnectionsRig({.connections_max = 64, .places_max = 64}) {
    net.set_places_max(places);
  }
  void answer_all() {
    for (const ReplyTo& place : handler.places)
      connections.refuse(place, {.verdict = Verdict::sold_out});
    handler.places.clear();
    rest();
  }
};

TEST_SUITE("shard/eviction") {
  TEST_CASE("the longest idle connection makes room for a newcomer") {
    FullRig rig(3);
    FakeClient& first = rig.client();
    FakeClient& second = rig.client();
    FakeClient& third = rig.client();
    // The first asks and is answered, so the second has been idle for longest.
    first.send(get("/"));
    rig.rest();
    rig.answer_all();
    FakeClient& newcomer = rig.client();
    CHECK(newcomer.is_open_at_server());
    CHECK(!second.is_open_at_server());
    CHECK(first.is_open_at_server());
    CHECK(third.is_open_at_server());
    CHECK(rig.metrics.connections_evicted.get() == 1);
    CHECK(rig.metrics.connections_shed.get() == 0);
    CHECK(rig.connections.open() == 3);
  }

  TEST_CASE("half a request holds no place however slowly it is sent") {
    FullRig rig(2);
    FakeClient& slow = rig.client();
    FakeClient& honest = rig.client();
    slow.send("GET / HT");
    rig.rest();
    honest.send(get("/"));
    rig.rest();
    rig.answer_all();
    slow.send("TP/1.1\r\n");
    rig.rest();
    rig.client();
    CHECK(!slow.is_open_at_server());
    CHECK(honest.is_open_at_server());
  }

  TEST_CASE("whoever waits for an answer or has not taken it is never closed for a newcomer") {
    FullRig rig(2);
    FakeClient& waiting = rig.client();
    FakeClient& reading = rig.client();
    reading.set_window(4);
    waiting.send(get("/"));
    rig.rest();
    reading.send(get("/"));
    rig.rest();
    rig.connections.refuse(rig.handler.places.back(), {.verdict = Verdict::sold_out});
    rig.rest();
    FakeClient& newcomer = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(newcomer.was_reset());
    CHECK(waiting.is_open_at_server());
    CHECK(reading.is_open_at_server());
    CHECK(rig.metrics.connections_shed.get() == 1);
  }

  TEST_CASE("a request that has arrived before the newcomer is taken and answered") {
    FullRig rig(2);
    FakeClient& first = rig.client();
    FakeClient& second = rig.client();
    // Both come in one turn, and the listener's event may stand in front.
    first.send(get("/"));
    FakeClient& newcomer = rig.net.connect(rig.listener);
    rig.rest();
    rig.answer_all();
    CHECK(responses_in(first.read()).size() == 1);
    CHECK(!second.is_open_at_server());
    CHECK(newcomer.is_open_at_server());
  }

  TEST_CASE("whoever takes the cell of one that was read in the same turn hears each answer once") {
    FullRig rig(1);
    rig.handler.answer = [&](const http::Request&, ReplyTo place) {
      rig.connections.refuse(place, {.verdict = Verdict::sold_out});
    };
    // All are let in by one turn. The first is read and closed for the second, which is read when the third comes.
    FakeClient& half = rig.net.connect(rig.listener);
    half.send("GET / HT");
    FakeClient& whole = rig.net.connect(rig.listener);
    whole.send(get("/"));
    FakeClient& third = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(!half.is_open_at_server());
    CHECK(third.was_reset());
    CHECK(responses_in(whole.read()).size() == 1);
  }

  TEST_CASE("a connection that is answered goes to the end of the line") {
    FullRig rig(3);
    std::vector<FakeClient*> clients = {&rig.client(), &rig.client(), &rig.client()};
    for (const int i : {2, 0, 1}) {
      clients[i]->send(get("/"));
      rig.rest();
      rig.answer_all();
    }
    rig.client();
    CHECK(!clients[2]->is_open_at_server());
    rig.client();
    CHECK(!clients[0]->is_open_at_server());
    CHECK(clients[1]->is_open_at_server());
  }

  TEST_CASE("operators are not closed for buyers and come in when buyers have taken all") {
    FullRig rig(1);
    KeepingHandler staff;
    const net::Socket admin = rig.net.listen();
    rig.connections.add_listener(admin, {.handler = &staff, .is_public = false});
    FakeClient& operator_end = rig.net.connect(admin);
    rig.rest();
    FakeClient& buyer = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(buyer.was_reset());
    CHECK(operator_end.is_open_at_server());
    operator_end.close();
    rig.rest();
    FakeClient& idle = rig.client();
    FakeClient& second = rig.net.connect(admin);
    rig.rest();
    CHECK(second.is_open_at_server());
    CHECK(!idle.is_open_at_server());
  }

  TEST_CASE("a table of connections that is full makes room too") {
    ConnectionsRig rig({.connections_max = 2, .places_max = 16});
    FakeClient& first = rig.client();
    rig.client();
    rig.client();
    CHECK(!first.is_open_at_server());
    CHECK(rig.connections.open() == 2);
  }

  TEST_CASE("a thousand newcomers one after the other leave as many open as may be") {
    FullRig rig(8);
    for (int i = 0; i < 1'000; ++i) {
      FakeClient& client = rig.client();
      if (i % 3 == 0) client.send(get("/"));
      if (i % 5 == 0) client.send("GET /");
      rig.rest();
      rig.answer_all();
    }
    CHECK(rig.connections.open() == 8);
    CHECK(rig.net.open_sockets() == 8);
  }

  TEST_CASE("the limit of connections follows the rules") {
    ConnectionsRig rig;
    rig.connections.set_limits({.connections = 12});
    CHECK(rig.net.connections_limit() == 12);
  }
}

}  // namespace
}  // namespace stampede::shard
