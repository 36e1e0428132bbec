// Whole runs against a trivial server in this process.
#include "load/run.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

#include "door/signature.h"
#include "door/ticket.h"
#include "fake_server.h"

using namespace stampede;
using namespace stampede::load;

namespace {

const std::string kTryAgain = http_answer(
    "503 Service Unavailable", R"({"code":"try_again","retryable":true,"retry_after_ms":1})");

Plan small_plan(const FakeServer& server) {
  Plan plan;
  plan.server = server.address();
  plan.users = 200;
  plan.connections = 4;
  return plan;
}

// Runs to the end and checks that the server could be reached.
struct Finished {
  explicit Finished(const Plan& plan) : run(plan, clock) {
    run.begin();
    status = run.finish();
    INFO((status ? "" : status.error().message));
    CHECK(bool(status));
  }
  uint64_t users(UserEnd end) const { return run.users()[static_cast<size_t>(end)]; }
  uint64_t failures(Failure kind) const { return run.tally().failures[static_cast<size_t>(kind)]; }

  SystemClock clock;
  Run run;
  Status status = Ok{};
};

// Of a run that may not end: it is stopped when it has not done so within a time that is enough for any machine.
struct Bounded {
  explicit Bounded(const Plan& plan) : run(plan, clock) {
    run.begin();
    has_ended = run.wait(std::chrono::seconds(10));
    run.stop();
    status = run.finish();
  }
  std::string error() const { return status ? "" : status.error().message; }

  SystemClock clock;
  Run run;
  bool has_ended = false;
  Status status = Ok{};
};

// Every order that the sale took is known to its user, and nobody knows another.
void check_books_agree(const Run& run, const Plan& plan, const FakeSale& sale) {
  std::set<uint64_t> known;
  for (uint64_t number = 0; number < plan.users; ++number)
    if (run.end_of(number) == UserEnd::sold) known.insert(run.order_of(number).value);
  std::set<uint64_t> taken;
  for (const auto& [who, id] : sale.orders()) taken.insert(id);
  CHECK(known == taken);
  CHECK(run.second_orders() == 0);
}

}  // namespace

