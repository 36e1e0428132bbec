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

constexpr size_t kFlood = 200'000'000;  // more than all socket buffers between two processes

// Sends the request again and again until nothing more is taken; how many bytes were.
size_t send_until_held_back(Http& http, const std::string& request) {
  std::string many;
  for (int i = 0; i < 1'000; ++i) many += request;
  size_t sent = 0, now;
  do {
    now = http.send_some(many, milliseconds{300});
    sent += now;
  } while (now == many.size() && sent < kFlood);
  return sent;
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

  TEST_CASE("whoever sends no rest or no request or reads no answer is closed in the end") {
    Server server({.catalog = catalog({{}})});
    Http half = server.client(), idle = server.client(), deaf = server.client();
    std::string request = order_request({.user = "u1"});
    REQUIRE(half.connect());
    REQUIRE(half.send(request.substr(0, request.size() - 5)));
    REQUIRE(idle.get("/v1/time").status == 200);
    deaf.shrink_receive_buffer();
    REQUIRE(deaf.connect());
    CHECK(send_until_held_back(deaf, request_text("GET", "/v1/items")) < kFlood);
    Response response = half.receive();
    CHECK((response.status == 408 || response.error == "closed by the server"));
    CHECK(deaf.is_hung_up(2 * kPatience));
    CHECK(idle.is_closed_by_server(2 * kPatience));
    CHECK(server.http().get("/v1/time").status == 200);
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE(
      "a client that sends and does not read is held back and then gets every answer in order") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    int64_t before = resident_kib(server);
    Http http = server.client();
    http.shrink_receive_buffer();
    REQUIRE(http.connect());
    std::string request = request_text("GET", "/nowhere");
    size_t sent = send_until_held_back(http, request);
    CHECK(sent < kFlood);
    CHECK(resident_kib(server) - before < 32 * 1024);
    CHECK(server.http().get("/v1/time").status == 200);
    size_t complete = sent / request.size();
    for (size_t i = 0; i < complete; ++i) {
      Response response = http.receive();
      REQUIRE_MESSAGE(response.status == 404, i << " of " << complete << ": " << response.error);
    }
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
