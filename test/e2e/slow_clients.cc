// Clients that are slow on purpose cost a bounded connection and nobody else's time.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <filesystem>
#include <iterator>
#include <sstream>
#include <thread>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

int64_t resident_kib(Server& server) {
  std::istringstream lines(
      read_file("/proc/" + std::to_string(server.process().pid()) + "/status"));
  for (std::string line; std::getline(lines, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::atoll(line.c_str() + 6);
  return 0;
}

size_t open_descriptors(Server& server) {
  std::filesystem::directory_iterator fds("/proc/" + std::to_string(server.process().pid()) +
                                          "/fd");
  return std::distance(begin(fds), end(fds));
}

TEST_SUITE("e2e/slow_clients") {
  TEST_CASE("a head that trickles in is closed at its total deadline") {
    Server server({.catalog = catalog({{}})});
    std::vector<Http> slow;
    for (int i = 0; i < 50; ++i) {
      slow.push_back(server.client());
      REQUIRE(slow.back().connect());
      REQUIRE(slow.back().send("GET /v1/time HTTP/1.1\r\nHost: x\r\nX-Slow: "));
    }
    // A byte every 200 ms would go on for half an hour if each byte moved the deadline.
    CHECK(wait_until([&] {
      bool all_closed = true;
      for (Http& http : slow) {
        if (http.has_input(milliseconds{0})) continue;  // the refusal, or the close
        all_closed = false;
        http.send("a");
      }
      CHECK(server.http().get("/v1/time").status == 200);
      std::this_thread::sleep_for(milliseconds{200});
      return all_closed;
    }));
    for (Http& http : slow) {
      Response response = http.receive();
      CHECK((response.status == 0 || response.status == 408));
    }
  }

  TEST_CASE("a body that does not come is closed") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.connect());
    std::string request = order_request({.user = "u1"});
    REQUIRE(http.send(request.substr(0, request.size() - 5)));
    Response response = http.receive();
    CHECK((response.status == 408 || response.error == "closed by the server"));
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("an idle connection is closed in the end") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    REQUIRE(http.get("/v1/time").status == 200);
    CHECK(http.is_closed_by_server(2 * kPatience));
  }

  TEST_CASE(
      "a client that sends and does not read is held back and then gets every answer in order") {
    Server server({.catalog = catalog({{.stock = 1'000'000}}), .shards = 2});
    int64_t before = resident_kib(server);
    Http http = server.client();
    http.shrink_receive_buffer();
    REQUIRE(http.connect());
    std::string some;
    for (int i = 0; i < 1'000; ++i) some += request_text("GET", "/nowhere/" + std::to_string(i));
    size_t sent = 0, sent_now;
    do {
      sent_now =
          http.send_some(std::string_view(some).substr(sent % some.size()), milliseconds{300});
      sent += sent_now;
    } while (sent_now > 0 && sent % some.size() == 0 && sent < 200'000'000);
    CHECK(sent < 200'000'000);  // the server stopped reading
    CHECK(resident_kib(server) - before < 32 * 1024);
    CHECK(server.http().get("/v1/time").status == 200);
    size_t complete = 0, per_round = 1'000;
    complete = sent / some.size() * per_round;
    for (size_t i = 0; i < complete; ++i) {
      Response response = http.receive();
      REQUIRE_MESSAGE(response.status == 404, i << " of " << complete << ": " << response.error);
    }
  }

  TEST_CASE("a reader that never reads is closed in the end") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    http.shrink_receive_buffer();
    REQUIRE(http.connect());
    std::string many;
    for (int i = 0; i < 100'000; ++i) many += request_text("GET", "/v1/items");
    // More than all buffers hold, so that the server is left with output that nobody takes.
    CHECK(http.send_some(many, std::chrono::seconds{1}) < many.size());
    CHECK(http.is_hung_up(2 * kPatience));
    CHECK(server.http().get("/v1/time").status == 200);
  }

  TEST_CASE("connections come and go without a trace") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    REQUIRE(server.http().get("/v1/time").status == 200);
    REQUIRE(server.books().ok);
    size_t before = open_descriptors(server);
    for (int i = 0; i < 2'000; ++i) {
      Http http = server.client();
      REQUIRE(http.connect());
      if (i % 4 == 0) CHECK(http.get("/v1/time").status == 200);
      if (i % 4 == 1) http.send("GET /v1/ti");
      if (i % 4 == 2) http.reset();
    }
    CHECK(wait_until([&] { return open_descriptors(server) <= before; }));
  }

  TEST_CASE("a server without free descriptors neither dies nor spins and recovers") {
    auto few_descriptors = [] {
      rlimit limit{.rlim_cur = 128, .rlim_max = 128};
      setrlimit(RLIMIT_NOFILE, &limit);
    };
    Server server({.catalog = catalog({{}}), .prepare = few_descriptors});
    std::vector<Http> crowd_of_idlers;
    for (int i = 0; i < 300; ++i) {
      crowd_of_idlers.push_back(server.client());
      crowd_of_idlers.back().connect();
    }
    auto cpu_ticks = [&] {
      std::istringstream stat(
          read_file("/proc/" + std::to_string(server.process().pid()) + "/stat"));
      std::vector<std::string> fields{std::istream_iterator<std::string>(stat), {}};
      return std::atoll(fields[13].c_str()) + std::atoll(fields[14].c_str());
    };
    int64_t before = cpu_ticks();
    std::this_thread::sleep_for(std::chrono::seconds{2});
    CHECK(cpu_ticks() - before < 60);  // of 200 a spinning thread would take
    crowd_of_idlers.clear();
    CHECK(wait_until([&] { return server.http().get("/v1/time").status == 200; }));
    server.buy({.user = "u1"});
  }
}

}  // namespace
}  // namespace stampede::e2e
