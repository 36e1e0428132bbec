// A server is stopped while its clients do everything that clients do: they connect, order, pay, poll, ask to be told to
// continue, send half of a request, reset, read nothing; operators change stock, and reservations expire. Each stop ends
// with 0 in its time, no answer is cut off in the middle, and every acknowledged order is found after the next start.
//
// ROUNDS: how many stops.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <thread>

#include "harness/random.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// Patience with a client that reads nothing is 3 s, with the ledger 2 s, with the database 3 s.
constexpr milliseconds kStopPatience{kPatience};

struct Bought {
  std::string user, id;
};

// What the clients of one life of the server have seen.
class Witnesses {
 public:
  void saw(const std::string& user, const Response& response) {
    const std::lock_guard lock(mutex_);
    ++answers_;
    if (response.error.starts_with("body cut short")) ++cut_off_;
    if (response.status == 201)
      bought_.push_back({.user = user, .id = response.json()["order_id"].text()});
  }
  std::vector<Bought> bought() {
    const std::lock_guard lock(mutex_);
    return bought_;
  }
  std::optional<Bought> any() {
    const std::lock_guard lock(mutex_);
    if (bought_.empty()) return std::nullopt;
    return bought_.back();
  }
  size_t cut_off() const { return cut_off_; }

 private:
  std::mutex mutex_;
  std::vector<Bought> bought_;
  size_t answers_ = 0;
  size_t cut_off_ = 0;
};

