// Who is closed for a newcomer when all connections are used up, and who never is.
#include <algorithm>
#include <map>

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
      answers.refuse(place, {.verdict = Verdict::sold_out});
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
    rig.answers.refuse(rig.handler.places.back(), {.verdict = Verdict::sold_out});
    rig.rest();
    for (uint32_t i = 0; i < kGuestsMax + 1; ++i) rig.client();
    CHECK(waiting.is_open_at_server());
    CHECK(reading.is_open_at_server());
    CHECK(rig.metrics.connections_evicted.get() == 1);
    CHECK(rig.connections.open() == 2 + kGuestsMax);
  }

  TEST_CASE("those who last paid are closed last and those who had an order before them") {
    FullRig rig(5);
    const std::map<std::string, net::Rank> ranks = {{"/pay", net::Rank::first},
                                                    {"/read", net::Rank::second}};
    rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
      const auto rank = ranks.find(std::string(request.path));
      rig.answers.rank(place, rank == ranks.end() ? net::Rank::usual : rank->second);
      rig.answers.refuse(place, {.verdict = Verdict::sold_out});
    };
    // In the order in which they have been idle for longest.
    std::vector<FakeClient*> clients;
    for (const char* path : {"/pay", "/read", "/order", "/read", "/order"}) {
      clients.push_back(&rig.client());
      rig.ask(*clients.back(), get(path));
    }
    for (const size_t next : {2u, 4u}) {
      FakeClient& newcomer = rig.client();
      rig.ask(newcomer, get("/pay"));  // it is not the one to go
      CHECK(!clients[next]->is_open_at_server());
    }
    for (const size_t next : {1u, 3u, 0u}) {
      CHECK(clients[next]->is_open_at_server());
      rig.ask(rig.client(), get("/pay"));
      CHECK(!clients[next]->is_open_at_server());
    }
    CHECK(rig.connections.open() == 5);
  }

  TEST_CASE("a connection that pays no more loses its rank for eviction too") {
    FullRig rig(2);
    rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
      rig.answers.rank(place, request.path == "/pay" ? net::Rank::first : net::Rank::usual);
      rig.answers.refuse(place, {.verdict = Verdict::sold_out});
    };
    FakeClient& former = rig.client();
    FakeClient& payer = rig.client();
    rig.ask(former, get("/pay"));
    rig.ask(payer, get("/pay"));
    rig.ask(former, get("/order"));
    rig.client();
    CHECK(!former.is_open_at_server());
    CHECK(payer.is_open_at_server());
  }

  TEST_CASE("beyond all places a guest asks once and is closed behind the answer") {
    FullRig rig(2);
    for (FakeClient* busy : {&rig.client(), &rig.client()}) busy->send(get("/wait"));
    rig.rest();
    std::vector<bool> were_guests;
    rig.handler.answer = [&](const http::Request&, ReplyTo place) {
      were_guests.push_back(rig.answers.is_guest(place));
      CHECK(!rig.answers.may_linger(place));
      rig.answers.complete(place, {.body = "{}"});
    };
    for (int i = 0; i < 50; ++i) {
      FakeClient& guest = rig.client();
      const std::vector<Response> answers = responses_in(rig.ask(guest, repeated(get("/"), 3)));
      REQUIRE(answers.size() == 1);
      CHECK(answers[0].head.find("Connection: close") != std::string::npos);
      CHECK(guest.sees_end());
      guest.close();
      rig.rest();
    }
    CHECK(were_guests == std::vector<bool>(50, true));
    CHECK(rig.connections.open() == 2);
    CHECK(rig.metrics.connections_shed.get() == 0);
  }

  TEST_CASE(
      "guests that ask nothing make room for the next ones and those that have asked do not") {
    FullRig rig(1);
    rig.client().send(get("/wait"));
    rig.rest();
    FakeClient& payer = rig.client();
    payer.send(get("/pay"));
    rig.rest();
    std::vector<FakeClient*> bots;
    for (int i = 0; i < 1'000; ++i) {
      bots.push_back(&rig.client());
      if (i % 2 == 0) bots.back()->send("GET / HT");
    }
    CHECK(rig.connections.open() == 1 + kGuestsMax);
    CHECK(payer.is_open_at_server());
    CHECK(bots.back()->is_open_at_server());
    CHECK(!bots.front()->is_open_at_server());
    rig.answer_all();
    CHECK(responses_in(payer.read()).size() == 1);
  }

  TEST_CASE("when all guests wait for an answer a newcomer is reset and then there is room again") {
    FullRig rig(1);
    for (uint32_t i = 0; i < 1 + kGuestsMax; ++i) {
      rig.client().send(get("/wait"));
      rig.rest();
    }
    FakeClient& refused = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(refused.was_reset());
    CHECK(rig.metrics.connections_shed.get() == 1);
    rig.answer_all();
    rig.client();
    CHECK(rig.connections.open() <= 1 + kGuestsMax);
  }

  TEST_CASE("a guest that takes a large answer slowly holds its place no longer than a second") {
    FullRig rig(1);
    rig.client().send(get("/wait"));
    rig.rest();
    const std::string large(200'000, 'x');
    rig.handler.answer = [&](const http::Request&, ReplyTo place) {
      rig.answers.complete(place, {.body = large});
    };
    std::vector<FakeClient*> slow;
    for (uint32_t i = 0; i < kGuestsMax; ++i) {
      slow.push_back(&rig.client());
      slow.back()->set_window(kWriteBytesMin);
      slow.back()->send(get("/list"));
      rig.rest();
    }
    for (int i = 0; i < 12; ++i) {
      rig.pass(100 * kMillisecond);
      for (FakeClient* client : slow) client->read(kWriteBytesMin);
      rig.rest();
    }
    CHECK(rig.connections.open() == 1);
    rig.client();
  }

  TEST_CASE("a place that has become free is a newcomer's like any other") {
    FullRig rig(1);
    FakeClient& busy = rig.client();
    busy.send(get("/wait"));
    rig.rest();
    rig.client().close();
    busy.reset();
    rig.rest();
    std::vector<bool> were_guests;
    rig.handler.answer = [&](const http::Request&, ReplyTo place) {
      were_guests.push_back(rig.answers.is_guest(place));
      rig.answers.refuse(place, {.verdict = Verdict::sold_out});
    };
    rig.ask(rig.client(), get("/"));
    CHECK(were_guests == std::vector<bool>{false});
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
      rig.answers.refuse(place, {.verdict = Verdict::sold_out});
    };
    // All are let in by one turn. The first is read and closed for the second, which is read when the third comes.
    FakeClient& half = rig.net.connect(rig.listener);
    half.send("GET / HT");
    FakeClient& whole = rig.net.connect(rig.listener);
    whole.send(get("/"));
    FakeClient& third = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(!half.is_open_at_server());
    CHECK(third.is_open_at_server());
    CHECK(responses_in(whole.read()).size() == 1);
  }

  TEST_CASE("newcomers in a flood take no turn of who pays and no request of who has asked") {
    FullRig rig(24);
    rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
      const bool pays = request.path == "/pay";
      rig.answers.rank(place, pays ? net::Rank::first : net::Rank::usual);
      rig.answers.refuse(place, {.verdict = Verdict::sold_out});
    };
    FakeClient& payer = rig.client();
    CHECK(responses_in(rig.ask(payer, get("/pay"))).size() == 1);
    std::vector<FakeClient*> senders, newcomers;
    size_t silent = 0;
    SUBCASE("that is sent by all") {
      for (int i = 0; i < 20; ++i) senders.push_back(&rig.client());
    }
    SUBCASE("in which the silent ones are closed") {
      for (int i = 0; i < 23; ++i) {
        FakeClient& client = rig.client();
        if (i % 4 == 3)
          ++silent;
        else
          senders.push_back(&client);
      }
    }
    rig.handler.paths.clear();
    for (FakeClient* sender : senders) sender->send(repeated(get("/"), kRequestsPerRead));
    payer.send(get("/pay"));
    for (int i = 0; i < 8; ++i) newcomers.push_back(&rig.net.connect(rig.listener));
    rig.turn();
    CHECK(std::ranges::count(rig.handler.paths, "/pay") == 1);
    rig.rest();
    CHECK(responses_in(payer.read()).size() == 1);
    for (FakeClient* sender : senders) {
      CHECK(!sender->was_reset());
      CHECK(responses_in(sender->read()).size() == kRequestsPerRead);
    }
    CHECK(rig.metrics.connections_evicted.get() >= silent);
  }

  TEST_CASE("who has asked is not closed for a newcomer when no place is free for his request") {
    ConnectionsRig rig({.connections_max = 3, .places_max = 2});
    FakeClient& asking = rig.client();
    for (FakeClient* busy : {&rig.client(), &rig.client()}) busy->send(get("/wait"));
    rig.rest();
    asking.send(get("/"));
    FakeClient& newcomer = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(newcomer.was_reset());
    rig.answers.refuse(rig.handler.places[0], {.verdict = Verdict::sold_out});
    rig.rest();
    CHECK(rig.handler.places.size() == 3);
    CHECK(asking.is_open_at_server());
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
    FakeClient& buyer = rig.client();
    CHECK(operator_end.is_open_at_server());
    buyer.close();
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

  TEST_CASE("whoever is looked at when the turn is used up has asked once all the same") {
    constexpr uint32_t kClients = 40;
    ConnectionsRig rig;
    rig.net.set_places_max(kClients);
    const std::string request = get("/");
    std::vector<FakeClient*> clients;
    for (uint32_t i = 0; i < kClients; ++i) {
      clients.push_back(&rig.client());
      rig.ask(*clients.back(), request.substr(0, 10));
    }
    // More than a turn decides, and newcomers for whom all of it is read.
    for (FakeClient* client : clients)
      client->send(request.substr(10) + repeated(request, kRequestsPerRead - 1));
    for (uint32_t i = 0; i < kClients / 2; ++i) rig.net.connect(rig.listener);
    rig.rest();
    for (size_t answered = 0; answered < rig.handler.places.size(); ++answered) {
      rig.answers.refuse(rig.handler.places[answered], {.verdict = Verdict::sold_out});
      rig.rest();
    }
    for (FakeClient* client : clients)
      CHECK(responses_in(client->read()).size() == kRequestsPerRead);
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
