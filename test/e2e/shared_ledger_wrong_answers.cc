// Redis, or something on the way to it, answers what it should not: nobody crashes, nothing is granted because of it, and no
// unit is lost. A Redis that could break the ledger's promises is refused with the reason, and the server says it while it
// stands ready for the day that it is put right.
#include <doctest/doctest.h>

#include "harness/cluster.h"
#include "harness/random.h"

namespace stampede::e2e {
namespace {

using servers::Forgery;
using servers::RedisServer;
using Then = servers::Forgery::Then;

const Forgery kForgeries[] = {
    {"-READONLY You can't write against a read only replica.\r\n"},
    {"-LOADING Redis is loading the dataset in memory\r\n"},
    {"-OOM command not allowed when used memory > 'maxmemory'.\r\n"},
    {"-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n"},
    {"-NOAUTH Authentication required.\r\n"},
    {"-NOSCRIPT No matching script. Please use EVAL.\r\n"},
    {"-MISCONF Redis is configured to save RDB snapshots, but it is unable to persist to "
     "disk.\r\n"},
    {"-CLUSTERDOWN Hash slot not served\r\n"},
    {"-MOVED 1234 127.0.0.1:1\r\n"},
    {"-ERR max number of clients reached\r\n", Then::close},
    {servers::kGarbage},
    {servers::kGarbage, Then::close},
    {servers::kHalfReply, Then::silence},
    {servers::kHalfReply, Then::close},
    {servers::kHugeBulk, Then::silence},
    {"*536870912\r\n", Then::silence},
    {"*-1\r\n"},
    {"$-1\r\n"},
    {"*0\r\n"},
    {":7\r\n"},
    {"+OK\r\n"},
    {"*1\r\n:7\r\n"},
    {"*1\r\n*0\r\n"},
    {"*1\r\n$-1\r\n"},
    {"*1\r\n$2\r\nOK\r\n"},
    {"*2\r\n$2\r\nOK\r\n:1\r\n"},
    {"*1\r\n$7\r\nWHAT IS\r\n"},
    {"*1\r\n$5\r\nEPOCH\r\n"},
    {"*1\r\n$6\r\nROLLED\r\n"},
    {"*1\r\n$4\r\nGONE\r\n"},
    {"*2\r\n$3\r\nGAP\r\n:1\r\n"},
    {"*2\r\n$3\r\nOLD\r\n:9\r\n"},
    {"*1\r\n$6\r\nFENCED\r\n"},
    {"*1\r\n$10\r\nRECOVERING\r\n"},
    {"*1\r\n$7\r\nREPLICA\r\n"},
    {"", Then::silence},
    {"", Then::close},
};

// What a server says while it grants nothing; it runs and answers.
void check_grants_nothing(Server& server, const std::string& why) {
  CHECK(wait_until(
      [&] { return server.status()["ledger"]["problem"].text().find(why) != std::string::npos; }));
  CAPTURE(server.status()["ledger"]["problem"].text());
  const Response refused =
      server.http().post("/v1/orders", order_body({.user = "u1"}), {{"X-User-Id", "u1"}});
  CHECK(refused.status == 503);
  CHECK(refused.code() != "sold_out");
  CHECK(server.says(why));
}

TEST_SUITE("e2e/shared_ledger_wrong_answers") {
  TEST_CASE("whatever comes in place of a reply costs no unit and no process") {
    INFO("seed " << seed());
    for (int round = 0; round < rounds(1); ++round) {
      constexpr int64_t kStock = 900;
      Cluster cluster({.catalog = catalog({{.stock = kStock}}), .flags = {{"--lease-max", "8"}}});
      BackgroundRush rush(cluster, crowd(kStock + 40));
      for (const Forgery& forgery : kForgeries) {
        servers::Relay& relay = cluster.relay(random_between(0, 1));
        const uint64_t before = relay.counts().forged_replies;
        relay.forge_reply(random_between(1, 4), forgery);
        CHECK(relay.await_counts(
            [&](const servers::RelayCounts& counts) { return counts.forged_replies > before; }));
      }
      cluster.check_sold_out(rush.finish(), kStock);
      for (size_t i = 0; i < 2; ++i) CHECK(cluster.node(i).process().is_running());
    }
  }

  TEST_CASE("bytes that nobody asked for end the connection and nothing else") {
    Cluster cluster({.catalog = catalog({{.stock = 300}})});
    BackgroundRush rush(cluster, crowd(340));
    for (int i = 0; i < 5; ++i) {
      rush.await_answers(rush.answers() + 20);
      cluster.each_relay([](servers::Relay& relay) { relay.inject("*1\r\n$2\r\nOK\r\n"); });
    }
    cluster.check_sold_out(rush.finish(), 300);
  }

  TEST_CASE("counters that were edited by hand are noticed and nothing is sold by them") {
    constexpr int64_t kStock = 200;
    Cluster cluster({.catalog = catalog({{.stock = kStock}}), .flags = {{"--lease-max", "4"}}});
    std::vector<Outcome> outcomes;
    int buyers = 0;
    const auto disputes = [&] { return cluster.ledger_of(0)["disputes"].number(); };
    for (const std::string edit : {"a:0.1.0 1000", "r:0.1.0 1000", "a:0.1.0 -1000"}) {
      CAPTURE(edit);
      const int64_t epoch = cluster.await_open(), before = disputes();
      const std::string key = "stampede:{ledger0}:i:" + std::to_string(epoch) + ":ticket";
      const size_t space = edit.find(' ');
      cluster.redis().command({"HINCRBY", key, edit.substr(0, space), edit.substr(space + 1)});
      CHECK(wait_until([&] {
        // Asks for more than a lease, so that an exchange is made.
        append(outcomes, cluster.rush(crowd(9, "buyer" + std::to_string(++buyers) + "-"), {0}));
        return disputes() > before;
      }));
    }
    // More is held than was supplied: of no stream can it be said whose counters are wrong.
    const std::string epoch = std::to_string(cluster.await_open());
    cluster.redis().command({"HINCRBY", "stampede:{ledger0}:i:" + epoch + ":ticket", "T", "-1000"});
    append(outcomes, cluster.buy_until_refused(0, "doubtful"));
    CHECK(cluster.node(0).says("than were ever supplied"));
    CHECK(cluster.ledger("rebuild").exit_code == 0);
    append(outcomes, cluster.rush(crowd(kStock, "rest")));
    cluster.check_sold_out(outcomes, kStock);
  }

  TEST_CASE("a Redis that may evict keys is not sold from until it is told not to") {
    Cluster cluster({.nodes = 1,
                     .catalog = catalog({{.stock = 10}}),
                     .redis = {.maxmemory_policy = "allkeys-lru"},
                     .awaits_open = false});
    check_grants_nothing(cluster.node(0), "maxmemory-policy");
    cluster.redis().command({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
    cluster.check_sold_out(cluster.rush(crowd(20)), 10);
  }

  TEST_CASE("a replica is not sold from even when it takes writes") {
    RedisServer master;
    Cluster cluster({.nodes = 1,
                     .catalog = catalog({{.stock = 10}}),
                     .redis = {.replica_of = master.port(), .is_replica_read_only = false},
                     .awaits_open = false});
    check_grants_nothing(cluster.node(0), "name the master");
    cluster.redis().promote();
    cluster.check_sold_out(cluster.rush(crowd(20)), 10);
  }

  TEST_CASE("a wrong password is said without showing it") {
    RedisServer redis({.password = "right"});
    Cluster cluster({.nodes = 1,
                     .catalog = catalog({{.stock = 10}}),
                     .ledger = "redis://:hush@127.0.0.1:" + std::to_string(redis.port()) + "/0",
                     .awaits_open = false});
    check_grants_nothing(cluster.node(0), "WRONGPASS");
    CHECK(cluster.node(0).said().find("hush") == std::string::npos);
    CHECK(cluster.node(0).admin().get("/admin/status").body.find("hush") == std::string::npos);
    redis.command({"CONFIG", "SET", "requirepass", "hush"});
    cluster.await_open();
    CHECK(tally(cluster.rush(crowd(20)))["201"] == 10);
  }

  TEST_CASE("a Redis that is full grants nothing until it has room") {
    Cluster cluster({.catalog = catalog({{.stock = 100}}), .flags = {{"--lease-max", "1"}}});
    BackgroundRush rush(cluster, crowd(120));
    rush.await_answers(30);
    cluster.redis().command({"CONFIG", "SET", "maxmemory", "1"});
    rush.await_answers(rush.answers() + 30);
    cluster.redis().command({"CONFIG", "SET", "maxmemory", "0"});
    cluster.check_sold_out(rush.finish(), 100);
  }
}

}  // namespace
}  // namespace stampede::e2e