// Clients of all kinds, each in a thread of its own, until the server is gone and they are told so.
class Clients {
 public:
  Clients(Server& server, int round) : server_(server), round_(round) {
    for (int i = 0; i < 3; ++i) run([this, i] { connect_order_close(i); });
    run([this] { pipeline(); });
    run([this] { expect_continue(); });
    run([this] { reset(); });
    run([this] { pay_and_cancel(); });
    run([this] { poll(); });
    run([this] { operate(); });
    // Costs the stop its whole patience, so not every time.
    if (round % 8 == 7) run([this] { read_nothing(); });
  }
  ~Clients() { join(); }
  void join() {
    is_over_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  Witnesses& witnesses() { return witnesses_; }

 private:
  void run(std::function<void()> client) {
    threads_.emplace_back([this, client] {
      while (!is_over_) client();
    });
  }
  std::string user(const char* kind) {
    return kind + std::to_string(round_) + "-" + std::to_string(++users_);
  }
  // Waits for an answer only while there may be one.
  Http client() { return server_.client(milliseconds{5'000}); }
  void breathe() { std::this_thread::sleep_for(milliseconds{1}); }

  void connect_order_close(int number) {
    Http http = client();
    if (!http.connect()) return breathe();
    const std::string who = user("loop");
    if (!http.send(order_request({.user = who, .quantity = 1 + number % 2}))) return;
    witnesses_.saw(who, http.receive());
  }
  void pipeline() {
    Http http = client();
    if (!http.connect()) return breathe();
    std::vector<std::string> who;
    std::string window;
    for (int i = 0; i < 16; ++i) {
      who.push_back(user("pipe"));
      window += order_request({.user = who.back()});
    }
    if (!http.send(window)) return;
    for (const std::string& one : who) {
      const Response response = http.receive();
      witnesses_.saw(one, response);
      if (response.status == 0) return;
    }
  }
  void expect_continue() {
    Http http = client();
    if (!http.connect()) return breathe();
    const std::string who = user("expect"), body = order_body({.user = who});
    if (!http.send("POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-User-Id: " + who +
                   "\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
                   "Content-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n"))
      return;
    if (users_ % 3 == 0) return breathe();  // it does not go on
    Response response = http.receive();
    if (response.status == 100 && http.send(body)) response = http.receive();
    witnesses_.saw(who, response);
  }
  void reset() {
    Http http = client();
    if (!http.connect()) return breathe();
    http.send(order_request({.user = user("reset")}));
    if (users_ % 2 == 0) http.send("POST /v1/ord");
    http.reset();
  }
  void pay_and_cancel() {
    Http http = client();
    const std::string who = user("payer");
    const Response created =
        http.post("/v1/orders", order_body({.user = who}), {{"X-User-Id", who}});
    witnesses_.saw(who, created);
    if (created.status != 201) return breathe();
    const std::string target = "/v1/orders/" + created.json()["order_id"].text();
    if (users_ % 2 == 0)
      return witnesses_.saw(who, http.post(target + "/cancel", "", {{"X-User-Id", who}}));
    const std::string body = payment_body({.id = "p-" + who});
    witnesses_.saw(who,
                   http.post(target + "/payment", body, {{"Stampede-Signature", signature(body)}}));
  }
  void poll() {
    const std::optional<Bought> bought = witnesses_.any();
    if (!bought) return breathe();
    Http http = client();
    const Response response =
        http.get("/v1/orders/" + bought->id + "?wait_ms=20000", {{"X-User-Id", bought->user}});
    witnesses_.saw(bought->user, response);
    if (response.status == 0) breathe();
  }
  void operate() {
    Http http(server_.admin_address(), milliseconds{5'000});
    const std::string op = "op-" + std::to_string(round_) + "-" + std::to_string(++users_);
    const Response response =
        http.post("/admin/items/ticket/restock", "{\"op_id\":\"" + op + "\",\"delta\":1}");
    if (response.status == 0) breathe();
  }
  void read_nothing() {
    Http http = client();
    http.shrink_receive_buffer();
    if (!http.connect()) return breathe();
    std::string many;
    for (int i = 0; i < 500; ++i) many += request_text("GET", "/v1/items");
    http.send_some(many, milliseconds{100});
    while (!is_over_) breathe();
  }

  Server& server_;
  const int round_;
  std::atomic<int> users_{0};
  std::atomic<bool> is_over_{false};
  Witnesses witnesses_;
  std::vector<std::thread> threads_;
};

TEST_SUITE("e2e/stops_under_clients") {
  TEST_CASE("every stop ends with 0 in its time and nothing acknowledged is lost") {
    INFO("seed " << seed());
    const int stops = rounds(24);
    Server server({.catalog = catalog({{.stock = 50'000'000, .pay_window_s = 1}}),
                   .shards = 4,
                   .flags = {{"--orders-max", "4000000"}}});
    size_t acknowledged = 0;
    int64_t longest_ms = 0;
    for (int round = 0; round < stops; ++round) {
      CAPTURE(round);
      std::vector<Bought> bought;
      {
        Clients clients(server, round);
        // Sometimes while the first orders are on their way, sometimes while reservations expire.
        const uint64_t life_ms = round % 4 == 0 ? 1'200 : random_between(0, 300);
        std::this_thread::sleep_for(milliseconds{life_ms});
        const auto began = std::chrono::steady_clock::now();
        server.process().signal(SIGTERM);
        const std::optional<int> exit_code = server.process().wait(kStopPatience);
        REQUIRE_MESSAGE(exit_code.has_value(), "it did not end");
        REQUIRE_MESSAGE(*exit_code == 0, server.complaint());
        longest_ms = std::max<int64_t>(longest_ms, std::chrono::duration_cast<milliseconds>(
                                                       std::chrono::steady_clock::now() - began)
                                                       .count());
        clients.join();
        CHECK(clients.witnesses().cut_off() == 0);
        bought = clients.witnesses().bought();
      }
      server.start();
      for (const Bought& one : bought)
        CHECK_MESSAGE(server.read(one.user, one.id).status == 200, "lost: " << one.id);
      acknowledged += bought.size();
    }
    server.check_books();
    CHECK(acknowledged > 0);
    MESSAGE(stops << " stops, " << acknowledged << " orders, the longest stop took " << longest_ms
                  << " ms");
  }

  TEST_CASE("a stop may come at any moment of a start") {
    INFO("seed " << seed());
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 4});
    REQUIRE(server.terminate() == 0);
    std::vector<ItemSpec> many{{.stock = 100}};
    for (int round = 0; round < 10; ++round) {
      CAPTURE(round);
      // New items at every start: they are in the log before anything is sold.
      for (int i = 0; i < 200; ++i) many.push_back({.code = "item-" + std::to_string(many.size())});
      server.options().catalog = catalog(many);
      server.start();
      REQUIRE(server.terminate() == 0);
      for (int i = 0; i < 50; ++i) many.push_back({.code = "item-" + std::to_string(many.size())});
      std::ofstream(server.scratch().path("catalog.json")) << catalog(many);
      Process process(server.command(), server.stderr_path());
      std::this_thread::sleep_for(milliseconds{random_between(0, 150)});
      process.signal(SIGTERM);
      const std::optional<int> exit_code = process.wait(kStopPatience);
      REQUIRE(exit_code.has_value());
      // Before it has looked at its flags a signal ends it as any process.
      const bool is_clean = *exit_code == 0 || *exit_code == 128 + SIGTERM;
      CHECK_MESSAGE(is_clean, *exit_code << ": " << server.complaint());
    }
    server.options().catalog = catalog(many);
    server.start();
    CHECK(server.stock("item-1")["available"].number() == 10);
    CHECK(server.stock("item-" + std::to_string(many.size() - 1))["available"].number() == 10);
    server.check_books();
  }

  TEST_CASE("a client that was told to continue does not hold a stop up") {
    Server server({.catalog = catalog({{}})});
    Http http = server.client();
    const std::string body = order_body({.user = "u1"});
    REQUIRE(http.connect());
    REQUIRE(
        http.send("POST /v1/orders HTTP/1.1\r\nHost: x\r\nX-User-Id: u1\r\nContent-Type: "
                  "application/json\r\nExpect: 100-continue\r\nContent-Length: " +
                  std::to_string(body.size()) + "\r\n\r\n"));
    REQUIRE(http.has_input(kPatience));
    REQUIRE(http.send(body));
    CHECK(server.terminate() == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
