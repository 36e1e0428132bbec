// Connections without a shard: clients that split, stall, half-close and reset, and what a turn costs.
#include "shard/connections.h"

#include <algorithm>
#include <random>

#include "../base/death.h"
#include "connections_rig.h"

using namespace stampede;
using namespace stampede::shard;
using net::Accepted;
using world::FakeClient;

namespace {

TextAnswer text(std::string body) {
  return {.body = std::move(body)};
}

// Answers each request with its path, at once.
void echo(ConnectionsRig& rig) {
  rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
    rig.answers.complete(place, text("\"" + std::string(request.path) + "\""));
  };
}

// Answers each request with so many bytes.
void answer_with(ConnectionsRig& rig, size_t bytes) {
  rig.handler.answer = [&rig, bytes](const http::Request&, ReplyTo place) {
    rig.answers.complete(place, text(std::string(bytes, 'x')));
  };
}

constexpr size_t kLarge = 200'000;
constexpr uint32_t kMore = 80;  // clients than a turn decides; some are read together with others

}  // namespace

TEST_SUITE("shard/connections") {
  TEST_CASE("a request is answered whole however its bytes are split") {
    for (size_t piece = 1; piece < 40; ++piece) {
      ConnectionsRig rig;
      echo(rig);
      FakeClient& client = rig.client();
      client.send_pieces(get("/a") + get("/b"), piece);
      rig.rest();
      const std::vector<Response> responses = responses_in(client.read());
      REQUIRE(responses.size() == 2);
      CHECK(responses[0].body == "\"/a\"");
      CHECK(responses[1].body == "\"/b\"");
    }
  }

  TEST_CASE("64 answers that come in any order leave in the order of the requests") {
    const unsigned seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    std::string requests;
    for (int i = 0; i < 64; ++i) requests += get("/" + std::to_string(i));
    client.send(requests);
    rig.rest();
    REQUIRE(rig.handler.places.size() == 64);
    std::vector<size_t> order(64);
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const size_t i : order) {
      // Some large, some by value, some as text.
      if (i % 3 == 0)
        rig.answers.refuse(rig.handler.places[i], {.verdict = Verdict::sold_out});
      else
        rig.answers.complete(rig.handler.places[i],
                             text(std::string(i % 3 == 1 ? i : 9'000 + i, 'x')));
      rig.rest();
    }
    const std::vector<Response> responses = responses_in(client.read());
    REQUIRE(responses.size() == 64);
    for (size_t i = 0; i < 64; ++i) {
      CHECK(responses[i].status == (i % 3 == 0 ? 409 : 200));
      if (i % 3 != 0) CHECK(responses[i].body.size() == (i % 3 == 1 ? i : 9'000 + i));
    }
  }

  TEST_CASE("the 65th unanswered request waits and costs nothing meanwhile") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send(repeated(get("/"), 65));
    rig.rest();
    CHECK(rig.handler.places.size() == 64);
    CHECK(!rig.connections.has_work());
    CHECK(!rig.turn());
    rig.answers.complete(rig.handler.places[0], text("1"));
    rig.rest();
    CHECK(rig.handler.places.size() == 65);
  }

  TEST_CASE("a second answer and one that comes too late go nowhere") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send(get("/a") + get("/b"));
    rig.rest();
    const ReplyTo second = rig.handler.places[1];
    rig.answers.complete(second, text("1"));
    rig.answers.complete(second, text("2"));
    client.reset();
    rig.rest();
    CHECK(rig.handler.abandoned.size() == 1);
    rig.answers.complete(rig.handler.places[0], text("late"));
    FakeClient& other = rig.client();
    other.send(get("/c"));
    rig.rest();
    rig.answers.complete(rig.handler.places[0], text("late"));
    rig.answers.complete(rig.handler.places[2], text("3"));
    rig.rest();
    CHECK(responses_in(other.read()).at(0).body == "3");
  }

  TEST_CASE("an event of a connection that was closed in this turn is harmless") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& first = rig.client();
    first.send(get("/a"));
    const std::span<const net::Event> events = rig.net.poll(0);
    REQUIRE(events.size() == 1);
    const net::Event stale = events[0];
    rig.connections.on_event({.token = stale.token, .broken = true}, rig.clock.now());
    FakeClient& second = rig.client();  // has its cell
    second.send(get("/b"));
    rig.connections.on_event(stale, rig.clock.now());
    rig.connections.on_event({.token = stale.token, .broken = true}, rig.clock.now());
    CHECK(rig.connections.open() == 1);
    rig.rest();
    CHECK(responses_in(second.read()).at(0).body == "\"/b\"");
  }

  // The events of one poll name the listener that begin_stop() closes before they are looked at.
  TEST_CASE("an event of a listener that was closed in this turn is harmless") {
    ConnectionsRig rig;
    FakeClient& client = rig.net.connect(rig.listener);
    const std::span<const net::Event> events = rig.net.poll(0);
    REQUIRE(events.size() == 1);
    rig.connections.begin_stop(rig.clock.now());
    rig.connections.on_event(events[0], rig.clock.now());
    CHECK(!client.is_accepted());
    CHECK(client.was_reset());
    rig.rest();
    CHECK(rig.connections.is_drained());
  }

  TEST_CASE("a listener without a descriptor rests and is not reported without end") {
    ConnectionsRig rig;
    rig.net.set_descriptors_max(0);
    rig.net.set_has_reserve(false);
    FakeClient& client = rig.net.connect(rig.listener);
    CHECK(rig.rest() < 4);
    CHECK(rig.connections.quiet_until_ns() <= rig.clock.now().boot_ns + 100 * kMillisecond);
    rig.net.set_descriptors_max(1);
    rig.pass(101 * kMillisecond);  // watched again
    rig.rest();
    CHECK(client.is_accepted());
  }

  TEST_CASE("clients are shed when descriptors or watches are used up") {
    ConnectionsRig rig({.connections_max = 2, .places_max = 16});
    rig.client();
    rig.net.set_descriptors_max(1);
    FakeClient& by_descriptors = rig.net.connect(rig.listener);
    rig.net.script_accepts({Accepted::Status::aborted});
    rig.rest();
    CHECK(by_descriptors.sees_end());
    rig.net.set_descriptors_max(100);
    rig.net.set_watches_max(2);  // the listener and the first
    FakeClient& by_watches = rig.net.connect(rig.listener);
    rig.rest();
    CHECK(!by_watches.is_open_at_server());
    CHECK(rig.metrics.connections_shed.get() == 2);
    CHECK(rig.connections.open() == 1);
  }

  TEST_CASE("what is no request is answered and the client can read why") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send("NO\x01SENSE\r\n\r\n" + std::string(50'000, 'x'));
    rig.rest();
    CHECK(responses_in(client.read()).at(0).status == 400);
    CHECK(client.sees_end());
    CHECK(client.is_open_at_server());  // it lingers
    client.send("more");
    rig.rest();
    CHECK(client.unread_by_server() == 0);
    client.close();
    rig.rest();
    CHECK(!client.is_open_at_server());
    CHECK(!client.was_reset());
  }

  TEST_CASE("a lingering close ends when the client does not") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send("NO\x01SENSE\r\n\r\n");
    rig.rest();
    rig.pass(bounds::linger_deadline_ms * kMillisecond + 20 * kMillisecond);
    CHECK(!client.is_open_at_server());
  }

  TEST_CASE("a client that has said all is answered and then closed") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send(get("/a") + get("/b") + "GET /half");
    client.half_close();
    rig.rest();
    REQUIRE(rig.handler.places.size() == 2);
    // The half of a request had a deadline; the answers that are owed have none.
    rig.pass((bounds::body_deadline_ms + bounds::head_deadline_ms) * kMillisecond);
    rig.answers.complete(rig.handler.places[1], text("2"));
    rig.answers.complete(rig.handler.places[0], text("1"));
    rig.rest();
    CHECK(responses_in(client.read()).size() == 2);
    CHECK(!client.is_open_at_server());
    CHECK(!client.was_reset());
  }

  TEST_CASE("half a request is refused when its time is over") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send("GET / HT");
    rig.rest();
    rig.pass(4 * kSecond);
    client.send("T");  // trickling in moves no deadline
    rig.pass(kSecond + 20 * kMillisecond);
    CHECK(responses_in(client.read()).at(0).status == 408);
  }

  TEST_CASE("the rest of a request is waited for behind the answers that are owed") {
    const std::string head =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    for (const std::string& half : {head, std::string("GET / HTT")}) {
      CAPTURE(half);
      ConnectionsRig rig;
      FakeClient& client = rig.client();
      client.send(get("/slow") + half);
      // Longer than a body or a head may take.
      for (int second = 0; second < 20; ++second) rig.pass(kSecond);
      CHECK(client.read().empty());
      rig.answers.complete(rig.handler.places.at(0), text("late"));
      rig.rest();
      const std::string said = client.read();
      CHECK(responses_in(said).at(0).body == "late");
      CHECK(said.ends_with(http::kContinue) == (half == head));
      for (int second = 0; second < 20; ++second) rig.pass(kSecond);
      CHECK(responses_in(client.read()).at(0).status == 408);
    }
  }

  TEST_CASE("a HEAD that is refused has no content") {
    ConnectionsRig rig;
    for (const std::string line : {"Expect: x", "Content-Length: 5000", "No Name"}) {
      CAPTURE(line);
      const std::string said =
          rig.ask(rig.client(), "HEAD / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n");
      CHECK(said.starts_with("HTTP/1.1 4"));
      CHECK(said.ends_with("\r\n\r\n"));
    }
    FakeClient& client = rig.client();
    client.send("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12");
    for (int second = 0; second < 20; ++second) rig.pass(kSecond);
    const std::string said = client.read();
    CHECK(said.starts_with("HTTP/1.1 408"));
    CHECK(said.ends_with("\r\n\r\n"));
  }

  TEST_CASE("an idle client is closed when its time is over and an owed answer waits longer") {
    ConnectionsRig rig;
    FakeClient& idle = rig.client();
    FakeClient& owed = rig.client();
    owed.send(get("/"));
    rig.rest();
    rig.pass(bounds::idle_deadline_ms * kMillisecond + kSecond);
    CHECK(!idle.is_open_at_server());
    CHECK(owed.is_open_at_server());
    rig.answers.complete(rig.handler.places[0], text("1"));
    rig.rest();
    CHECK(responses_in(owed.read()).size() == 1);
  }

  TEST_CASE("a client that reads nothing costs nothing until its time is over") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    client.set_window(4'096);
    for (int i = 0; i < 40; ++i) client.send(repeated(get("/time"), 1'000));
    CHECK(rig.rest() < 1'000);
    CHECK(!rig.connections.has_work());
    const uint64_t reads = rig.net.counters().reads;
    const uint64_t writes = rig.net.counters().writes;
    for (int i = 0; i < 100; ++i) CHECK(!rig.turn());
    CHECK(rig.net.counters().reads == reads);
    CHECK(rig.net.counters().writes == writes);
    CHECK(rig.connections.quiet_until_ns() > rig.clock.now().boot_ns);
    // It reads after all: every request is answered.
    client.set_window(SIZE_MAX);
    size_t answers = 0;
    std::string bytes;
    for (int i = 0; i < 40'000 && answers < 40'000; ++i) {
      rig.rest();
      bytes += client.read();
      while (take_response(bytes).status == 200) ++answers;
    }
    CHECK(answers == 40'000);
  }

  TEST_CASE("a client that reads nothing is closed when its time is over") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    client.set_window(100);
    client.send(repeated(get("/"), 1'000));
    rig.rest();
    rig.pass(bounds::write_deadline_ms * kMillisecond + 20 * kMillisecond);
    CHECK(!client.is_open_at_server());
    CHECK(rig.connections.buffers().lent() == net::BufferPool::Counts{});
  }

  // Reads so many bytes a step, each a second shorter than the write deadline.
  struct SlowReader {
    ConnectionsRig& rig;
    FakeClient& client;

    size_t steps_until_closed(size_t bytes_a_step, size_t steps_max) {
      for (size_t step = 0; step < steps_max; ++step) {
        if (!client.is_open_at_server()) return step;
        rig.pass(bounds::write_deadline_ms * kMillisecond - kSecond);
        client.read(bytes_a_step);
        rig.rest();
      }
      return steps_max;
    }
  };

  TEST_CASE("a byte now and then holds no answer longer than the write deadline") {
    for (const size_t bytes : {size_t{1}, size_t{kWriteBytesMin} / 4}) {
      CAPTURE(bytes);
      ConnectionsRig rig;
      answer_with(rig, kLarge);
      FakeClient& client = rig.client();
      client.set_window(2 * bytes);
      client.send(repeated(get("/"), 4));
      rig.rest();
      CHECK(SlowReader{rig, client}.steps_until_closed(bytes, 100) <= 2);
      CHECK(rig.metrics.connections_timed_out.get() == 1);
    }
  }

  TEST_CASE("a byte of the next request now and then holds no answer either") {
    for (const std::string_view piece : {"G", "\r\n"}) {
      CAPTURE(piece);
      ConnectionsRig rig;
      echo(rig);
      FakeClient& client = rig.client();
      client.set_window(100);
      client.send(repeated(get("/"), 10));
      rig.rest();
      for (int step = 0; step < 10 && client.is_open_at_server(); ++step) {
        client.send(piece);
        rig.pass(bounds::write_deadline_ms * kMillisecond / 2);
      }
      CHECK(!client.is_open_at_server());
    }
  }

  TEST_CASE("a byte now and then holds no small answers either") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    client.set_window(100);
    client.send(repeated(get("/"), 60));
    rig.rest();
    CHECK(SlowReader{rig, client}.steps_until_closed(1, 100) <= 2);
  }

  TEST_CASE("whoever takes a fair amount in each write deadline gets all of it") {
    ConnectionsRig rig;
    answer_with(rig, kLarge);
    FakeClient& client = rig.client();
    client.set_window(kWriteBytesMin);
    client.send(repeated(get("/"), 4));
    rig.rest();
    size_t bytes = 0;
    for (int step = 0; step < 1'000 && bytes < 4 * kLarge; ++step) {
      rig.pass(bounds::write_deadline_ms * kMillisecond - kSecond);
      REQUIRE(client.is_open_at_server());
      bytes += client.read(kWriteBytesMin).size();
      rig.rest();
    }
    CHECK(bytes >= 4 * kLarge);
    CHECK(rig.metrics.connections_timed_out.get() == 0);
  }

  TEST_CASE("the write deadline ends with the last byte also while an answer is owed") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.set_window(10);
    client.send(get("/") + get("/"));
    rig.rest();
    rig.answers.complete(rig.handler.places.at(0), text("1"));
    rig.rest();
    client.set_window(SIZE_MAX);
    client.read();
    rig.rest();
    client.read();
    rig.pass(3 * bounds::write_deadline_ms * kMillisecond);
    CHECK(client.is_open_at_server());
    rig.answers.complete(rig.handler.places.at(1), text("2"));
    rig.rest();
    CHECK(responses_in(client.read()).size() == 1);
  }

  TEST_CASE("a large answer is whole or not begun and needs no buffer") {
    ConnectionsRig rig;
    answer_with(rig, kLarge);
    FakeClient& client = rig.client();
    client.set_window(1'000);
    client.send(repeated(get("/"), 32));
    rig.rest();
    CHECK(rig.connections.buffers().lent() == net::BufferPool::Counts{0, 0, 0});
    std::string bytes;
    std::vector<Response> responses;
    for (int i = 0; i < 100'000 && responses.size() < 32; ++i) {
      rig.rest();
      bytes += client.read();
      if (bytes.size() < kLarge) continue;
      for (Response one; (one = take_response(bytes)).status != 0;) {
        REQUIRE(one.status == 200);
        responses.push_back(std::move(one));
      }
    }
    REQUIRE(responses.size() == 32);
    for (const Response& one : responses) CHECK(one.body.size() == kLarge);
    CHECK(bytes.empty());
  }

  TEST_CASE("an answer that finds no buffer waits and others' use of them closes nobody") {
    ConnectionsRig rig({.connections_max = 64, .places_max = 1024, .chunks_max = {2, 0, 0}});
    echo(rig);
    FakeClient& greedy = rig.client();
    FakeClient& another = rig.client();
    FakeClient& reader = rig.client();
    greedy.set_window(0);
    another.set_window(0);
    greedy.send(get("/1"));
    another.send(get("/2"));
    rig.rest();
    CHECK(rig.connections.buffers().lent()[0] == 2);
    reader.send(get("/3"));
    rig.rest();  // comes to rest: it does not spin
    CHECK(reader.read().empty());
    CHECK(reader.is_open_at_server());
    CHECK(!rig.connections.has_work());
    greedy.set_window(SIZE_MAX);
    rig.rest();
    CHECK(responses_in(greedy.read()).at(0).body == "\"/1\"");
    CHECK(responses_in(reader.read()).at(0).body == "\"/3\"");
    CHECK(reader.is_open_at_server());
    CHECK(rig.metrics.connections_shed.get() == 0);
  }

  TEST_CASE("an answer that comes when no buffer is left waits for one") {
    ConnectionsRig rig({.connections_max = 64, .places_max = 1024, .chunks_max = {2, 0, 0}});
    FakeClient& reader = rig.client();
    reader.send(get("/3"));
    rig.rest();
    REQUIRE(rig.handler.places.size() == 1);
    const ReplyTo late = rig.handler.places[0];
    echo(rig);
    FakeClient& greedy = rig.client();
    FakeClient& another = rig.client();
    for (FakeClient* const client : {&greedy, &another}) {
      client->set_window(0);
      client->send(get("/1"));
    }
    rig.rest();
    REQUIRE(rig.connections.buffers().lent()[0] == 2);
    rig.answers.complete(late, text("\"late\""));
    rig.rest();
    CHECK(reader.read().empty());
    CHECK(!rig.connections.has_work());
    greedy.set_window(SIZE_MAX);
    rig.rest();
    CHECK(responses_in(reader.read()).at(0).body == "\"late\"");
  }

  TEST_CASE("a request that finds no place waits until another connection gives one back") {
    ConnectionsRig rig({.connections_max = 64, .places_max = 2});
    FakeClient& first = rig.client();
    FakeClient& second = rig.client();
    FakeClient& third = rig.client();
    first.send(get("/"));
    second.send(get("/"));
    rig.rest();
    REQUIRE(rig.handler.places.size() == 2);
    third.send(get("/"));
    rig.rest();
    CHECK(rig.handler.places.size() == 2);
    // It stays with the kernel: whoever waits for a place holds no buffer.
    for (const uint32_t lent : rig.connections.buffers().lent()) CHECK(lent == 0);
    CHECK(!rig.connections.has_work());
    rig.answers.complete(rig.handler.places[0], text("1"));
    rig.rest();
    CHECK(rig.handler.places.size() == 3);
  }

  TEST_CASE("a request that finds neither a share of the turn nor a place costs nothing") {
    // The turn that takes the last places has used up what it may decide, while some are read together with those who took them.
    ConnectionsRig rig({.connections_max = 512, .places_max = kRequestsPerTurn});
    FakeClient& eager = rig.client();
    std::vector<FakeClient*> clients;
    for (uint32_t i = 0; i < kRequestsPerTurn + kMore; ++i) clients.push_back(&rig.client());
    eager.send(repeated(get("/"), kRequestsPerRead));
    for (FakeClient* client : clients) client->send(get("/"));
    rig.rest();
    CHECK(rig.handler.places.size() == kRequestsPerTurn);
    CHECK(!rig.connections.has_work());
    for (size_t answered = 0; answered < rig.handler.places.size(); ++answered) {
      rig.answers.complete(rig.handler.places[answered], text("1"));
      rig.rest();
    }
    CHECK(rig.handler.places.size() == kRequestsPerTurn + kRequestsPerRead + kMore);
  }

  TEST_CASE("who was read when the turn was used up and finds no place costs nothing either") {
    constexpr uint32_t kPlaces = 32, kQuick = (kRequestsPerTurn - kPlaces) / kRequestsPerRead;
    ConnectionsRig rig({.connections_max = 512, .places_max = kPlaces});
    rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
      if (request.path == "/quick") rig.answers.complete(place, text("1"));
    };
    std::vector<FakeClient*> quick, slow;
    for (uint32_t i = 0; i < kQuick; ++i) quick.push_back(&rig.client());
    for (uint32_t i = 0; i < kPlaces + 10; ++i) slow.push_back(&rig.client());
    for (FakeClient* client : quick) client->send(repeated(get("/quick"), kRequestsPerRead));
    for (FakeClient* client : slow) client->send(get("/"));
    rig.turn();
    REQUIRE(rig.net.counters().reads == quick.size() + slow.size());
    REQUIRE(rig.handler.places.size() == kRequestsPerTurn);
    rig.rest();
    // What they send meanwhile is told of by no poll.
    for (FakeClient* client : slow) client->send(get("/"));
    rig.rest(1'000);
    CHECK(!rig.connections.has_work());
    for (size_t at = 0; at < rig.handler.places.size(); ++at) {
      if (rig.handler.paths[at] == "/") rig.answers.complete(rig.handler.places[at], text("1"));
      rig.rest();
    }
    for (FakeClient* client : slow) CHECK(responses_in(client->read()).size() == 2);
  }

  TEST_CASE("who asks for much and reads nothing leaves everybody else a place") {
    constexpr size_t kFromItsPlace = 9'000;
    ConnectionsRig rig({.connections_max = 256, .places_max = 256});
    rig.handler.answer = [&](const http::Request& request, ReplyTo place) {
      const bool pays = request.path == "/pay";
      rig.answers.rank(place, pays ? net::Rank::first : net::Rank::usual);
      rig.answers.complete(place, text(std::string(pays ? 2 : kFromItsPlace, 'x')));
    };
    FakeClient& payer = rig.client();
    CHECK(responses_in(rig.ask(payer, get("/pay"))).size() == 1);
    std::vector<FakeClient*> deaf;
    for (int i = 0; i < 32; ++i) {
      deaf.push_back(&rig.client());
      deaf.back()->set_window(0);
      deaf.back()->send(repeated(get("/"), 70));
    }
    rig.rest();
    CHECK(rig.handler.places.size() < 1 + 256);
    CHECK(responses_in(rig.ask(payer, get("/pay"))).size() == 1);
    CHECK(responses_in(rig.ask(rig.client(), get("/"))).size() == 1);
    CHECK(!rig.connections.has_work());
    // They read after all, one after the other, and each has every answer.
    for (FakeClient* client : deaf) {
      client->set_window(SIZE_MAX);
      rig.rest();
    }
    for (FakeClient* client : deaf) CHECK(responses_in(client->read()).size() == 70);
  }

  TEST_CASE(
      "who waits behind a crowd goes on when it is over although his own answer is not there") {
    ConnectionsRig rig({.connections_max = 64, .places_max = 8});
    FakeClient& client = rig.client();
    FakeClient& idle = rig.client();
    client.send(get("/first"));
    rig.rest();
    rig.answers.may_linger(rig.handler.places[0]);
    rig.client().send(repeated(get("/"), 4));
    rig.rest();
    REQUIRE(rig.handler.places.size() == 4);
    SUBCASE("with what the kernel has kept") {
      client.send(get("/second"));
    }
    SUBCASE("with what was read") {
      idle.send(get("/first") + get("/second"));
    }
    rig.rest();
    const size_t before = rig.handler.places.size();
    CHECK(rig.handler.hurried.size() == (before == 4 ? 1 : 0));
    for (size_t i = 1; i < 4; ++i) rig.answers.complete(rig.handler.places[i], text("1"));
    rig.rest();
    CHECK(std::ranges::count(rig.handler.paths, "/second") == 1);
  }

  TEST_CASE("large answers share a turn by bytes and one is under way a connection") {
    ConnectionsRig rig;
    answer_with(rig, kLarge);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(&rig.client());
    for (FakeClient* client : clients) client->send(repeated(get("/"), 4));
    uint32_t turns = 0;
    for (bool goes_on = true; goes_on;) {
      const uint64_t before = rig.net.counters().bytes_written;
      goes_on = rig.turn();
      CHECK(rig.net.counters().bytes_written - before <=
            kBodyBytesPerTurn + 50 * http::response_bytes_max);
      REQUIRE(++turns < 1'000);
    }
    CHECK(turns >= 50 * 4 * kLarge / kBodyBytesPerTurn);
    for (FakeClient* client : clients) CHECK(responses_in(client->read()).size() == 4);
  }

  TEST_CASE("a waiting request is told of its turn and of one behind it and of the end") {
    ConnectionsRig rig;
    FakeClient& client = rig.client();
    client.send(get("/a") + get("/b"));
    rig.rest();
    const ReplyTo first = rig.handler.places[0], second = rig.handler.places[1];
    CHECK(rig.answers.is_first(first));
    CHECK(!rig.answers.is_first(second));
    CHECK(!rig.answers.may_linger(first));  // another one waits behind it
    CHECK(rig.answers.may_linger(second));
    CHECK(rig.handler.turns.empty());
    rig.answers.complete(first, text("1"));
    REQUIRE(rig.handler.turns.size() == 1);
    CHECK(rig.handler.turns[0].place == second.place);
    client.send(get("/c"));
    rig.rest();
    REQUIRE(rig.handler.hurried.size() == 1);
    CHECK(rig.handler.hurried[0].place == second.place);
    client.reset();
    rig.rest();
    CHECK(rig.handler.abandoned.size() == 2);
  }

  TEST_CASE("an answer that ends the connection takes nothing of what follows") {
    ConnectionsRig rig;
    rig.handler.answer = [&](const http::Request&, ReplyTo place) {
      rig.answers.complete(place, {.refusal = Verdict::length_required, .ends_connection = true});
    };
    FakeClient& client = rig.client();
    client.send(get("/a") + get("/b"));
    rig.rest();
    CHECK(rig.handler.places.size() == 1);
    const std::vector<Response> responses = responses_in(client.read());
    REQUIRE(responses.size() == 1);
    CHECK(responses[0].status == 411);
    CHECK(responses[0].head.find("Connection: close\r\n") != std::string::npos);
  }

  TEST_CASE(
      "places of all connections together are bounded and a connection that found none goes on") {
    ConnectionsRig rig({.connections_max = 16, .places_max = 32});
    FakeClient& first = rig.client();
    FakeClient& second = rig.client();
    FakeClient& third = rig.client();
    first.send(repeated(get("/"), 30));
    rig.rest();
    second.send(repeated(get("/"), 10));
    rig.rest();
    third.send(get("/third"));
    rig.rest();
    CHECK(rig.handler.places.size() == 16 + 1 + 1);
    CHECK(!rig.connections.has_work());
    for (size_t answered = 0; answered < rig.handler.places.size(); ++answered) {
      rig.answers.complete(rig.handler.places[answered], text("1"));
      rig.rest();
    }
    CHECK(rig.handler.places.size() == 41);
    CHECK(responses_in(second.read()).size() == 10);
    CHECK(responses_in(third.read()).size() == 1);
  }

  TEST_CASE("the memory of a flood's buffers is given back") {
    ConnectionsRig rig;
    answer_with(rig, 1'000);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 1'000; ++i) {
      clients.push_back(&rig.client());
      clients.back()->set_window(0);
      clients.back()->send(repeated(get("/"), 20));
    }
    rig.rest();
    const size_t flooded = rig.connections.buffers().resident_bytes();
    CHECK(flooded > 16 * 1024 * 1024);
    for (FakeClient* client : clients) client->reset();
    rig.rest();
    for (int i = 0; i < 1'000; ++i) rig.pass(10 * kMillisecond);
    CHECK(rig.connections.buffers().resident_bytes() <= 3 * 1024 * 1024);
  }

  TEST_CASE("a server that stops is drained whatever its clients do") {
    struct Case {
      const char* name;
      std::function<void(ConnectionsRig&, FakeClient&)> act;
      bool needs_patience;
    };
    const std::string expects =
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    const Case cases[] = {
        {"idle", [](auto&, auto&) {}, false},
        {"half a head", [](auto&, auto& client) { client.send("GET / HT"); }, false},
        {"expects 100", [&](auto&, auto& client) { client.send(expects); }, false},
        {"expects 100 and has read it",
         [&](auto& rig, auto& client) {
           client.send(expects);
           rig.rest();
           CHECK(client.read() == http::kContinue);
         },
         false},
        {"expects 100 and does not take it",
         [&](auto& rig, auto& client) {
           client.set_window(0);
           client.send(expects);
           rig.rest();
         },
         true},
        {"has an answer that it does not take",
         [](auto& rig, auto& client) {
           answer_with(rig, 100);
           client.set_window(0);
           client.send(get("/"));
           rig.rest();
         },
         true},
        {"has a large answer that it takes slowly",
         [](auto& rig, auto& client) {
           answer_with(rig, kLarge);
           client.set_window(100);
           client.send(repeated(get("/"), 3));
           rig.rest();
         },
         true},
        {"a stalled line",
         [](auto& rig, auto& client) {
           answer_with(rig, 1'000);
           client.set_window(0);
           client.send(repeated(get("/"), 1'000));
           rig.rest();
         },
         true},
        {"a request that is never answered",
         [](auto& rig, auto& client) {
           client.send(get("/"));
           rig.rest();
         },
         true},
        {"a long poll",
         [](auto& rig, auto& client) {
           rig.handler.on_hurry = [&rig](ReplyTo place) { rig.answers.complete(place, text("1")); };
           client.send(get("/"));
           rig.rest();
           CHECK(rig.answers.may_linger(rig.handler.places[0]));
         },
         false},
        {"half-closed",
         [](auto& rig, auto& client) {
           client.send("GET / H");
           client.half_close();
           rig.rest();
         },
         false},
        {"lingering",
         [](auto& rig, auto& client) {
           client.send("NO\x01SENSE\r\n\r\n");
           rig.rest();
         },
         false},
        {"reset", [](auto&, auto& client) { client.reset(); }, false},
        {"not accepted yet", [](auto& rig, auto&) { rig.net.connect(rig.listener); }, false},
    };
    for (const Case& one : cases) {
      CAPTURE(one.name);
      ConnectionsRig rig;
      FakeClient& client = rig.client();
      one.act(rig, client);
      CHECK(!rig.connections.is_drained());
      rig.connections.begin_stop(rig.clock.now());
      rig.rest();
      CHECK(rig.connections.is_drained() == !one.needs_patience);
      // A shard that stops turns at least every 10 ms.
      for (int i = 0; i < 400 && !rig.connections.is_drained(); ++i) rig.pass(10 * kMillisecond);
      CHECK(rig.connections.is_drained());
      if (one.needs_patience) CHECK(rig.connections.open() == 0);
      CHECK(!rig.net.is_listening(rig.listener));
    }
  }

  TEST_CASE("a request that arrived before the stop is answered and none after it is taken") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    client.send(get("/before"));
    rig.connections.begin_stop(rig.clock.now());
    rig.rest();
    CHECK(responses_in(client.read()).at(0).body == "\"/before\"");
    CHECK(!client.is_open_at_server());
    CHECK(rig.connections.is_drained());
  }

  TEST_CASE(
      "a server that leaves passes on whatever owes nothing and another one goes on with it") {
    ConnectionsRig rig;
    FakeClient& idle = rig.client();
    FakeClient& half = rig.client();
    half.send("GET /half HT");
    FakeClient& owed = rig.client();
    owed.send(get("/owed") + get("/behind").substr(0, 9));
    FakeClient& waiting = rig.client();
    waiting.send(get("/waiting"));
    rig.rest();
    REQUIRE(rig.handler.places.size() == 2);
    const auto owed_place = rig.handler.places[0];
    rig.connections.begin_stop(rig.clock.now(), true);
    idle.send(get("/late"));
    rig.rest();
    CHECK(rig.handler.places.size() == 2);  // nothing more is taken
    CHECK(!rig.connections.is_drained());
    rig.answers.complete(owed_place, text("1"));
    rig.answers.complete(rig.handler.places[1], text("2"));
    rig.rest();
    CHECK(rig.connections.is_drained());
    std::vector<net::PassedConnection> sockets;
    rig.connections.pass_on(sockets);
    CHECK(rig.connections.open() == 0);
    REQUIRE(sockets.size() == 4);

    Connections next({.connections_max = 16, .places_max = 16}, rig.net, rig.metrics,
                     rig.clock.now());
    KeepingHandler handler;
    handler.answer = [&](const http::Request& request, ReplyTo place) {
      next.answers().complete(place, text("\"" + std::string(request.path) + "\""));
    };
    for (const net::PassedConnection& socket : sockets) next.adopt(socket, {.handler = &handler});
    half.send("TP/1.1\r\nHost: a\r\n\r\n");
    owed.send(get("/behind").substr(9));
    for (int turn = 0; turn < 4; ++turn) {
      const std::span<const net::Event> events = rig.net.poll(0);
      next.pass_time(rig.clock.now());
      for (const net::Event& event : events) next.on_event(event, rig.clock.now());
      next.read();
      next.flush();
    }
    CHECK(responses_in(idle.read()).at(0).body == "\"/late\"");
    CHECK(responses_in(half.read()).at(0).body == "\"/half\"");
    const std::vector<Response> both = responses_in(owed.read());
    REQUIRE(both.size() == 2);
    CHECK(both[0].body == "1");
    CHECK(both[1].body == "\"/behind\"");
    CHECK(responses_in(waiting.read()).at(0).body == "2");
    CHECK(next.open() == 4);
    next.close_all();
  }

  TEST_CASE("a whole request that another server had read is answered") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    std::vector<net::PassedConnection> sockets;
    rig.connections.pass_on(sockets);
    REQUIRE(sockets.size() == 1);
    sockets[0].input = get("/whole") + get("/next");
    rig.connections.adopt(sockets[0], {.handler = &rig.handler});
    rig.rest();
    CHECK(responses_in(client.read()).size() == 2);
  }

  TEST_CASE("requests that had been read before a server stops are answered") {
    ConnectionsRig rig;
    echo(rig);
    FakeClient& client = rig.client();
    const size_t count = kRequestsPerRead + 3;
    client.send(repeated(get("/"), count));
    rig.turn();
    REQUIRE(rig.handler.places.size() == kRequestsPerRead);  // the others wait for their turn
    rig.connections.begin_stop(rig.clock.now());
    rig.rest();
    CHECK(responses_in(client.read()).size() == count);
    CHECK(rig.connections.is_drained());
  }

  TEST_CASE("who leaves passes on a client for whose request there was no buffer") {
    ConnectionsRig rig({.connections_max = 16, .places_max = 16, .chunks_max = {1, 0, 0}});
    rig.client().send("GET /half HT");
    rig.rest();
    FakeClient& unread = rig.client();
    unread.send(get("/"));
    rig.rest();
    REQUIRE(rig.handler.places.empty());
    rig.connections.begin_stop(rig.clock.now(), true);
    rig.rest();
    std::vector<net::PassedConnection> sockets;
    rig.connections.pass_on(sockets);
    CHECK(sockets.size() == 2);
    CHECK(!unread.was_reset());
  }

  TEST_CASE("who leaves waits for answers but not for clients that read nothing") {
    ConnectionsRig rig;
    answer_with(rig, kLarge);
    FakeClient& greedy = rig.client();
    greedy.set_window(1'000);
    greedy.send(get("/"));
    rig.rest();
    rig.handler.answer = nullptr;
    FakeClient& waiting = rig.client();
    waiting.send(get("/"));
    rig.rest();
    SUBCASE("at once") {
      rig.connections.begin_stop(rig.clock.now(), true);
      std::vector<net::PassedConnection> sockets;
      rig.connections.pass_on(sockets);
      CHECK(sockets.empty());
      CHECK(rig.connections.open() == 0);
    }
    SUBCASE("when their time is over") {
      rig.connections.begin_stop(rig.clock.now(), true);
      rig.pass(99 * kMillisecond);
      CHECK(greedy.is_open_at_server());
      rig.pass(2 * kMillisecond);
      CHECK(!greedy.is_open_at_server());
      CHECK(waiting.is_open_at_server());
      CHECK(!rig.connections.is_drained());
      rig.pass(3 * kSecond);
      CHECK(rig.connections.is_drained());
    }
  }

  TEST_CASE("many connections are stopped some a turn") {
    ConnectionsRig rig;
    for (int i = 0; i < 2'000; ++i) rig.net.connect(rig.listener);
    rig.rest();
    REQUIRE(rig.connections.open() == 2'000);
    rig.connections.begin_stop(rig.clock.now());
    for (int i = 0; i < 3; ++i) {
      const uint64_t before = rig.net.counters().reads;
      rig.turn();
      CHECK(rig.net.counters().reads - before <= bounds::events_per_turn_max);
      CHECK(!rig.connections.is_drained());
    }
    rig.rest();
    CHECK(rig.connections.is_drained());
    CHECK(rig.connections.open() == 0);
  }

  TEST_CASE("an answer for a place that never was ends the process") {
    const Death death = death_of([] {
      ConnectionsRig rig;
      rig.answers.complete(ReplyTo{.shard = 0, .place = 5}, text("1"));
    });
    CHECK(death.signal == SIGABRT);
    const Death other_shard = death_of([] {
      ConnectionsRig rig;
      rig.client().send(get("/"));
      rig.rest();
      ReplyTo place = rig.handler.places[0];
      place.shard = 1;
      rig.answers.complete(place, text("1"));
    });
    CHECK(other_shard.signal == SIGABRT);
  }
}