TEST_SUITE("load/run") {
  TEST_CASE("every user asks once and the book says what he was told") {
    for (uint32_t pipeline : {1u, 5u})
      for (uint32_t threads : {1u, 3u}) {
        INFO("pipeline ", pipeline, " threads ", threads);
        FakeSale sale(30);
        std::map<std::string, int> asked;
        FakeServer server([&](const FakeRequest& request) {
          ++asked[request.user];
          return FakeReply{{sale.answer(request)}};
        });
        Plan plan = small_plan(server);
        plan.pipeline = pipeline;
        plan.threads = threads;
        Finished finished(plan);
        CHECK(asked.size() == 200);
        CHECK(finished.run.tally().live.sent == 200);
        CHECK(finished.run.tally().latency_ns.count() == 200);
        CHECK(finished.run.tally().answers["created"] == 30);
        CHECK(finished.run.tally().answers["sold_out"] == 170);
        CHECK(finished.run.tally().answers.find("created")->latency_ns->count() == 30);
        CHECK(finished.run.tally().own.cpu_ns > 0);
        CHECK(finished.users(UserEnd::sold) == 30);
        CHECK(finished.users(UserEnd::sold_out) == 170);
        check_books_agree(finished.run, plan, sale);
      }
  }

  TEST_CASE("requests say what the contract wants") {
    FakeRequest last;
    FakeServer server([&](const FakeRequest& request) {
      last = request;
      return FakeReply{{http_answer("409 Conflict", R"({"code":"sold_out","retryable":false})")}};
    });
    Plan plan = small_plan(server);
    plan.users = 1;
    plan.seed = 77;
    plan.first_user = 5;
    plan.wishes = {{.item = "cup", .quantity = 3}};
    Finished finished(plan);
    CHECK(last.line == "POST /v1/orders HTTP/1.1");
    CHECK(last.user == "u77-5");
    CHECK(last.key == "load-5");
    CHECK(last.body == R"({"item":"cup","qty":3})");
  }

  TEST_CASE("with a ticket key every user shows a valid ticket of his own") {
    door::Secret secret{};
    secret[0] = 5;
    door::Key key("k1", secret);
    std::set<std::string> users;
    FakeServer server([&](const FakeRequest& request) {
      CHECK(request.user.empty());
      CHECK(request.authorization.starts_with("Bearer "));
      auto user = door::verify_ticket(request.authorization.substr(7), {&key, 1}, 999);
      CHECK(user.has_value());
      if (user) users.insert(std::string(user->view()));
      return FakeReply{{http_answer("409 Conflict", R"({"code":"sold_out","retryable":false})")}};
    });
    Plan plan = small_plan(server);
    plan.ticket_key = key;
    plan.tickets_expire_unix = 1000;
    Finished finished(plan);
    CHECK(users.size() == 200);
  }

  TEST_CASE("answers that arrive in pieces are put together") {
    FakeSale sale(100);
    FakeServer server([&](const FakeRequest& request) {
      std::string answer = sale.answer(request);
      size_t cut = sale.sold() * 7 % answer.size();
      return FakeReply{
          {answer.substr(0, cut / 2), answer.substr(cut / 2, cut - cut / 2), answer.substr(cut)}};
    });
    Plan plan = small_plan(server);
    plan.pipeline = 3;
    Finished finished(plan);
    CHECK(finished.users(UserEnd::sold) == 100);
    CHECK(finished.failures(Failure::malformed_answer) == 0);
    check_books_agree(finished.run, plan, sale);
  }

  TEST_CASE("an order whose answer was cut off is asked for again under the same key") {
    for (uint32_t pipeline : {1u, 4u}) {
      INFO("pipeline ", pipeline);
      FakeSale sale(50);
      std::set<std::string> met;
      FakeServer server([&](const FakeRequest& request) {
        std::string answer =
            sale.answer(request);  // the order is taken whatever happens to the answer
        bool is_first = met.insert(request.user).second;
        if (!is_first || met.size() % 10 != 0) return FakeReply{{answer}};
        return FakeReply{{answer.substr(0, answer.size() * (met.size() % 7) / 7)}, true};
      });
      Plan plan = small_plan(server);
      plan.pipeline = pipeline;
      Finished finished(plan);
      CHECK(finished.failures(Failure::connection_lost) == 20);
      CHECK(finished.run.tally().resent >= 20);
      CHECK(finished.run.tally().answers["replayed"] >= 5);
      CHECK(finished.users(UserEnd::sold) == 50);
      CHECK(finished.users(UserEnd::sold_out) == 150);
      CHECK(finished.users(UserEnd::unknown) == 0);
      check_books_agree(finished.run, plan, sale);
    }
  }

  TEST_CASE("a gateway that lost its node is asked again and what it lost is unknown in the end") {
    for (const char* status : {"502 Bad Gateway", "504 Gateway Time-out"}) {
      CAPTURE(status);
      FakeSale sale(200);
      std::map<std::string, int> asked;
      FakeServer server([&](const FakeRequest& request) {
        const std::string answer = sale.answer(request);  // taken, but who knows
        const bool is_dead = request.user.ends_with("7"), is_first = ++asked[request.user] == 1;
        if (is_dead || is_first) return FakeReply{{http_answer(status, "<html></html>")}};
        return FakeReply{{answer}};
      });
      Plan plan = small_plan(server);
      plan.retries_max = 3;
      Finished finished(plan);
      CHECK(finished.run.tally().answers["replayed"] == 180);
      CHECK(finished.users(UserEnd::sold) == 180);
      CHECK(finished.users(UserEnd::unknown) == 20);
      CHECK(finished.run.tally().resent == 180 + 20 * 3);
    }
  }

  TEST_CASE("a retryable answer is no end and the user comes back after the time he was told") {
    FakeSale sale(20);
    std::map<std::string, int> asked;
    FakeServer server([&](const FakeRequest& request) {
      if (++asked[request.user] <= 3) return FakeReply{{kTryAgain}};
      return FakeReply{{sale.answer(request)}};
    });
    Plan plan = small_plan(server);
    Finished finished(plan);
    CHECK(finished.run.tally().answers["try_again"] == 600);
    CHECK(finished.run.tally().repeated == 600);
    CHECK(finished.users(UserEnd::sold) == 20);
    CHECK(finished.users(UserEnd::sold_out) == 180);
  }

  TEST_CASE("a user gives up when his retries are used up") {
    FakeServer server([&](const FakeRequest&) { return FakeReply{{kTryAgain}}; });
    Plan plan = small_plan(server);
    plan.retries_max = 2;
    Finished finished(plan);
    CHECK(finished.run.tally().answers["try_again"] == 600);
    CHECK(finished.users(UserEnd::gave_up) == 200);
  }

  TEST_CASE("an answer that never comes is asked for again on another connection") {
    FakeSale sale(200);
    std::set<std::string> met;
    FakeServer server([&](const FakeRequest& request) {
      std::string answer = sale.answer(request);
      bool is_first = met.insert(request.user).second;
      return is_first && met.size() % 50 == 0 ? FakeReply{} : FakeReply{{answer}};
    });
    Plan plan = small_plan(server);
    plan.answer_timeout_ns = 200 * kMillisecond;
    Finished finished(plan);
    CHECK(finished.failures(Failure::answer_timeout) >= 4);
    CHECK(finished.users(UserEnd::sold) == 200);
    check_books_agree(finished.run, plan, sale);
  }

  TEST_CASE("an answer that is no HTTP breaks the connection but not the run") {
    std::set<std::string> met;
    FakeSale sale(200);
    FakeServer server([&](const FakeRequest& request) {
      bool is_first = met.insert(request.user).second;
      return FakeReply{
          {is_first && met.size() % 100 == 0 ? "garbage\r\n\r\n" : sale.answer(request)}};
    });
    Plan plan = small_plan(server);
    Finished finished(plan);
    CHECK(finished.failures(Failure::malformed_answer) == 2);
    CHECK(finished.users(UserEnd::sold) == 200);
  }

  TEST_CASE("a server that closes after each answer is asked on new connections") {
    FakeSale sale(40);
    FakeServer server([&](const FakeRequest& request) {
      std::string answer = sale.answer(request);
      answer.insert(answer.find("\r\n") + 2, "Connection: close\r\n");
      return FakeReply{{answer}, true};
    });
    Plan plan = small_plan(server);
    Finished finished(plan);
    CHECK(finished.failures(Failure::connection_lost) == 0);  // nothing was owed
    CHECK(finished.users(UserEnd::sold) == 40);
    CHECK(finished.users(UserEnd::sold_out) == 160);
  }

  TEST_CASE("copies of an order travel over different connections and make one order") {
    FakeSale sale(50);
    std::map<std::string, std::multiset<unsigned>> used;
    std::map<std::string, std::set<std::string>> keys;
    FakeServer server([&](const FakeRequest& request) {
      used[request.user].insert(request.connection);
      keys[request.user].insert(request.key);
      return FakeReply{{sale.answer(request)}};
    });
    Plan plan = small_plan(server);
    plan.copies = 3;
    plan.pipeline = 4;
    Finished finished(plan);
    CHECK(finished.run.tally().live.sent == 600);
    CHECK(finished.users(UserEnd::sold) == 50);
    CHECK(finished.run.tally().answers["created"] == 50);
    CHECK(finished.run.tally().answers["replayed"] == 100);
    for (const auto& [user, connections] : used) CHECK(connections.size() == 3);
    for (const auto& [user, own] : keys) CHECK(own.size() == 1);
    check_books_agree(finished.run, plan, sale);
  }

  TEST_CASE("a server that gives two orders for one key is caught") {
    uint64_t next = 0;
    FakeServer server([&](const FakeRequest&) {
      return FakeReply{{http_answer(
          "201 Created", "{\"order_id\":\"000000000000000" + std::to_string(++next) + "\"}")}};
    });
    Plan plan = small_plan(server);
    plan.users = 2;
    plan.copies = 3;
    Finished finished(plan);
    CHECK(finished.run.second_orders() == 4);
  }

  TEST_CASE("a yes without an order id proves nothing") {
    FakeServer server(
        [&](const FakeRequest&) { return FakeReply{{http_answer("201 Created", "{}")}}; });
    Plan plan = small_plan(server);
    Finished finished(plan);
    CHECK(finished.users(UserEnd::unknown) == 200);
    CHECK(finished.users(UserEnd::sold) == 0);
  }

  TEST_CASE("a part of the buyers pays with a valid signature and a part cancels") {
    door::Key key("k1", door::Secret{7});
    FakeSale sale(100);
    std::set<std::string> paid, cancelled;
    FakeServer server([&](const FakeRequest& request) {
      std::string path = request.line.substr(0, request.line.rfind(' '));
      if (path.ends_with("/payment")) {
        int64_t now_unix = SystemClock().now().wall_ns / kSecond;
        CHECK(door::verify_signature(request.signature, request.body, {&key, 1}, now_unix));
        CHECK(request.body.find(R"("amount":55350,"currency":"CNY","status":"succeeded")") !=
              std::string::npos);
        bool is_first = paid.insert(path).second;  // told once, the first answers are lost
        std::string answer = http_answer("200 OK", R"({"order_id":"1","state":"paid"})");
        return is_first && paid.size() % 5 == 0 ? FakeReply{{""}, true} : FakeReply{{answer}};
      }
      if (path.ends_with("/cancel")) {
        CHECK_FALSE(request.user.empty());
        cancelled.insert(path);
        return FakeReply{{http_answer("200 OK", R"({"order_id":"1","state":"cancelled"})")}};
      }
      return FakeReply{{sale.answer(request)}};
    });
    Plan plan = small_plan(server);
    plan.pay = 0.5;
    plan.cancel = 0.25;
    plan.payment_key = key;
    Finished finished(plan);
    CHECK(finished.users(UserEnd::sold) == 100);
    std::array<uint64_t, 3> settled{};
    for (uint64_t number = 0; number < plan.users; ++number)
      ++settled[static_cast<size_t>(finished.run.order_end_of(number))];
    CHECK(settled[1] == paid.size());
    CHECK(settled[2] == cancelled.size());
    CHECK(paid.size() > 20);
    CHECK(cancelled.size() > 5);
    CHECK(paid.size() + cancelled.size() < 100);
    CHECK(finished.run.tally().answers.find("cancelled")->latency_ns->count() == cancelled.size());
    CHECK(finished.run.tally().latency_ns.count() == 200);  // of orders alone
    check_books_agree(finished.run, plan, sale);
  }

  TEST_CASE("at a rate latency counts from the moment the request was due") {
    // One connection, and the first answer is held back until the schedule is over: the other
    // requests could not be sent meanwhile, and each of them must show that it waited.
    SystemClock clock;
    int64_t begin_ns = clock.now().boot_ns;
    bool is_first = true;
    FakeServer server([&](const FakeRequest&) {
      if (std::exchange(is_first, false))
        while (clock.now().boot_ns - begin_ns < 200 * kMillisecond) std::this_thread::yield();
      return FakeReply{{http_answer("409 Conflict", R"({"code":"sold_out","retryable":false})")}};
    });
    Plan plan = small_plan(server);
    plan.users = 100;
    plan.rate = 1000;
    plan.connections = 1;
    begin_ns = clock.now().boot_ns;
    Finished finished(plan);
    // Request 0 waited for 200 ms at most; the median one was due 50 ms after the start.
    CHECK(finished.run.tally().latency_ns.count() == 100);
    CHECK(finished.run.tally().latency_ns.percentile(50) >= 50 * kMillisecond);
    // That they waited for the connection was not the generator's fault.
    CHECK(finished.run.tally().own.queued > 50);
    CHECK(finished.run.tally().own.queued + finished.run.tally().own.late_ns.count() == 100);
  }

  TEST_CASE("nothing is sent before the moment at which the crowd begins") {
    SystemClock clock;
    for (double rate : {0.0, 1e6}) {
      int64_t first_ns = 0;
      FakeSale sale(10);
      FakeServer server([&](const FakeRequest& request) {
        if (first_ns == 0) first_ns = clock.now().wall_ns;
        return FakeReply{{sale.answer(request)}};
      });
      Plan plan = small_plan(server);
      plan.rate = rate;
      plan.begin_wall_ns = clock.now().wall_ns + 100 * kMillisecond;
      Finished finished(plan);
      CHECK(first_ns >= plan.begin_wall_ns);
      CHECK(finished.users(UserEnd::sold) == 10);
    }
  }

  TEST_CASE(
      "people look at the item and its stock while others order and nothing is repeated for them") {
    for (uint32_t threads : {1u, 2u}) {
      FakeSale sale(100);
      std::map<std::string, int> asked;
      FakeServer server([&](const FakeRequest& request) {
        const int before = asked[request.line]++;
        if (request.line.starts_with("POST")) return FakeReply{{sale.answer(request)}};
        CHECK(request.user.empty());
        if (before % 10 == 5) return FakeReply{{kTryAgain}};
        if (before % 10 == 7) return FakeReply{{""}, true};
        return FakeReply{{http_answer("200 OK", R"({"state":"open","available":5})")}};
      });
      Plan plan = small_plan(server);
      plan.threads = threads;
      plan.rate = 1'000;
      plan.page_views = 500;
      plan.stock_polls = 250;
      Finished finished(plan);
      const NamedAnswers& answers = finished.run.tally().answers;
      // 200 orders take a fifth of a second.
      CHECK(asked["GET /v1/items/ticket HTTP/1.1"] == 100);
      CHECK(asked["GET /v1/items/ticket/stock HTTP/1.1"] == 50);
      CHECK(answers["page"] == 80);
      CHECK(answers["stock"] == 40);
      CHECK(answers["try_again"] == 15);
      CHECK(answers.find("stock")->latency_ns->count() == 40);
      CHECK(finished.run.tally().latency_ns.count() >=
            200);  // of orders, some of which were lost with a look
      CHECK(finished.users(UserEnd::sold) == 100);
      check_books_agree(finished.run, plan, sale);
    }
  }

  TEST_CASE("of several wishes each user has one and keeps to it") {
    std::map<std::string, std::set<std::string>> wants;
    std::map<std::string, int> wanted;
    FakeServer server([&](const FakeRequest& request) {
      if (wants[request.user].insert(request.body).second) ++wanted[request.body];
      const bool is_first = wants[request.user].insert("asked").second;
      if (is_first) return FakeReply{{kTryAgain}};
      return FakeReply{{http_answer("409 Conflict", R"({"code":"sold_out","retryable":false})")}};
    });
    Plan plan = small_plan(server);
    plan.users = 1'000;
    plan.wishes = {{.item = "cup", .quantity = 1, .weight = 3}, {.item = "mug", .quantity = 2}};
    Finished finished(plan);
    for (const auto& [user, bodies] : wants) CHECK(bodies.size() == 2);  // one, and the mark
    CHECK(wanted.size() == 2);
    CHECK(wanted[R"({"item":"cup","qty":1})"] > 650);
    CHECK(wanted[R"({"item":"mug","qty":2})"] > 150);
  }

  TEST_CASE("each order is paid at the price of what was wanted") {
    std::map<std::string, std::string> amounts;  // by order id
    FakeServer server([&](const FakeRequest& request) {
      const std::string path = request.line.substr(0, request.line.rfind(' '));
      if (path.ends_with("/payment")) {
        const std::string id = path.substr(path.size() - 24, 16);
        CHECK(request.body.find("\"amount\":" + amounts[id] + ",") != std::string::npos);
        return FakeReply{{http_answer("200 OK", R"({"order_id":"1","state":"paid"})")}};
      }
      std::string id = std::to_string(amounts.size() + 1);
      id.insert(0, 16 - id.size(), '0');
      amounts[id] = request.body.find("cup") != std::string::npos ? "300" : "500";
      return FakeReply{{http_answer("201 Created", "{\"order_id\":\"" + id + "\",\"amount\":" +
                                                       amounts[id] + ",\"currency\":\"CNY\"}")}};
    });
    Plan plan = small_plan(server);
    plan.wishes = {{.item = "cup"}, {.item = "mug"}};
    plan.pay = 1;
    plan.payment_key = door::Key("k1", door::Secret{7});
    Finished finished(plan);
    CHECK(finished.run.tally().answers["paid"] == 200);
  }

  TEST_CASE("a run with a duration begins again with its users and ends") {
    FakeSale sale(10);
    FakeServer server(
        [&](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; });
    Plan plan = small_plan(server);
    plan.users = 10;
    plan.rate = 2000;
    plan.duration_ns = 50 * kMillisecond;
    plan.warmup_ns = 25 * kMillisecond;
    Finished finished(plan);
    uint64_t sent = finished.run.tally().live.sent;
    CHECK(sent + finished.run.unsent() == 100);
    CHECK(finished.run.tally().latency_ns.count() <= 50);  // the warmup counts in no figure
    CHECK(finished.run.tally().live.answered == sent);
    CHECK(finished.run.second_orders() == 0);
  }

  TEST_CASE("the answers to what was due in the warmup are in no figure") {
    FakeSale sale(200);
    FakeServer server([&](const FakeRequest& request) {
      if (request.line.starts_with("POST")) return FakeReply{{sale.answer(request)}};
      return FakeReply{{http_answer("200 OK", "{}")}};
    });
    Plan plan = small_plan(server);
    plan.pipeline = 64;
    plan.rate = 1'000;
    plan.page_views = 500;
    plan.duration_ns = 200 * kMillisecond;
    plan.warmup_ns = 120 * kMillisecond;
    Finished finished(plan);
    const Tally& tally = finished.run.tally();
    CHECK(tally.latency_ns.count() == 80);
    CHECK(tally.answers.total() == 80 + 40);
    CHECK(tally.answers["page"] == 40);
    CHECK(finished.users(UserEnd::sold) == 200);  // the warmup is verified like the rest
    CHECK(tally.live.sent == 300);
  }

  TEST_CASE("a run that is stopped in its warmup has done no work") {
    FakeSale sale(200);
    FakeServer server(
        [&](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; });
    SystemClock clock;
    for (const bool is_before_the_first_moment : {false, true}) {
      Plan plan = small_plan(server);
      plan.warmup_ns = 3600 * kSecond;
      if (is_before_the_first_moment) plan.begin_wall_ns = clock.now().wall_ns + 3600 * kSecond;
      Run run(plan, clock);
      run.begin();
      while (run.begin_ns() == 0) run.wait(std::chrono::milliseconds(1));
      run.wait(std::chrono::milliseconds(20));
      run.stop();
      CHECK(bool(run.finish()));
      CHECK(run.tally().own.busiest == 0);
    }
  }

  TEST_CASE("a stopped run ends and says which users had no turn") {
    FakeServer server([&](const FakeRequest&) { return FakeReply{{kTryAgain}}; });
    Plan plan = small_plan(server);
    plan.users = 1'000'000;
    plan.rate = 1000;
    SystemClock clock;
    Run run(plan, clock);
    run.begin();
    Live live;
    while (live.answered == 0) {
      run.wait(std::chrono::milliseconds(1));
      Live now;
      Histogram latency_ns;
      run.add_live(now, latency_ns);
      live.add(now);
    }
    run.stop();
    CHECK(bool(run.finish()));
    CHECK(run.users()[static_cast<size_t>(UserEnd::not_asked)] > 0);
    CHECK(run.users()[static_cast<size_t>(UserEnd::gave_up)] > 0);
  }

  TEST_CASE("a stop ends the wait for the last answers too") {
    FakeServer server([&](const FakeRequest&) { return FakeReply{}; });
    Plan plan = small_plan(server);
    plan.rate = 1000;
    plan.duration_ns = 20 * kMillisecond;
    plan.answer_timeout_ns = 30 * kSecond;
    SystemClock clock;
    Run run(plan, clock);
    run.begin();
    CHECK_FALSE(run.wait(std::chrono::milliseconds(200)));
    run.stop();
    CHECK(run.wait(std::chrono::seconds(15)));
  }

  TEST_CASE("what was due before the end is sent when there is room for it") {
    for (int round = 0; round < 4; ++round) {
      FakeSale sale(10);
      FakeServer server(
          [&](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; });
      Plan plan = small_plan(server);
      plan.rate = 3'000;
      plan.pipeline = 64;
      plan.duration_ns = 50 * kMillisecond;
      Finished finished(plan);
      CHECK(finished.run.unsent() == 0);
      CHECK(finished.run.tally().live.sent == 150);
    }
  }

  TEST_CASE("orders have their turn beside more looks than the connections carry") {
    FakeSale sale(30);
    FakeServer server([&](const FakeRequest& request) {
      if (request.line.starts_with("POST")) return FakeReply{{sale.answer(request)}};
      return FakeReply{{http_answer("200 OK", "{}")}};
    });
    Plan plan = small_plan(server);
    plan.page_views = plan.stock_polls = 1e8;
    Bounded bounded(plan);
    CHECK(bounded.has_ended);
    CHECK(bounded.run.users()[static_cast<size_t>(UserEnd::sold)] == 30);
  }

  TEST_CASE("orders and looks go in the order in which they were due") {
    uint64_t looks = 0, orders = 0, looks_in_front = 0;
    FakeSale sale(30);
    FakeServer server([&](const FakeRequest& request) {
      if (!request.line.starts_with("POST")) {
        ++looks;
        return FakeReply{{http_answer("200 OK", "{}")}};
      }
      // A thousand looks are due between two orders.
      looks_in_front += looks > ++orders * 1'000;
      return FakeReply{{sale.answer(request)}};
    });
    Plan plan = small_plan(server);
    plan.users = 20;
    plan.connections = 1;
    plan.rate = 1'000;
    plan.page_views = 1e6;
    Bounded bounded(plan);
    CHECK(bounded.has_ended);
    CHECK(orders == 20);
    CHECK(looks_in_front == 0);
  }

  TEST_CASE("a server that takes fewer connections is named with how many are open") {
    for (const uint32_t threads : {1u, 2u}) {
      FakeServer server([](const FakeRequest&) { return FakeReply{}; });
      server.take_at_most(4);
      Plan plan = small_plan(server);
      plan.connections = 8;
      plan.threads = threads;
      plan.patience_ns = kSecond;
      Bounded bounded(plan);
      CHECK(bounded.has_ended);
      INFO(threads, " threads: ", bounded.error());
      CHECK(bounded.error().find("4 of 8 connections are open") != std::string::npos);
      CHECK(bounded.run.tally().failures[static_cast<size_t>(Failure::connect_failed)] >= 4);
      CHECK(server.accepted() < 200);
    }
  }

  TEST_CASE("a server that closes every connection is not hammered") {
    FakeServer server([](const FakeRequest&) { return FakeReply{}; });
    server.take_at_most(0);
    Plan plan = small_plan(server);
    plan.patience_ns = kMillisecond;
    Bounded bounded(plan);
    CHECK(bounded.has_ended);
    CHECK_FALSE(bool(bounded.status));
    CHECK(server.accepted() < 200);
  }

  TEST_CASE("a server that takes no connection any more ends the run when patience does") {
    FakeSale sale(200);
    FakeServer* that = nullptr;
    FakeServer server([&](const FakeRequest& request) {
      if (sale.sold() == 100) that->take_at_most(0);
      return FakeReply{{sale.answer(request)}, sale.sold() >= 100};
    });
    that = &server;
    Plan plan = small_plan(server);
    plan.patience_ns = 300 * kMillisecond;
    Bounded bounded(plan);
    CHECK(bounded.has_ended);
    CHECK(bounded.error().starts_with("cannot connect to "));
    CHECK(server.accepted() < 300);
  }

  TEST_CASE("the time in which a run is made ready is not the server's") {
    class JumpingClock final : public Clock {
     public:
      Moment now() override {
        Moment moment = clock.now();
        moment.boot_ns += jumped_ns;
        return moment;
      }
      SystemClock clock;
      int64_t jumped_ns = 0;
    } clock;
    FakeSale sale(10);
    FakeServer server(
        [&](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; });
    const Plan plan = small_plan(server);
    Run run(plan, clock);
    clock.jumped_ns = 3600 * kSecond;
    run.begin();
    CHECK(bool(run.finish()));
    CHECK(run.users()[static_cast<size_t>(UserEnd::sold)] == 10);
  }

  TEST_CASE("a server that is not there is named with what to do") {
    Plan plan;
    {
      FakeServer gone([](const FakeRequest&) { return FakeReply{}; });
      plan.server = gone.address();
    }
    plan.patience_ns = kMillisecond;
    SystemClock clock;
    Run run(plan, clock);
    run.begin();
    Status status = run.finish();
    REQUIRE_FALSE(bool(status));
    CHECK(status.error().message.find("Connection refused") != std::string::npos);
    CHECK(status.error().message.find("stampede serve") != std::string::npos);
  }
}
