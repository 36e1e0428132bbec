// Nodes come and go: a member that is down holds up a new epoch until it is back or is taken out, what it held is never sold
// twice, and what it did not sell comes back in the end.
#include <doctest/doctest.h>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::Data;

std::vector<std::string> node_flag(size_t index) {
  return {"--node", std::to_string(index)};
}

Arguments reclaim_flags(Cluster& cluster, size_t index) {
  return {"--node", std::to_string(index), "--data", cluster.node(index).data()};
}

// `stampede ledger` ends with this exit code; what it printed.
Finished check_ledger(Cluster& cluster, const std::string& subcommand,
                      const Arguments& arguments = {}, int exit_code = 0) {
  const Finished finished = cluster.ledger(subcommand, arguments);
  CHECK_MESSAGE(finished.exit_code == exit_code,
                subcommand << ": " << finished.out << finished.err);
  return finished;
}

std::vector<Outcome> of_node(Cluster& cluster, size_t index, std::vector<Outcome> outcomes) {
  std::erase_if(outcomes, [&](const Outcome& outcome) {
    return cluster.home_of(outcome.ask.user, cluster.all()) != index;
  });
  return outcomes;
}

bool waits_for(Cluster& cluster, size_t index, int64_t missing) {
  const Json ledger = cluster.ledger_of(index);
  return ledger["missing"].size() == 1 && ledger["missing"].at(0).number() == missing &&
         ledger["problem"].text().find("waits for node " + std::to_string(missing) +
                                       ": start it, or take it out for good with `stampede ledger "
                                       "reclaim --node N --data DIR`") != std::string::npos;
}

// Two nodes of which node 1 was killed with orders and leased units, and Redis has forgotten everything.
void kill_node_and_redis(Cluster& cluster) {
  cluster.node(1).kill9();
  cluster.redis().restart(Data::wiped);
  CHECK(wait_until([&] { return waits_for(cluster, 0, 1); }));
}

// Node 1 has sold, has been stopped, has sold on, perhaps in another epoch, and was killed; now its directory is again what
// it was at the stop.
void put_back_old_log(Cluster& cluster, bool is_epoch_newer) {
  cluster.rush(crowd(20));
  REQUIRE(cluster.node(1).terminate() == 0);
  const std::string data = cluster.node(1).data(), copy = data + ".old";
  REQUIRE(run({"cp", "-a", data, copy}).exit_code == 0);
  cluster.node(1).start();
  cluster.rush(crowd(40, "more"));
  if (is_epoch_newer) {
    check_ledger(cluster, "rebuild");
    cluster.await_open();
  }
  REQUIRE(cluster.node(1).wait_drained());
  cluster.node(1).kill9();
  REQUIRE(run({"rm", "-r", data}).exit_code == 0);
  REQUIRE(run({"mv", copy, data}).exit_code == 0);
}

// The names and sums of the files in a data directory, but for the lock, which says who has it.
std::string contents_of(const std::string& dir) {
  const Finished listed =
      run({"sh", "-c", "cd '" + dir + "' && find . -type f ! -name lock | sort | xargs sha256sum"});
  REQUIRE(listed.exit_code == 0);
  return listed.out;
}

