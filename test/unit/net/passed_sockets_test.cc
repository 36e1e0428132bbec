#include "net/passed_sockets.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace stampede::net {
namespace {

bool is_same(const PassedSockets& a, const PassedSockets& b) {
  return text_of(a) == text_of(b);
}

std::string refusal_of(std::string_view text) {
  const Result<PassedSockets> parsed = parse_passed_sockets(text);
  return parsed ? "" : parsed.error().message;
}

TEST_SUITE("net/passed_sockets") {
  TEST_CASE("what is passed on reads back as it was with every byte of input") {
    const PassedSockets sockets{.listen = {7, 8},
                                .admin = {9},
                                .connections = {{.socket = 21, .input = "GET / HT"},
                                                {.socket = 22,
                                                 .is_public = false,
                                                 .input = std::string("\n\0\npublic 1 2", 12)},
                                                {.socket = 23}},
                                .owns_listen = true,
                                .since_ns = 81'234'567'890};
    const Result<PassedSockets> parsed = parse_passed_sockets(text_of(sockets));
    REQUIRE(bool(parsed));
    CHECK(is_same(*parsed, sockets));
    CHECK(parsed->connections[1].input == sockets.connections[1].input);
    CHECK(parsed->since_ns == sockets.since_ns);
    CHECK(parsed->owns_listen);
    CHECK_FALSE(parsed->owns_admin);
  }

  TEST_CASE("what is not such a list is refused with its reason") {
    const std::string head = "stampede sockets 1\n";
    CHECK(refusal_of("").find("version") != std::string::npos);
    CHECK(refusal_of("stampede sockets 2\n\n").find("version") != std::string::npos);
    CHECK(refusal_of(head).find("no end") != std::string::npos);
    CHECK(refusal_of(head + "listen 7\n").find("no end") != std::string::npos);
    for (const char* line : {"listen", "listen x", "listen -1", "listen 7 8", "since", "since 1 2",
                             "files 2 0", "files 1", "files", "public 7", "public 7 -1",
                             "public 7 1 1", "other 7", "listen 99999999999"})
      CHECK_MESSAGE(refusal_of(head + line + "\n\n").find(line) != std::string::npos, line);
    CHECK(refusal_of(head + "public 7 3\n\nab").find("not all there") != std::string::npos);
    CHECK(refusal_of(head + "public 7 3\n\nabcd").find("more input") != std::string::npos);
  }

  TEST_CASE(
      "sockets survive execve only from the moment they are passed on until they are taken over") {
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(socket >= 0);
    const PassedSockets sockets{.listen = {socket}, .since_ns = 1};
    const Result<int> file = pass_on(sockets);
    REQUIRE(bool(file));
    CHECK((::fcntl(socket, F_GETFD) & FD_CLOEXEC) == 0);
    CHECK((::fcntl(*file, F_GETFD) & FD_CLOEXEC) == 0);
    const Result<PassedSockets> taken = take_over(*file);
    REQUIRE(bool(taken));
    CHECK(is_same(*taken, sockets));
    CHECK((::fcntl(socket, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(::fcntl(*file, F_GETFD) < 0);
    ::close(socket);
    CHECK_FALSE(bool(pass_on({.listen = {1'000'000}})));
  }

  TEST_CASE("another process receives what it was sent in whatever number and nothing less") {
    int channel[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) == 0);
    const auto held_by = [](const PassedSockets& sockets) {
      ino_t file = 0;
      for (const PassedConnection& connection : sockets.connections) {
        struct stat found {};
        REQUIRE(::fstat(connection.socket, &found) == 0);
        if (file != 0) CHECK(found.st_ino > file);  // in the order of the lines
        file = found.st_ino;
      }
    };
    for (const size_t count : {0, 1, 253, 254, 600}) {
      PassedSockets sockets{.listen = {channel[0]}, .admin = {channel[1]}, .since_ns = 5};
      for (size_t i = 0; i < count; ++i)
        sockets.connections.push_back({.socket = ::socket(AF_UNIX, SOCK_STREAM, 0),
                                       .is_public = i % 2 == 0,
                                       .input = std::to_string(i)});
      Result<PassedSockets> received = Error{"nothing"};
      std::thread receiver([&] { received = receive_sockets(channel[1]); });
      CHECK(send_sockets(channel[0], sockets));
      receiver.join();
      REQUIRE(bool(received));
      REQUIRE(received->connections.size() == count);
      held_by(*received);
      for (size_t i = 0; i < count; ++i) {
        CHECK(received->connections[i].input == std::to_string(i));
        CHECK(received->connections[i].is_public == (i % 2 == 0));
        CHECK(received->connections[i].socket != sockets.connections[i].socket);
        ::close(received->connections[i].socket);
        ::close(sockets.connections[i].socket);
      }
      ::close(received->listen[0]);
      ::close(received->admin[0]);
    }
    // A sender that ends in the middle.
    std::thread receiver([&] { CHECK_FALSE(receive_sockets(channel[1])); });
    ::shutdown(channel[0], SHUT_RDWR);
    receiver.join();
    CHECK_FALSE(send_sockets(channel[0], {}));
    ::close(channel[0]);
    ::close(channel[1]);
  }
}

}  // namespace
}  // namespace stampede::net
