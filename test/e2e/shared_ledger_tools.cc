// What operators hear of a ledger that nodes share: the audit beside nodes that sell, and what cannot be as they asked for it.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "harness/cluster.h"

namespace stampede::e2e {
namespace {

using servers::Direction;
using servers::Relay;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_SUITE("e2e/shared_ledger_tools") {
  TEST_CASE("the audit blames nobody for what moves while it reads") {
    Cluster cluster({.catalog = catalog({{.stock = 5'000}})});
    // Between what it reads of the logs and of Redis units are granted, sold and given back again and again.
    Relay slow(cluster.redis().port());
    slow.delay(Direction::to_server, std::chrono::milliseconds(50));
    std::atomic<bool> is_over{false};
    std::atomic<int> sold{0};
    std::thread buyers([&] {
      while (!is_over) {
        cluster.node(0).order({.user = "u" + std::to_string(++sold)});
        wait_until([&] { return is_over || cluster.node(0).books().leased == 0; });
      }
    });
    wait_until([&] { return sold > 1; });
    const Finished audit =
        run_stampede({"audit", "--data", cluster.node(0).data(), "--data", cluster.node(1).data(),
                      "--db", cluster.database_url(), "--ledger",
                      "redis://127.0.0.1:" + std::to_string(slow.port()) + "/0"});
    is_over = true;
    buyers.join();
    CAPTURE(audit.out);
    CHECK(audit.exit_code == 0);
    CHECK(contains(audit.out, "item ticket: total 5,000 = "));
  }

  TEST_CASE("a number that another data directory has is refused before its rows are asked about") {
    Cluster cluster({.catalog = catalog({{.stock = 10}})});
    Server& node = cluster.node(1);
    CHECK(node.buy({.user = "u"}) != "");
    REQUIRE(node.wait_drained());
    REQUIRE(node.terminate() == 0);
    node.options().data = node.scratch().path("other");
    CHECK(node.start_and_fail() == 2);
    CAPTURE(node.complaint());
    CHECK(node.says("--node 1 is another data directory"));
    CHECK(node.says("a --node that no other had"));
  }

  TEST_CASE("rebuild ends no epoch while a member that must join the next is down") {
    Cluster cluster({.catalog = catalog({{.stock = 10}})});
    CHECK(contains(cluster.ledger("status").out, "running: 0,1; no sign of life: none"));
    cluster.node(1).kill9();
    CHECK(contains(cluster.ledger("status").out, "running: 0; no sign of life: 1"));
    const Finished refused = cluster.ledger("rebuild");
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 1);
    CHECK(contains(refused.err, "no sign of life from node 1"));
    CHECK(contains(refused.err, "nothing was changed"));
    CHECK(cluster.node(0).buy({.user = "u"}) != "");
    cluster.node(1).start();
    CHECK(cluster.ledger("rebuild").exit_code == 0);
  }

  TEST_CASE("an item that the ledger does not know is no empty answer") {
    Cluster cluster({.nodes = 1, .catalog = catalog({{}})});
    CHECK(cluster.ledger("status", {"--item", "ticket"}).exit_code == 0);
    const Finished status = cluster.ledger("status", {"--item", "cup"});
    CHECK(status.exit_code == 1);
    CHECK(contains(status.err, "knows no item cup"));
  }
}

}  // namespace
}  // namespace stampede::e2e
