// The audit is a consistent cut at any moment: while orders, payments, cancels, expiries, restocks
// and grants are under way, every unit is counted once.

#include <doctest/doctest.h>
#include <atomic>
#include <thread>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// Buys, pays, cancels and abandons at random until told to stop.
void trade(Address address, std::string name, uint64_t chance, const std::atomic<bool>& stop) {
  Http http(address);
  std::mt19937_64 dice(chance);
  for (int i = 0; !stop; ++i) {
    std::string user = name + std::to_string(i);
    Response response =
        http.post("/v1/orders", order_body({.quantity = static_cast<int64_t>(1 + dice() % 3)}),
                  {{"X-User-Id", user}});
    if (response.status != 201) continue;
    Json order = response.json();
    std::string path = "/v1/orders/" + order["order_id"].text();
    if (dice() % 3 == 0) http.post(path + "/cancel", {}, {{"X-User-Id", user}});
    if (dice() % 3 != 0) continue;
    std::string body = payment_body({.id = user, .amount = order["amount"].number()});
    http.post(path + "/payment", body, {{"Stampede-Signature", signature(body)}});
  }
}

void audit_under_load(int shards, int64_t stock) {
  INFO("seed " << seed());
  CAPTURE(shards);
  CAPTURE(stock);
  Server server({.catalog = catalog({{.stock = stock, .pay_window_s = 1}}), .shards = shards});
  std::atomic<bool> stop{false};
  std::vector<std::thread> traders;
  for (int i = 0; i < 6; ++i)
    traders.emplace_back([&, i, chance = random()()] {
      trade(server.address(), "t" + std::to_string(i) + "-", chance, stop);
    });
  int64_t total = stock;
  for (int i = 0; i < 150; ++i) {
    if (i % 25 == 24) {
      std::string body = "{\"op_id\":\"r" + std::to_string(i) + "\",\"delta\":5}";
      if (server.admin().post("/admin/items/ticket/restock", body).status == 200) total += 5;
    }
    Books books = server.books();
    CHECK(books.ok);
    CHECK(books.total == total);
    CHECK(books.total == books.free + books.leased + books.reserved + books.paid);
    CHECK(std::min({books.free, books.leased, books.reserved, books.paid}) >= 0);
  }
  stop = true;
  for (std::thread& trader : traders) trader.join();
  CHECK(wait_until([&] { return server.books().reserved == 0; }));
  server.check_books();
}

TEST_SUITE("e2e/consistent_audit") {
  TEST_CASE("every unit is counted once at every moment on one shard") {
    audit_under_load(1, 200);
  }
  TEST_CASE("every unit is counted once at every moment on two shards") {
    audit_under_load(2, 200);
  }
  TEST_CASE("every unit is counted once at every moment on more shards than processors") {
    audit_under_load(5, 200);
  }
  TEST_CASE("every unit is counted once at every moment when stock is plenty") {
    audit_under_load(2, 1'000'000);
  }
}

}  // namespace
}  // namespace stampede::e2e
