#include "cluster/postgres_registry.h"

#include <barrier>
#include <functional>
#include <thread>

#include "../../servers/await.h"
#include "../../servers/postgres_server.h"
#include "registry_rig.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;
using servers::await;
using servers::PostgresClient;
using servers::PostgresServer;

struct Database {
  PostgresServer& server = PostgresServer::shared();
  std::string database = server.create_database();
  std::string url = server.url(database);
};

struct Fixture : Database, RegistryRig {
  Fixture() : RegistryRig(std::make_unique<PostgresRegistry>(url)) {}

  // The same thing by some nodes at once, each with a registry of its own.
  void at_once(int nodes, const std::function<void(Registry&, int)>& work) {
    std::barrier all_are_here(nodes);
    std::vector<std::thread> threads;
    for (int i = 0; i < nodes; ++i)
      threads.emplace_back([&, i] {
        PostgresRegistry own(url);
        all_are_here.arrive_and_wait();
        work(own, i);
      });
    for (std::thread& thread : threads) thread.join();
  }
  int64_t epochs_begun() { return PostgresClient(url).number("SELECT count(*) FROM epochs"); }
};

}  // namespace

TEST_SUITE_BEGIN("cluster/postgres_registry");

#include "registry_contract.h"

TEST_CASE_FIXTURE(Fixture, "tables without terms get them and nothing else changes") {
  const Supply item{"a", 5, 2};
  must(registry.add_items({&item, 1}));
  PostgresClient client(url);
  REQUIRE(
      client.execute("ALTER TABLE supply DROP COLUMN terms; ALTER TABLE supply DROP COLUMN "
                     "brought_by; ALTER TABLE "
                     "members DROP COLUMN counted_from; ALTER TABLE schema_version DROP CONSTRAINT "
                     "schema_version_pkey; UPDATE schema_version SET version=1"));
  at_once(4, [&](Registry& own, int) {
    const std::string asked = "a";
    CHECK(must(own.terms({&asked, 1})).at("a") == "");
  });
  CHECK(client.rows("SELECT version FROM schema_version") ==
        std::vector<std::vector<std::string>>{{"4"}});
  CHECK(must(registry.supplies()) == std::vector<Supply>{item});
}

TEST_CASE_FIXTURE(Fixture, "a retirement waits for the transaction of the member's drainer") {
  must(registry.enroll(2, "b"));
  PostgresClient drainer(url), observer(url);
  REQUIRE(drainer.execute("BEGIN; SELECT state FROM members WHERE node=2 FOR KEY SHARE"));
  std::atomic<bool> is_retired{false};
  std::thread operation([&] {
    PostgresRegistry own(url);
    must(own.retire(2, {}));
    is_retired = true;
  });
  CHECK(await([&] {
    return is_retired || observer.number(
                             "SELECT count(*) FROM pg_stat_activity WHERE "
                             "datname='" +
                             database +
                             "' AND "
                             "wait_event_type='Lock'") == 1;
  }));
  CHECK_FALSE(is_retired);
  CHECK(observer.text("SELECT state FROM members") == "inactive");
  REQUIRE(drainer.execute("COMMIT"));
  operation.join();
  CHECK(observer.text("SELECT state FROM members") == "retired");
}

TEST_CASE_FIXTURE(Fixture, "epochs and deactivations do not wait for a drainer") {
  const uint64_t epoch = activate(2);
  PostgresClient drainer(url);
  REQUIRE(drainer.execute("BEGIN; SELECT state FROM members WHERE node=2 FOR KEY SHARE"));
  must(registry.begin_epoch(2, 0));
  must(registry.enter_epoch(2, epoch + 5));
  must(registry.deactivate(2, epoch + 5, {}));
  REQUIRE(drainer.execute("COMMIT"));
}

// ---- The connection

TEST_CASE_FIXTURE(Fixture, "a connection that broke while it lay idle is replaced unnoticed") {
  must(registry.enroll(2, "b"));
  PostgresClient admin(url);
  CHECK(admin.number("SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity "
                     "WHERE datname='" +
                     database + "' AND application_name='stampede'") == 1);
  must(registry.enroll(3, "c"));
  CHECK(must(registry.members()).size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a server that is away is an error and later all works again") {
  must(registry.enroll(2, "b"));
  server.kill();
  CHECK_FALSE(registry.begin_epoch(2, 0));
  CHECK_FALSE(registry.members());
  server.restart();
  CHECK(must(registry.begin_epoch(2, 0)).epoch == (uint64_t{1} << 16 | 2));
}

TEST_CASE_FIXTURE(Fixture, "a mutation whose commit is unknown says so and may be repeated") {
  const Supply item[] = {{"ticket", 100, 0}};
  must(registry.add_items(item));
  PostgresClient other(url);
  REQUIRE(other.execute(
      "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS "
      "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$; "
      "CREATE CONSTRAINT TRIGGER leave AFTER INSERT ON restocks DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW EXECUTE FUNCTION leave()"));
  CHECK(contains(complaint(registry.restock("r1", "ticket", 5, kSomeEpoch)),
                 "is not known, repeat it"));
  REQUIRE(other.execute("DROP TRIGGER leave ON restocks"));
  CHECK(must(registry.restock("r1", "ticket", 5, kSomeEpoch)).supply == Supply{"ticket", 105, 0});
}

TEST_SUITE_END();
