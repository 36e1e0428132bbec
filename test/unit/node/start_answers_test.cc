#include "node/start_answers.h"

#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include "../../servers/await.h"
#include "../../servers/free_port.h"
#include "net/address.h"

namespace stampede::node {
namespace {

// Sends a byte of a head that never ends, again and again, until it is destroyed.
class Dripper {
 public:
  explicit Dripper(net::Socket socket) : socket_(socket) {}
  ~Dripper() {
    is_over_ = true;
    thread_.join();
    ::close(socket_);
  }
  Dripper(const Dripper&) = delete;

  bool is_sent_away() const {
    char byte;
    return ::recv(socket_, &byte, 1, MSG_DONTWAIT) == 0 || was_reset_;
  }

 private:
  void drip() {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nX-Long: ";
    for (size_t sent = 0; !is_over_; ++sent) {
      const char byte = sent < head.size() ? head[sent] : 'x';
      was_reset_ = was_reset_ || ::send(socket_, &byte, 1, MSG_NOSIGNAL) < 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));  // its pace, nothing is awaited
    }
  }

  const net::Socket socket_;
  std::atomic<bool> is_over_{false}, was_reset_{false};
  std::thread thread_{[this] { drip(); }};
};

class Fixture {
 public:
  net::Socket connect() const {
    const net::Socket socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    return socket;
  }

  std::string get(std::string_view path) const {
    const net::Socket socket = connect();
    const std::string text = "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
    REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) > 0);
    std::string answer;
    servers::await([&] {
      char bytes[4096];
      const ssize_t got = ::recv(socket, bytes, sizeof bytes, MSG_DONTWAIT);
      if (got > 0) answer.append(bytes, static_cast<size_t>(got));
      return got == 0;
    });
    ::close(socket);
    return answer;
  }

  Progress progress;

 private:
  const uint16_t port_ = servers::free_port();

 public:
  std::unique_ptr<StartAnswers> answers =
      StartAnswers::open(*net::parse_address("127.0.0.1:" + std::to_string(port_)), progress);
};

TEST_SUITE("node/start_answers") {
  TEST_CASE("probes of a start are answered") {
    const Fixture start;
    REQUIRE(start.answers != nullptr);
    CHECK(start.get("/healthz").starts_with("HTTP/1.1 200 "));
    CHECK(start.get("/readyz").starts_with("HTTP/1.1 503 "));
  }

  TEST_CASE("a client that drips holds up no other and is sent away") {
    const Fixture start;
    const Dripper dripper(start.connect());
    for (int i = 0; i < 3; ++i) CHECK(start.get("/healthz").starts_with("HTTP/1.1 200 "));
    CHECK(servers::await([&] { return dripper.is_sent_away(); }));
  }

  TEST_CASE("clients that say nothing fill the places and others are answered all the same") {
    const Fixture start;
    std::vector<net::Socket> silent;
    for (int i = 0; i < 100; ++i) silent.push_back(start.connect());
    CHECK(start.get("/healthz").starts_with("HTTP/1.1 200 "));
    for (const net::Socket socket : silent) ::close(socket);
  }

  TEST_CASE("a client that drips does not hold up the end of a start") {
    Fixture start;
    const Dripper dripper(start.connect());
    std::atomic<bool> has_ended{false};
    std::thread ending([&] {
      start.answers.reset();
      has_ended = true;
    });
    CHECK(servers::await([&] { return has_ended.load(); }));
    ending.join();
  }
}

}  // namespace
}  // namespace stampede::node
