// The network in memory against the promises of net::Net, so that a fault that a test finds is the server's.
#include "../../world/fake_net.h"

#include <array>

#include "../base/death.h"
#include "net/doorbell.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::net;
using namespace stampede::world;

namespace {

std::string read_at(FakeNet& net, Socket socket) {
  std::array<char, 64> room;
  const Io io = net.read(socket, room);
  return {room.data(), io.bytes};
}

struct Pair {
  FakeClock clock;
  FakeNet net{&clock};
  Socket listener = net.listen();
  FakeClient& client = net.connect(listener);
  Socket server = net.accept(listener).socket;
};

}  // namespace

TEST_SUITE("world/fake_net") {
  TEST_CASE("a listener is readable while a client waits there") {
    FakeNet net;
    const Socket listener = net.listen();
    REQUIRE(net.watch(listener, 7, Interest::read));
    CHECK(net.poll(0).empty());
    FakeClient& client = net.connect(listener);
    REQUIRE(net.poll(0).size() == 1);
    CHECK(net.poll(0)[0].token == 7);
    CHECK(net.accept(listener).status == Accepted::Status::accepted);
    CHECK(client.is_accepted());
    CHECK(net.accept(listener).status == Accepted::Status::none);
    CHECK(net.poll(0).empty());
  }

  TEST_CASE(
      "bytes arrive in the pieces in which they were sent and are reported until they are read") {
    Pair pair;
    REQUIRE(pair.net.watch(pair.server, 9, Interest::read));
    pair.client.send_pieces("abcde", 2);
    CHECK(pair.net.poll(0)[0].readable);
    CHECK(read_at(pair.net, pair.server) == "ab");
    CHECK(pair.net.poll(0).size() == 1);
    CHECK(read_at(pair.net, pair.server) == "cd");
    CHECK(read_at(pair.net, pair.server) == "e");
    CHECK(pair.net.poll(0).empty());
  }

  TEST_CASE("a client that reads nothing stops the writes at its window") {
    Pair pair;
    pair.client.set_window(3);
    REQUIRE(pair.net.watch(pair.server, 9, Interest::write));
    CHECK(pair.net.write(pair.server, std::string_view("abcd")).bytes == 3);
    CHECK(pair.net.write(pair.server, std::string_view("d")).status == Io::Status::would_block);
    CHECK(pair.net.poll(0).empty());
    CHECK(pair.client.read(1) == "a");
    CHECK(pair.net.poll(0)[0].writable);
  }

  TEST_CASE("a half-closed client still gets its answer") {
    Pair pair;
    REQUIRE(pair.net.watch(pair.server, 9, Interest::read));
    pair.client.send("q");
    pair.client.half_close();
    CHECK(pair.net.poll(0)[0].half_closed);
    CHECK(read_at(pair.net, pair.server) == "q");
    std::array<char, 4> room;
    CHECK(pair.net.read(pair.server, room).status == Io::Status::closed);
    CHECK(pair.net.write(pair.server, std::string_view("a")).bytes == 1);
    CHECK(pair.client.read() == "a");
  }

  TEST_CASE("a reset is told whatever the interest") {
    Pair pair;
    REQUIRE(pair.net.watch(pair.server, 9, Interest::none));
    pair.client.reset();
    REQUIRE(pair.net.poll(0).size() == 1);
    CHECK(pair.net.poll(0)[0].broken);
    CHECK(pair.net.write(pair.server, std::string_view("a")).status == Io::Status::closed);
    pair.net.close(pair.server);
    CHECK(pair.net.poll(0).empty());
  }

  TEST_CASE("a client that has gone is noticed behind the first write") {
    Pair pair;
    pair.client.close();
    CHECK(pair.net.write(pair.server, std::string_view("a")).status == Io::Status::ok);
    CHECK(pair.net.write(pair.server, std::string_view("a")).status == Io::Status::closed);
  }

  TEST_CASE("closing over unread input takes the answer from the client") {
    Pair pair;
    pair.client.send("unread");
    CHECK(pair.net.write(pair.server, std::string_view("answer")).bytes == 6);
    pair.net.close(pair.server);
    CHECK(pair.client.was_reset());
    CHECK(pair.client.read().empty());
  }

  TEST_CASE("behind the last descriptor a client is shed with the reserve or waits without it") {
    FakeNet net;
    const Socket listener = net.listen();
    net.set_descriptors_max(1);
    net.connect(listener);
    FakeClient& second = net.connect(listener);
    FakeClient& third = net.connect(listener);
    REQUIRE(net.accept(listener).status == Accepted::Status::accepted);
    CHECK(net.accept(listener).status == Accepted::Status::shed);
    CHECK(second.sees_end());
    net.set_has_reserve(false);
    CHECK(net.accept(listener).status == Accepted::Status::exhausted);
    CHECK(!third.sees_end());
    CHECK(net.open_sockets() == 1);
  }

  TEST_CASE("scripted accepts come first") {
    FakeNet net;
    const Socket listener = net.listen();
    net.connect(listener);
    net.script_accepts({Accepted::Status::aborted, Accepted::Status::exhausted});
    CHECK(net.accept(listener).status == Accepted::Status::aborted);
    CHECK(net.accept(listener).status == Accepted::Status::exhausted);
    CHECK(net.accept(listener).status == Accepted::Status::accepted);
  }

  TEST_CASE("the use of a closed socket ends the process") {
    const Death death = death_of([] {
      FakeNet net;
      const Socket listener = net.listen();
      net.close(listener);
      (void)net.accept(listener);
    });
    CHECK(death.signal == SIGABRT);
  }

  TEST_CASE("a poll that finds nothing moves the clock and no other does") {
    Pair pair;
    const Moment before = pair.clock.now();
    REQUIRE(pair.net.watch(pair.server, 9, Interest::read));
    CHECK(pair.net.poll(5 * kMillisecond).empty());
    CHECK(pair.clock.now().boot_ns == before.boot_ns + 5 * kMillisecond);
    pair.client.send("a");
    CHECK(pair.net.poll(kSecond).size() == 1);
    CHECK(pair.clock.now().boot_ns == before.boot_ns + 5 * kMillisecond);
    CHECK(pair.net.last_wait_ns() == kSecond);
    CHECK(pair.net.polls_without_rest() == 0);
  }

  TEST_CASE("a descriptor of the kernel may be watched beside") {
    FakeNet net;
    Doorbell bell;
    REQUIRE(net.watch(bell.socket(), 3, Interest::read));
    CHECK(net.poll(0).empty());
    bell.lie_down();
    CHECK(bell.ring());
    REQUIRE(net.poll(0).size() == 1);
    CHECK(net.poll(0)[0].token == 3);
    bell.drain();
    CHECK(net.poll(0).empty());
  }
}