TEST_SUITE("e2e/shared_ledger_members") {
  TEST_CASE("nodes that are killed under load and come back sell every unit once") {
    INFO("seed " << seed());
    Cluster cluster(
        {.nodes = 3, .catalog = catalog({{.stock = 900}}), .flags = {{"--lease-max", "16"}}});
    BackgroundRush rush(cluster, crowd(960));
    for (int time = 0; time < rounds(3); ++time) {
      rush.await_answers(rush.answers() + random_between(1, 300));
      const size_t victim = random_between(0, 2);
      cluster.node(victim).kill9();
      cluster.node(victim).start();
    }
    cluster.check_sold_out(rush.finish(), 900);
  }

  TEST_CASE("a node that is stopped under load gives its units back to the others") {
    Cluster cluster({.catalog = catalog({{.stock = 2'000}})});
    BackgroundRush rush(cluster, crowd(600));
    rush.await_answers(300);
    CHECK(cluster.node(1).terminate() == 0);
    CHECK(wait_until([&] { return cluster.node(0).books().leased == 0; }));
    auto others = cluster.rush(crowd(2'100, "other"), {0});
    CHECK(tally(others)["409 sold_out"] > 0);  // nothing is leased by the node that left
    cluster.node(1).start();
    append(others, rush.finish());
    cluster.check_sold_out(others, 2'000);
  }

  TEST_CASE("a new epoch waits for a member that is down while payments go on") {
    Cluster cluster({.catalog = catalog({{.stock = 300}})});
    auto outcomes = cluster.rush(crowd(100));
    kill_node_and_redis(cluster);
    const std::string order = of_node(cluster, 0, outcomes).at(0).order_id;
    CHECK(cluster.node(0).pay(order).json()["state"].text() == "paid");
    // What it has leased it may sell, and then it has to wait.
    append(outcomes, cluster.buy_until_refused(0, "late"));
    // Redis has nothing to tell of what node 1 held, so it cannot be taken out without its log.
    const Finished refusal = check_ledger(cluster, "deactivate", node_flag(1), 1);
    CHECK(refusal.err.find("--data") != std::string::npos);
    cluster.node(1).start();
    append(outcomes, cluster.rush(crowd(260, "after")));
    cluster.check_sold_out(outcomes, 300);
  }

  TEST_CASE("a node that is taken out in time holds up nobody and comes back later") {
    Cluster cluster({.catalog = catalog({{.stock = 300}}), .flags = {{"--lease-max", "4"}}});
    auto outcomes = cluster.rush(crowd(100));
    cluster.node(1).kill9();
    for (int time = 0; time < 2; ++time) check_ledger(cluster, "deactivate", node_flag(1));
    cluster.redis().restart(Data::wiped);
    cluster.await_open({0});
    append(outcomes, cluster.rush(crowd(50, "alone"), {0}));
    CHECK(check_ledger(cluster, "status").out.find("node 1: inactive") != std::string::npos);
    cluster.node(1).start();
    append(outcomes, cluster.rush(crowd(200, "after")));
    cluster.check_sold_out(outcomes, 300);
  }

  TEST_CASE("a node that is taken out while it sells begins an epoch of its own and sells on") {
    Cluster cluster({.catalog = catalog({{.stock = 600}}), .flags = {{"--lease-max", "4"}}});
    BackgroundRush rush(cluster, crowd(640));
    rush.await_answers(200);
    check_ledger(cluster, "deactivate", node_flag(1));
    cluster.check_sold_out(rush.finish(), 600);
  }

  TEST_CASE("reclaim with the data directory puts on sale what was not paid and may be repeated") {
    Cluster cluster({.catalog = catalog({{.stock = 200}})});
    const auto of_gone = of_node(cluster, 1, cluster.rush(crowd(60)));
    REQUIRE(of_gone.size() > 2);
    REQUIRE(cluster.node(1).pay(of_gone[0].order_id).status == 200);
    cluster.node(1).kill9();
    for (int time = 0; time < 2; ++time)
      check_ledger(cluster, "reclaim", reclaim_flags(cluster, 1));
    const auto rest = cluster.rush(crowd(240, "after"), {0});
    CHECK(cluster.node(0).wait_drained());
    CHECK(cluster.sold_units() == 200);
    CHECK(cluster.database().number("SELECT count(*) FROM orders WHERE state='expired'") ==
          static_cast<int64_t>(of_gone.size()) - 1);
    CHECK(tally(rest)["409 sold_out"] == 240 - (200 - (60 - of_gone.size()) - 1));
    CHECK(cluster.node(0).books().ok);
    // Its directory is history: another sale from it would be of units that others have.
    CHECK(cluster.node(1).start_and_fail() == 78);
    CHECK(cluster.node(1).says("was retired"));
  }

  TEST_CASE("reclaim with the data directory frees those who wait for the node that is gone") {
    Cluster cluster({.catalog = catalog({{.stock = 200}})});
    cluster.rush(crowd(60));
    kill_node_and_redis(cluster);
    check_ledger(cluster, "reclaim", reclaim_flags(cluster, 1));
    cluster.await_open({0});
    cluster.rush(crowd(260, "after"), {0});
    CHECK(cluster.node(0).wait_drained());
    CHECK(cluster.sold_units() == 200);
    CHECK(cluster.node(0).books().ok);
  }

  TEST_CASE("reclaim without the data counts the unknown as sold until nobody can pay any more") {
    Cluster cluster({.catalog = catalog({{.stock = 200, .pay_window_s = 2}})});
    const std::string paid = of_node(cluster, 1, cluster.rush(crowd(60))).back().order_id;
    REQUIRE(cluster.node(1).pay(paid).status == 200);
    REQUIRE(cluster.node(1).wait_drained());
    cluster.node(1).kill9();
    const Arguments flags{"--node", "1", "--pay-window", "1"};
    check_ledger(cluster, "reclaim", flags, 75);
    // The hour that this would take passes in the database only.
    REQUIRE(cluster.database().execute(
        "UPDATE members SET updated_at=updated_at-interval '1 hour' WHERE node=1;"
        "UPDATE orders SET pay_before=pay_before-interval '1 hour',"
        " created_at=created_at-interval '1 hour'"));
    check_ledger(cluster, "reclaim", flags);
    CHECK(cluster.node(1).start_and_fail() == 78);
    // What node 0 had reserved expires too, so that in the end one unit is paid and all others are free.
    CHECK(wait_until([&] { return cluster.node(0).books().free == 199; }));
    int64_t sold = 0;
    for (const Outcome& outcome : cluster.rush(crowd(240, "after"), {0}))
      sold += outcome.status == 201;
    CHECK(sold >= 199);
    CHECK(cluster.node(0).books().ok);
  }

  TEST_CASE("a disk that is lost together with Redis takes no unit along for ever") {
    Cluster cluster({.catalog = catalog({{.stock = 200, .pay_window_s = 2}})});
    auto outcomes = cluster.rush(crowd(60));
    const std::string paid = of_node(cluster, 1, outcomes).back().order_id;
    REQUIRE(cluster.node(1).pay(paid).status == 200);
    REQUIRE(cluster.node(1).wait_drained());
    kill_node_and_redis(cluster);
    const Finished refusal = check_ledger(cluster, "reclaim", node_flag(1), 1);
    CHECK(refusal.err.find("--presume-sold") != std::string::npos);
    check_ledger(cluster, "deactivate", {"--node", "1", "--presume-sold"});
    cluster.await_open({0});
    CHECK(cluster.node(0).books().ok);
    CHECK(cluster.node(0).books().free <= 60);  // what expired here by now
    REQUIRE(cluster.database().execute(
        "UPDATE members SET updated_at=updated_at-interval '1 hour' WHERE node=1;"
        "UPDATE orders SET pay_before=pay_before-interval '1 hour',"
        " created_at=created_at-interval '1 hour'"));
    check_ledger(cluster, "reclaim", {"--node", "1", "--pay-window", "1"});
    CHECK(wait_until([&] { return cluster.node(0).books().free == 199; }));
    CHECK(cluster.node(0).books().ok);
    cluster.redis().restart(Data::wiped);
    cluster.await_open({0});
    CHECK(wait_until([&] { return cluster.node(0).books().free == 199; }));
  }

  TEST_CASE("a node that was presumed lost and comes back counts by its log again") {
    Cluster cluster({.catalog = catalog({{.stock = 200}}), .flags = {{"--lease-max", "8"}}});
    auto outcomes = cluster.rush(crowd(80));
    kill_node_and_redis(cluster);
    check_ledger(cluster, "deactivate", {"--node", "1", "--presume-sold"});
    cluster.await_open({0});
    append(outcomes, cluster.rush(crowd(20, "meanwhile"), {0}));  // what is presumed counts as sold
    cluster.node(1).start();
    cluster.await_open();
    append(outcomes, cluster.rush(crowd(200, "after")));
    cluster.check_sold_out(outcomes, 200);
  }

  TEST_CASE("a log that was restored from an old copy halts its node") {
    Cluster cluster({.catalog = catalog({{.stock = 200}})});
    put_back_old_log(cluster, false);
    CHECK(cluster.node(1).start_and_fail() == 78);
  }

  // What it would append is numbered as records that the database has, and what it would give back is sold.
  TEST_CASE("reclaim with an old copy of the data directory is refused and writes nothing") {
    Cluster cluster({.catalog = catalog({{.stock = 200}})});
    put_back_old_log(cluster, false);
    const std::string before = contents_of(cluster.node(1).data());
    const Finished refusal = check_ledger(cluster, "reclaim", reclaim_flags(cluster, 1), 78);
    CHECK(refusal.err.find("the database has seen record ") != std::string::npos);
    CHECK(contents_of(cluster.node(1).data()) == before);
    CHECK(check_ledger(cluster, "status").out.find("node 1: active") != std::string::npos);
  }

  TEST_CASE("reclaim with a restored backup is refused and writes nothing") {
    Cluster cluster({.catalog = catalog({{.stock = 200}})});
    cluster.rush(crowd(20));
    Server& node = cluster.node(1);
    REQUIRE(node.wait_drained());
    node.kill9();
    const std::string copy = node.scratch().path("copy"), data = node.scratch().path("again");
    REQUIRE(run_stampede({"backup", "--data", node.data(), "--to", copy}).exit_code == 0);
    REQUIRE(run_stampede({"restore", "--from", copy, "--data", data}).exit_code == 0);
    const std::string before = contents_of(data);
    const Finished refusal = check_ledger(cluster, "reclaim", {"--node", "1", "--data", data}, 78);
    CHECK(refusal.err.find("is a copy") != std::string::npos);
    CHECK(contents_of(data) == before);
    check_ledger(cluster, "reclaim", reclaim_flags(cluster, 1));  // with the true one it goes on
  }

  // Without the database's word Redis is the witness.
  TEST_CASE("an old copy of a log is known by Redis too") {
    for (const bool is_epoch_newer : {false, true}) {
      CAPTURE(is_epoch_newer);
      Cluster cluster({.catalog = catalog({{.stock = 200}})});
      put_back_old_log(cluster, is_epoch_newer);
      REQUIRE(cluster.database().execute("DELETE FROM drain_position WHERE node=1"));
      Process revenant(cluster.node(1).command(), cluster.node(1).stderr_path());
      CHECK(revenant.wait(kPatience) == 78);
    }
  }

  TEST_CASE("a node that starts with another number of shards joins with what it had") {
    Cluster cluster({.catalog = catalog({{.stock = 400}}), .flags = {{"--lease-max", "8"}}});
    auto outcomes = cluster.rush(crowd(100));
    for (const int shards : {3, 2}) {
      REQUIRE(cluster.node(1).terminate() == 0);
      cluster.node(1).options().shards = shards;
      cluster.node(1).start();
      append(outcomes, cluster.rush(crowd(100, "on" + std::to_string(shards) + "-")));
    }
    append(outcomes, cluster.rush(crowd(140, "last")));
    cluster.check_sold_out(outcomes, 400);
  }
}

}  // namespace
}  // namespace stampede::e2e
