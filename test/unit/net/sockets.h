// Real sockets for the tests of net/: a listener and clients on loopback, and waiting for an event
// instead of sleeping.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "net/epoll_net.h"
#include "net/listener.h"

namespace stampede::net::test {

// Long enough for any machine; only a broken program waits it out.
constexpr int64_t kPatienceNs = 20 * kSecond;

class OwnedSocket {
 public:
  explicit OwnedSocket(Socket socket = kNoSocket) : socket_(socket) {}
  OwnedSocket(OwnedSocket&& other) : socket_(other.release()) {}
  OwnedSocket& operator=(OwnedSocket&& other) {
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~OwnedSocket() {
    if (socket_ >= 0) ::close(socket_);
  }
  Socket get() const { return socket_; }
  Socket release() { return std::exchange(socket_, kNoSocket); }

 private:
  Socket socket_;
};

inline Address any_loopback_port() {
  return *parse_address("127.0.0.1:0");
}

inline OwnedSocket open_listener(const Address& address = any_loopback_port()) {
  const Result<std::vector<Socket>> listeners = open_listeners(address, 1);
  REQUIRE(listeners);
  return OwnedSocket((*listeners)[0]);
}

// A blocking client; on loopback connect() is done when the kernel has queued it for accept().
inline OwnedSocket connect_to(const Address& address) {
  sockaddr_storage kernel;
  const uint32_t bytes = to_kernel(address, kernel);
  OwnedSocket client(::socket(kernel.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(client.get() >= 0);
  REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&kernel), bytes) == 0);
  return client;
}

// The first event, copied; none when patience is over.
inline std::optional<Event> await_event(Net& net) {
  const std::span<const Event> events = net.poll(kPatienceNs);
  if (events.empty()) return std::nullopt;
  return events[0];
}

// A client and the server's end of its connection.
struct Connection {
  OwnedSocket client, server;
};

inline Connection make_connection(Net& net) {
  const OwnedSocket listener = open_listener();
  Connection connection{.client = connect_to(address_of(listener.get())), .server = OwnedSocket()};
  const Accepted accepted = net.accept(listener.get());
  REQUIRE(accepted.status == Accepted::Status::accepted);
  connection.server = OwnedSocket(accepted.socket);
  return connection;
}

inline void send_all(Socket socket, std::string_view text) {
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

}  // namespace stampede::net::test
