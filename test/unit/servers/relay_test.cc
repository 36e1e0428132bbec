#include "../../servers/relay.h"

#include <doctest/doctest.h>

#include <string>

#include "../../servers/redis_server.h"
#include "../../servers/resp_frame.h"

using namespace stampede::servers;
using std::chrono::milliseconds;

namespace {

// Long enough for what must not come; a slow machine makes the wait longer and the test no weaker.
constexpr milliseconds kShort{50};

// A server, a relay before it, and a client of the relay.
struct Rig {
  RedisServer server;
  Relay relay{server.port()};
  RedisClient client{relay.port()};
  RedisClient impatient{relay.port(), {.user = "", .password = "", .patience = kShort}};

  std::string ask(const std::vector<std::string>& words) { return client.command(words).line(); }
  std::string value(const std::string& key) { return server.command({"GET", key}).line(); }
};

bool is_lost(const std::string& line) {
  return line.starts_with("(no reply");
}

}  // namespace

TEST_SUITE_BEGIN("servers/relay");

TEST_CASE("what passes is counted") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  RelayCounts counts = rig.relay.counts();
  CHECK(counts.accepted == 1);
  CHECK(counts.open == 1);
  CHECK(counts.bytes_to_server == std::string("*1\r\n$4\r\nPING\r\n").size());
  rig.client.disconnect();
  CHECK(rig.relay.await_counts([](const RelayCounts& now) {
    return now.open == 0 && now.bytes_to_client == std::string("+PONG\r\n").size();
  }));
}

TEST_CASE("a value of many megabytes passes whole") {
  Rig rig;
  std::string value(20 << 20, 'v');
  CHECK(rig.ask({"SET", "k", value}) == "OK");
  CHECK(rig.client.command({"GET", "k"}).text == value);
}

TEST_CASE("a delay holds every byte back in its direction") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  for (Direction direction : {Direction::to_server, Direction::to_client}) {
    rig.relay.delay(direction, 2 * kShort);
    auto start = std::chrono::steady_clock::now();
    CHECK(rig.ask({"PING"}) == "PONG");
    CHECK(std::chrono::steady_clock::now() - start >= 2 * kShort);
    rig.relay.delay(direction, milliseconds{0});
  }
}

TEST_CASE("a delayed request arrives although its client has given up") {
  Rig rig;
  rig.relay.delay(Direction::to_server, 3 * kShort);
  CHECK(is_lost(rig.impatient.command({"SET", "k", "late"}).line()));
  CHECK(await([&] { return rig.value("k") == "late"; }));
}

TEST_CASE("cut resets the connections and new ones pass") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  rig.relay.cut();
  CHECK(rig.relay.counts().open == 0);
  CHECK(is_lost(rig.ask({"PING"})));
  CHECK(rig.ask({"PING"}) == "PONG");
}

TEST_CASE("cut reaches connections that the relay has not accepted yet") {
  Rig rig;
  for (int i = 0; i < 200; ++i) {
    RedisClient fresh(rig.relay.port());
    fresh.connect();
    rig.relay.cut();
    CHECK(is_lost(fresh.command({"PING"}).line()));
  }
}

TEST_CASE("a swallowed reply is of a request that was executed") {
  Rig rig;
  rig.relay.swallow(Direction::to_client, Times::once);
  CHECK(is_lost(rig.ask({"INCR", "k"})));
  CHECK(rig.value("k") == "1");
  CHECK(rig.ask({"INCR", "k"}) == "2");
  CHECK(rig.relay.counts().swallowed_replies == 1);
}

TEST_CASE("a swallowed request was never executed") {
  Rig rig;
  rig.relay.swallow(Direction::to_server, Times::once);
  CHECK(is_lost(rig.ask({"INCR", "k"})));
  CHECK(rig.value("k") == "nil");
  CHECK(rig.ask({"INCR", "k"}) == "1");
  CHECK(rig.relay.counts().swallowed_requests == 1);
}

TEST_CASE("swallowing goes on until it is ended") {
  Rig rig;
  rig.relay.swallow(Direction::to_client, Times::always);
  for (int i = 0; i < 5; ++i) CHECK(is_lost(rig.ask({"INCR", "k"})));
  CHECK(rig.value("k") == "5");
  rig.relay.swallow(Direction::to_client, Times::never);
  CHECK(rig.ask({"INCR", "k"}) == "6");
}

