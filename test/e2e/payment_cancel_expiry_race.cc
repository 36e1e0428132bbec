// Payment, cancel and expiry of one order in the same millisecond, the first two delivered three
// times each: one of them wins, everybody is told the same, and at most one order's units come
// back.

#include <doctest/doctest.h>
#include <chrono>
#include <thread>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

struct Contested {
  std::string user, order_id;
  std::chrono::steady_clock::time_point due;  // about when it expires
  std::vector<Response> payments, cancels;
};

// Sends three payments and three cancels over two connections at the moment when the order expires.
void contest(Address address, Contested& order) {
  Http provider(address), owner(address);
  if (!provider.connect() || !owner.connect()) return;
  std::string body = payment_body({.id = "p" + order.order_id});
  std::string path = "/v1/orders/" + order.order_id;
  std::string pay =
      request_text("POST", path + "/payment", {{"Stampede-Signature", signature(body)}}, body);
  std::string cancel = request_text("POST", path + "/cancel", {{"X-User-Id", order.user}});
  std::this_thread::sleep_until(order.due);
  for (int i = 0; i < 3; ++i) {
    owner.send(cancel);
    provider.send(pay);
  }
  for (int i = 0; i < 3; ++i) {
    order.payments.push_back(provider.receive());
    order.cancels.push_back(owner.receive());
  }
}

// Whatever each answer says must fit the end of the story.
void check_story(Server& server, const Contested& order) {
  CAPTURE(order.order_id);
  Json last = server.read(order.user, order.order_id).json();
  std::string state = last["state"].text();
  int64_t refund_due = last["refund_due"].number();
  CAPTURE(state);
  CHECK(order.payments.size() == 3);
  for (const Response& answer : order.payments) {
    CAPTURE(answer.body);
    CHECK((answer.status == 200 || answer.status == 503));
    if (answer.status != 200) continue;
    CHECK(answer.json()["state"].text() == state);
    CHECK(answer.json()["refund_due"].number() == refund_due);
  }
  for (const Response& answer : order.cancels) {
    if (answer.status == 200 && answer.json()["state"].text() == "cancelled")
      CHECK(state == "cancelled");
    if (answer.status == 409 && answer.code() == "already_paid") CHECK(state == "paid");
  }
  if (state == "paid") CHECK(refund_due == 0);
  if (state == "cancelled") CHECK((refund_due == 55350 || refund_due == 0));
}

void race(int shards, int orders, int64_t stock, int hungry_buyers) {
  INFO("seed " << seed());
  CAPTURE(shards);
  Server server({.catalog = catalog({{.stock = stock, .pay_window_s = 1}}), .shards = shards});
  std::vector<Contested> contested(orders);
  for (int i = 0; i < orders; ++i) {
    contested[i].user = "u" + std::to_string(i);
    contested[i].order_id = server.buy({.user = contested[i].user});
    contested[i].due = std::chrono::steady_clock::now() + milliseconds{990 + random_between(0, 20)};
  }
  std::vector<std::thread> threads;
  for (Contested& order : contested)
    threads.emplace_back([&] { contest(server.address(), order); });
  auto hungry =
      rush(server.address(), crowd(hungry_buyers, "hungry"), {.connections = 2, .pipeline = 4});
  for (std::thread& thread : threads) thread.join();
  CHECK(wait_until(
      [&] {  // orders whose payments were all told to try again, and those of the hungry, expire
        bool is_settled = true;
        for (const Contested& order : contested)
          is_settled = is_settled && server.state_of(order.user, order.order_id) != "reserved";
        return is_settled && server.books().reserved == 0;
      }));
  for (const Contested& order : contested) check_story(server, order);
  server.check_books();
  CHECK(Database(server.database_path())
            .number("select count(*)-count(distinct payment_id) from payments") == 0);
}

TEST_SUITE("e2e/payment_cancel_expiry_race") {
  TEST_CASE("one of payment and cancel and expiry wins on one shard") {
    race(1, 40, 200, 0);
  }
  TEST_CASE("one of payment and cancel and expiry wins on two shards") {
    race(2, 40, 200, 0);
  }
  TEST_CASE("one of payment and cancel and expiry wins on more shards than processors") {
    race(5, 40, 200, 0);
  }
  TEST_CASE("one of them wins when every returned unit is wanted by somebody else") {
    race(2, 40, 40, 400);
  }
}

}  // namespace
}  // namespace stampede::e2e
