// A node that has sold alone joins the ledger that others share already: they sell none of what it has sold, wherever it ends on
// its way in, and the rest of its units.
#include <doctest/doctest.h>

#include "../servers/free_port.h"
#include "harness/cluster.h"

namespace stampede::e2e {
namespace {

constexpr int64_t kStock = 100, kSoldAlone = 60;

// Node 0 shares a ledger with nobody yet, and sells seats; node 1 has sold tickets with a ledger of its own, and has stopped.
struct Joining {
  Joining() {
    std::vector<Ask> alone = crowd(kSoldAlone, "alone");
    for (const Ask& ask : alone)
      sold.push_back({.ask = ask, .status = 201, .order_id = joiner.buy(ask)});
    REQUIRE(joiner.terminate() == 0);
    joiner.options().flags.emplace_back("--ledger", "");
    joiner.options().flags.emplace_back("--ledger-timeout-ms", "300");
  }
  void start_joiner(uint16_t redis_port) {
    joiner.options().flags[2].second = "redis://127.0.0.1:" + std::to_string(redis_port) + "/0";
    joiner.start();
  }
  // It has said what it brings, and has reached no Redis.
  void kill_joiner_on_its_way() {
    start_joiner(servers::free_port());
    joiner.kill9();
  }
  // An operator puts the tickets on sale at node 0 too.
  void sell_tickets() {
    cluster.node(0).options().catalog = catalog({{.code = "seat"}, {.stock = kStock}});
    cluster.node(0).restart();
  }
  void bring_joiner() {
    start_joiner(cluster.redis().port());
    REQUIRE(wait_until([&] {
      const Json one = joiner.status()["ledger"], other = cluster.ledger_of(0);
      return one["available"].truth() && other["available"].truth() &&
             one["epoch"].number() == other["epoch"].number();
    }));
  }
  // Node 0 sells what is left, and not a unit more.
  void check_rest() {
    append(sold, cluster.rush(crowd(kStock, "late")));
    CHECK(tally(sold)["201"] == kStock);
    CHECK(tally(sold)["409 sold_out"] == kSoldAlone);
    REQUIRE(joiner.wait_drained());
    REQUIRE(cluster.node(0).wait_drained());
    CHECK(cluster.sold_units() == kStock);
  }

  Cluster cluster{{.nodes = 1, .catalog = catalog({{.code = "seat"}})}};
  Server joiner{{.catalog = catalog({{.stock = kStock}}),
                 .flags = {{"--node", "1"}, {"--db", cluster.database_url()}}}};
  std::vector<Outcome> sold;
};

TEST_SUITE("e2e/shared_ledger_joins") {
  TEST_CASE("a node that has sold alone joins an open ledger and no unit is sold twice") {
    Joining the;
    the.bring_joiner();
    the.sell_tickets();
    the.cluster.await_open();
    the.check_rest();
  }

  TEST_CASE("what a node that ended on its way in has sold is sold by no other") {
    Joining the;
    the.kill_joiner_on_its_way();
    the.sell_tickets();
    the.cluster.await_open();
    // The epoch that is open is older, and is never told of the tickets.
    CHECK(the.cluster.buy_until_refused(0, "again").empty());
    the.bring_joiner();
    the.check_rest();
  }

  TEST_CASE("an epoch that begins while such a node is away waits for it") {
    Joining the;
    the.kill_joiner_on_its_way();
    the.sell_tickets();
    the.cluster.redis().restart(servers::Data::wiped);
    CHECK(wait_until([&] { return the.cluster.ledger_of(0)["missing"].size() == 1; }));
    CHECK(the.cluster.buy_until_refused(0, "again").empty());
    the.bring_joiner();
    the.check_rest();
  }

  TEST_CASE("rebuild ends no epoch while such a node is away") {
    Joining the;
    the.kill_joiner_on_its_way();
    the.cluster.await_open();
    const Finished refused = the.cluster.ledger("rebuild", {"--db", the.cluster.database_url()});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("node 1 has sold alone and has not joined yet") != std::string::npos);
    CHECK(the.cluster.ledger("status").out.find("the next epoch waits for it") !=
          std::string::npos);
    CHECK(the.cluster.node(0).buy({.user = "u", .item = "seat"}) != "");
    the.bring_joiner();
    CHECK(the.cluster.ledger("rebuild", {"--db", the.cluster.database_url()}).exit_code == 0);
    the.sell_tickets();
    the.cluster.await_open();
    the.check_rest();
  }

  TEST_CASE("such a node is taken out by its directory and its rest is sold") {
    Joining the;
    the.kill_joiner_on_its_way();
    the.sell_tickets();
    the.cluster.await_open();
    const Finished refused = the.cluster.ledger("deactivate", {"--node", "1"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("has sold alone") != std::string::npos);
    const Finished reclaimed =
        the.cluster.ledger("reclaim", {"--node", "1", "--data", the.joiner.data()});
    CHECK_MESSAGE(reclaimed.exit_code == 0, reclaimed.err);
    CHECK(reclaimed.out.find("stampede ledger rebuild") != std::string::npos);
    CHECK(the.cluster.buy_until_refused(0, "again").empty());
    REQUIRE(the.cluster.ledger("rebuild").exit_code == 0);
    the.cluster.await_open();
    // No pay window was given: what was not paid comes back.
    const auto outcomes = the.cluster.rush(crowd(kStock + 1, "late"));
    CHECK(tally(outcomes)["201"] == kStock);
  }
}

}  // namespace
}  // namespace stampede::e2e
