// Nodes that sell one stock on different terms are told so, with the field; a change that reaches one node after the other
// is no difference.
#include <doctest/doctest.h>
#include <signal.h>

#include "harness/cluster.h"

namespace stampede::e2e {
namespace {

constexpr char kDiffer[] = "nodes sell on different terms";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string priced(int64_t price) {
  return catalog({{.price = price}});
}

// A catalog with an item more; `own` is its JSON.
std::string with_own(const std::string& own) {
  return "{\"items\":[" + item_json({}) + "," + own + "]}";
}

void start_with(Server& node, const std::string& catalog) {
  node.options().catalog = catalog;
  if (node.process().is_running()) REQUIRE(node.terminate() == 0);
  write_file(node.stderr_path(), "");
  node.start();
}

bool is_refused_with(Server& node, const std::string& catalog) {
  node.options().catalog = catalog;
  if (node.process().is_running()) REQUIRE(node.terminate() == 0);
  return node.start_and_fail() == 2;
}

int put_price(Server& node, int64_t price) {
  return node.admin()
      .put("/admin/items/ticket", "{\"title\":\"Seat\",\"price\":" + std::to_string(price) + "}")
      .status;
}

// What the nodes compare theirs with.
std::string standing(Cluster& cluster, const std::string& item = "ticket") {
  return cluster.database().text("SELECT terms FROM supply WHERE item='" + item + "'");
}

bool stands_at(Cluster& cluster, int64_t price) {
  return wait_until(
      [&] { return contains(standing(cluster), "\"price\":" + std::to_string(price) + ","); });
}

TEST_SUITE("e2e/shared_ledger_terms") {
  TEST_CASE("a catalog that contradicts the first node's is refused with item, field and values") {
    Cluster cluster({.catalog = catalog({{}})});
    Server &first = cluster.node(0), &second = cluster.node(1);
    start_with(first, with_own(item_json({.code = "own", .price = 5})));
    REQUIRE(is_refused_with(second, with_own(item_json({.code = "own", .price = 6}))));
    CAPTURE(second.complaint());
    CHECK(second.says("item own: price is 6 here and 5 in the ledger"));
    CHECK(second.says("correct the catalog"));
    CHECK(contains(standing(cluster, "own"), "\"price\":5,"));
    start_with(second, with_own(item_json({.code = "own", .price = 5})));
    CHECK_FALSE(contains(second.said(), kDiffer));
    CHECK(second.buy({.user = "u", .item = "own"}) != "");
  }

  TEST_CASE("the same terms in other words are no difference") {
    Cluster cluster({.catalog = catalog({{}})});
    start_with(cluster.node(0), with_own(R"({"code":"own","stock":5,"title":"own","price":7,)"
                                         R"("starts_at":"2026-01-01T08:00:00+08:00"})"));
    start_with(cluster.node(1), with_own(R"({ "starts_at" : "2026-01-01T00:00:00.000Z",)"
                                         R"( "per_user_limit": 0, "ends_at": null, "price" : 7,)"
                                         R"( "pay_window_s":1800,"stock":5,"code":"own"})"));
    CHECK_FALSE(contains(cluster.node(1).said(), kDiffer));
  }

  TEST_CASE("a catalog that changes on one node after the other contradicts nobody") {
    Cluster cluster({.catalog = priced(1)});
    start_with(cluster.node(0), priced(2));
    CHECK(stands_at(cluster, 2));
    // Not there yet, and back after a crash: it must come back, and it says what is missing.
    start_with(cluster.node(1), priced(1));
    CHECK(cluster.node(1).says("item ticket: price is 1 here and 2 in the ledger"));
    REQUIRE(is_refused_with(cluster.node(1), priced(3)));
    CHECK(cluster.node(1).says("price is 3 here and 2 in the ledger"));
    CHECK(stands_at(cluster, 2));
    for (Server* node : {&cluster.node(1), &cluster.node(0)}) {
      start_with(*node, priced(2));
      CHECK_FALSE(contains(node->said(), kDiffer));
    }
  }

  TEST_CASE("a price that is put on one node after the other is compared with the newest") {
    Cluster cluster({.catalog = priced(1)});
    CHECK(put_price(cluster.node(0), 2) == 200);
    CHECK(stands_at(cluster, 2));
    CHECK(put_price(cluster.node(1), 3) == 200);
    const std::string difference = "item ticket: price is 3 here and 2 in the ledger";
    CHECK(cluster.node(1).says(difference));
    CHECK(stands_at(cluster, 2));
    // The database's word is not needed for a start, and is asked for as soon as there is one.
    REQUIRE(cluster.node(1).terminate() == 0);
    cluster.postgres().kill();
    start_with(cluster.node(1), priced(1));
    CHECK(cluster.node(1).says("compared with the other nodes' later"));
    CHECK_FALSE(contains(cluster.node(1).said(), difference));
    cluster.postgres().restart();
    CHECK(cluster.node(1).says(difference));
    CHECK(put_price(cluster.node(1), 2) == 200);
    start_with(cluster.node(1), priced(1));
    CHECK_FALSE(contains(cluster.node(1).said(), kDiffer));
  }

  TEST_CASE("a catalog that is read again on one node after the other contradicts nobody") {
    Cluster cluster({.catalog = priced(1)});
    const auto read_again = [&](size_t index, const std::string& catalog) {
      Server& node = cluster.node(index);
      const size_t said = node.complaint().size();
      write_file(node.scratch().path("catalog.json"), catalog);
      node.process().signal(SIGHUP);
      const auto has_read = [&] { return contains(node.complaint().substr(said), "read again"); };
      CHECK(wait_until(has_read));
    };
    const auto price_at = [&](size_t index, const std::string& item) {
      return cluster.node(index).http().get("/v1/items/" + item).json()["price"].number();
    };
    const std::string next = catalog({{.price = 2}, {.code = "own", .stock = 5, .price = 9}});
    for (size_t index : {0, 1}) read_again(index, next);
    CHECK(stands_at(cluster, 2));
    for (size_t index : {0, 1}) {
      CHECK(wait_until([&] { return price_at(index, "own") == 9; }));
      CHECK(price_at(index, "ticket") == 2);
      CHECK_FALSE(contains(cluster.node(index).complaint(), kDiffer));
      // One stock of the new item for both.
      CHECK(cluster.node(index).buy({.user = "u" + std::to_string(index), .item = "own"}) != "");
    }
    CHECK(cluster.database().number("SELECT supplied FROM supply WHERE item='own'") == 5);
    // Both at once, as a program that deploys does.
    for (size_t index : {0, 1})
      write_file(cluster.node(index).scratch().path("catalog.json"), priced(3));
    for (size_t index : {0, 1}) cluster.node(index).process().signal(SIGHUP);
    CHECK(stands_at(cluster, 3));
    for (size_t index : {0, 1}) CHECK(wait_until([&] { return price_at(index, "ticket") == 3; }));
    // Which one is right nobody knows: a node that reads something else than the newest is told so, and so is one that reads
    // again what it had.
    read_again(1, priced(4));
    CHECK(stands_at(cluster, 4));
    read_again(0, priced(3));
    const auto is_told = [&](int64_t price) {
      const std::string here = "item ticket: price is " + std::to_string(price) + " here and 4";
      return cluster.node(0).says(here);
    };
    CHECK(is_told(3));
    read_again(0, priced(5));
    CHECK(is_told(5));
    CHECK(stands_at(cluster, 4));
    CHECK_FALSE(contains(cluster.node(1).complaint(), kDiffer));
    read_again(0, priced(4));
    CHECK(wait_until([&] { return price_at(0, "ticket") == 4; }));
    start_with(cluster.node(0), priced(4));
    CHECK_FALSE(contains(cluster.node(0).said(), kDiffer));
  }

  TEST_CASE("an item that an operator adds on two nodes is compared as one of a catalog") {
    Cluster cluster({.catalog = catalog({{}})});
    const auto put = [&](size_t node, const std::string& body) {
      return cluster.node(node).admin().put("/admin/items/own", body).status;
    };
    CHECK(put(0, R"({"stock":5,"price":9})") == 201);
    CHECK(wait_until([&] { return contains(standing(cluster, "own"), "\"price\":9,"); }));
    CHECK(put(1, R"({"stock":5,"price":9,"per_user_limit":1})") == 201);
    CHECK(wait_until([&] {
      return contains(
          cluster.node(1).complaint(),
          "item own: per_user_limit is 1 here and 0 in the ledger: " + std::string(kDiffer));
    }));
  }

  TEST_CASE("a sale that is ended on one node after the other is no difference") {
    Cluster cluster({.catalog = catalog({{}})});
    const std::string before = standing(cluster);
    for (size_t node : {0, 1}) {
      CHECK(cluster.node(node).admin().post("/admin/items/ticket/end", "").status == 200);
      cluster.node(node).restart();
      CHECK_FALSE(contains(cluster.node(node).said(), kDiffer));
    }
    CHECK(standing(cluster) == before);
  }

  TEST_CASE("preheat replaces what the nodes are compared with only when it is asked to") {
    Cluster cluster({.catalog = priced(1)});
    const std::string path = cluster.node(0).scratch().path("preheat.json");
    write_file(path, catalog({{.price = 2}, {.code = "more", .price = 4}}));
    const Finished kept = cluster.ledger("preheat", {"--catalog", path});
    CHECK(kept.exit_code == 0);
    CHECK(contains(kept.out, "ticket: price is 2 here and 1 in the ledger"));
    CHECK(stands_at(cluster, 1));
    CHECK(contains(standing(cluster, "more"), "\"price\":4,"));
    const Finished replaced = cluster.ledger("preheat", {"--catalog", path, "--new-terms"});
    CHECK(replaced.exit_code == 0);
    CHECK_FALSE(contains(replaced.out, "in the ledger"));
    CHECK(stands_at(cluster, 2));
    start_with(cluster.node(0), priced(1));
    CHECK(cluster.node(0).says("price is 1 here and 2 in the ledger"));
    start_with(cluster.node(0), priced(2));
    CHECK_FALSE(contains(cluster.node(0).said(), kDiffer));
  }
}

}  // namespace
}  // namespace stampede::e2e
