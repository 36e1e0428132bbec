// What systemd does and hears, played by the test: sockets that it opened before the server started, readiness, reloads and the
// stop in its notification socket.
#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../servers/free_port.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// $NOTIFY_SOCKET.
class NotifySocket {
 public:
  explicit NotifySocket(std::string path) : path_(std::move(path)) {
    fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    REQUIRE(path_.size() < sizeof address.sun_path);
    std::memcpy(address.sun_path, path_.data(), path_.size());
    REQUIRE(bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  ~NotifySocket() { close(fd_); }
  NotifySocket(const NotifySocket&) = delete;

  const std::string& path() const { return path_; }
  // The next message that holds the text; empty when none comes in time.
  std::string await(std::string_view text) {
    while (true) {
      pollfd entry{.fd = fd_, .events = POLLIN, .revents = 0};
      if (poll(&entry, 1, static_cast<int>(kPatience.count())) <= 0) return {};
      char bytes[1024];
      const ssize_t size = recv(fd_, bytes, sizeof bytes, 0);
      const std::string message(bytes, static_cast<size_t>(std::max<ssize_t>(size, 0)));
      if (message.find(text) != std::string::npos) return message;
    }
  }

 private:
  const std::string path_;
  int fd_ = -1;
};

// As systemd passes them: from descriptor 3 on, with their names.
std::function<void()> pass(std::vector<int> sockets, std::string names) {
  return [sockets = std::move(sockets), names = std::move(names)] {
    for (size_t i = 0; i < sockets.size(); ++i) dup2(sockets[i], 100 + static_cast<int>(i));
    for (size_t i = 0; i < sockets.size(); ++i)
      dup2(100 + static_cast<int>(i), 3 + static_cast<int>(i));
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
    setenv("LISTEN_FDS", std::to_string(sockets.size()).c_str(), 1);
    if (!names.empty()) setenv("LISTEN_FDNAMES", names.c_str(), 1);
  };
}

TEST_SUITE("e2e/service_manager") {
  TEST_CASE("the service manager hears of a start, of a reload and of a stop") {
    Server server({.catalog = catalog({{}}), .starts = false});
    NotifySocket socket(server.scratch().path("notify"));
    server.options().prepare = [path = socket.path()] { setenv("NOTIFY_SOCKET", path.c_str(), 1); };
    server.start();
    CHECK(socket.await("READY=1").find("STATUS=selling") != std::string::npos);
    CHECK_FALSE(socket.await("WATCHDOG=1").empty());
    server.process().signal(SIGHUP);
    CHECK(socket.await("RELOADING=1").find("MONOTONIC_USEC=") != std::string::npos);
    CHECK(socket.await("READY=1").find("STATUS=selling; read again: ") != std::string::npos);
    const std::string keys = server.scratch().path("keys.json"), sound = read_file(keys);
    write_file(keys, "no keys");
    server.process().signal(SIGHUP);
    CHECK(socket.await("READY=1").find("everything stays as it was") != std::string::npos);
    write_file(keys, sound);
    CHECK(server.terminate() == 0);
    CHECK_FALSE(socket.await("STOPPING=1").empty());
  }

  TEST_CASE("listeners that were opened before take the place of the flags") {
    const uint16_t public_port = servers::free_port(), admin_port = servers::free_port();
    const int public_socket = servers::listen_on(public_port);
    const int admin_socket = servers::listen_on(admin_port);
    REQUIRE(public_socket >= 0);
    REQUIRE(admin_socket >= 0);
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .starts = false});
    SUBCASE("by name") {
      server.options().prepare = pass({admin_socket, public_socket}, "admin:listen");
    }
    SUBCASE("by name in a sandbox") {
      server.options().prepare = pass({admin_socket, public_socket}, "admin:listen");
      server.options().flags = {{"--sandbox", ""}};
    }
    SUBCASE("by order") {
      server.options().prepare = pass({public_socket, admin_socket}, "");
    }
    server.start();
    CHECK(server.address().port == public_port);
    CHECK(server.admin_address().port == admin_port);
    for (int i = 0; i < 8; ++i) server.buy({.user = "u" + std::to_string(i)});
    CHECK(server.terminate() == 0);
    // While nobody serves, who comes waits in the queue.
    Http early = server.client();
    REQUIRE(early.connect());
    REQUIRE(early.send(request_text("GET", "/v1/time")));
    server.start();
    CHECK(early.receive().status == 200);
    CHECK(server.terminate() == 0);
    close(public_socket);
    close(admin_socket);
  }

  TEST_CASE("while a server starts on a passed listener its operators hear that it does") {
    const int operators = servers::listen_on(servers::free_port());
    const uint16_t silent = servers::free_port();
    const int database = servers::listen_on(silent);
    REQUIRE(operators >= 0);
    REQUIRE(database >= 0);
    Server server({.catalog = catalog({{.stock = 10}}), .starts = false});
    server.options().prepare = pass({operators}, "admin");
    server.start();
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    const Address address = server.admin_address();
    REQUIRE(server.terminate() == 0);
    // A database that says nothing: the start waits for its greeting.
    Arguments command = server.command();
    command.insert(command.end(),
                   {"--db", "postgres://nobody@127.0.0.1:" + std::to_string(silent) + "/none"});
    Process starting(command, server.stderr_path(), server.options().prepare);
    const Response health = Http(address).get("/healthz");
    CHECK(health.status == 200);
    CHECK(health.body.starts_with(R"({"ok":true,"starting":)"));
    const Response readiness = Http(address).get("/readyz");
    CHECK(readiness.status == 503);
    CHECK_FALSE(readiness.json()["ready"].truth());
    // It goes on without, and the listener is the server's now.
    close(database);
    close(operators);
    CHECK(wait_until([&] { return Http(address).get("/readyz").status == 200; }));
    starting.signal(SIGTERM);
    CHECK(starting.wait(kPatience) == 0);
  }

  TEST_CASE("a passed listener is judged as its flag would be") {
    const int socket = servers::listen_on(servers::free_port());
    REQUIRE(socket >= 0);
    Server server({.catalog = catalog({{}}), .starts = false});
    server.options().prepare = pass({socket}, "other");
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("'other'"));
    close(socket);
  }
}

}  // namespace
}  // namespace stampede::e2e