TEST_CASE("a paused relay accepts and forwards nothing until it resumes") {
  Rig rig;
  rig.relay.pause();
  CHECK(is_lost(rig.impatient.command({"SET", "k", "v"}).line()));
  CHECK(rig.relay.await_counts([](const RelayCounts& now) { return now.accepted == 1; }));
  CHECK(rig.relay.counts().bytes_to_server == 0);
  CHECK(rig.value("k") == "nil");
  rig.relay.resume();
  CHECK(await([&] { return rig.value("k") == "v"; }));
}

TEST_CASE("what a paused relay holds is lost by a cut") {
  Rig rig;
  rig.relay.pause();
  CHECK(is_lost(rig.impatient.command({"SET", "k", "v"}).line()));
  rig.relay.cut();
  rig.relay.resume();
  CHECK(rig.ask({"GET", "k"}) == "nil");
}

TEST_CASE("connections are refused and accepted again on the same port") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  rig.relay.refuse();
  CHECK(rig.impatient.command({"PING"}).line() == "(no reply: Connection refused)");
  CHECK(rig.ask({"PING"}) == "PONG");  // its connection stayed
  rig.relay.accept();
  RedisClient fresh(rig.relay.port());
  CHECK(fresh.command({"PING"}).line() == "PONG");
}

TEST_CASE("a server that is down resets and is found again when it is back") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  rig.server.kill();
  CHECK(is_lost(rig.ask({"PING"})));
  CHECK(is_lost(rig.ask({"PING"})));
  rig.server.restart();
  CHECK(rig.ask({"PING"}) == "PONG");
}

TEST_CASE("new connections go where the relay is redirected to") {
  Rig rig;
  RedisServer other;
  other.command({"SET", "k", "other"});
  CHECK(rig.ask({"GET", "k"}) == "nil");
  rig.relay.redirect(other.port());
  CHECK(rig.ask({"GET", "k"}) == "nil");
  rig.client.disconnect();
  CHECK(rig.ask({"GET", "k"}) == "other");
}

TEST_CASE("the nth reply is replaced and the others pass") {
  Rig rig;
  CHECK(rig.ask({"RPUSH", "list", "a", "b\r\n"}) == "2");
  rig.relay.forge_reply(3, {"-LOADING Redis is loading the dataset in memory\r\n"});
  CHECK(rig.ask({"LRANGE", "list", "0", "-1"}) == "[a, b\r\n]");
  CHECK(rig.ask({"INCR", "k"}) == "1");
  CHECK(rig.ask({"INCR", "k"}) == "-LOADING Redis is loading the dataset in memory");
  CHECK(rig.ask({"INCR", "k"}) == "3");
  CHECK(rig.relay.counts().forged_replies == 1);
}

TEST_CASE("garbage in place of a reply is a protocol error") {
  Rig rig;
  rig.relay.forge_reply(1, {kGarbage});
  CHECK(rig.ask({"PING"}).find("Protocol error") != std::string::npos);
}

TEST_CASE("half a reply and then silence or the end") {
  Rig rig;
  rig.relay.forge_reply(1, {kHalfReply, Forgery::Then::close});
  CHECK(rig.ask({"PING"}) == "(no reply: Server closed the connection)");
  for (const std::string& bytes : {kHalfReply, kHugeBulk}) {
    rig.relay.forge_reply(1, {bytes, Forgery::Then::silence});
    uint64_t passed = rig.relay.counts().bytes_to_client;
    CHECK(is_lost(rig.impatient.command({"PING"}).line()));
    CHECK(rig.relay.await_counts(
        [&](const RelayCounts& now) { return now.bytes_to_client == passed + bytes.size(); }));
  }
}

TEST_CASE("injected bytes come before the reply that was asked for") {
  Rig rig;
  CHECK(rig.ask({"PING"}) == "PONG");
  rig.relay.inject(":7\r\n");
  CHECK(rig.ask({"PING"}) == "7");
  CHECK(rig.ask({"GET", "k"}) == "PONG");
}

TEST_CASE("a reply ends where RESP says and not before") {
  for (std::string_view reply :
       {"+OK\r\n", "-ERR no\r\n", ":12\r\n", "$-1\r\n", "$0\r\n\r\n", "$4\r\na\r\nb\r\n", "*-1\r\n",
        "*0\r\n", "*2\r\n$1\r\na\r\n*1\r\n:1\r\n", "%1\r\n+k\r\n:1\r\n", "_\r\n"}) {
    CAPTURE(reply);
    CHECK(reply_length(std::string(reply) + "+next\r\n") == reply.size());
    for (size_t size = 0; size < reply.size(); ++size)
      CHECK(reply_length(reply.substr(0, size)) == std::nullopt);
  }
}

TEST_SUITE_END();
