// A backup is made beside a server that sells, and holds every order that was acknowledged before it began. What is restored
// from it starts, sells nothing before somebody has looked, and gives no order's number again. What would forget orders, or is
// not whole, is refused.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "harness/cluster.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

Finished backup(const std::string& data, const std::string& to) {
  return run_stampede({"backup", "--data", data, "--to", to});
}

Finished restore(const std::string& from, const std::string& data, const Arguments& more = {}) {
  Arguments arguments = {"restore", "--from", from, "--data", data};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_stampede(arguments);
}

// Small segments, so that they are closed, covered by snapshots and used again.
ServerOptions busy_options(int shards) {
  return {.catalog = catalog({{.stock = 1'000'000}}),
          .shards = shards,
          .flags = {{"--segment-bytes", "2097152"}}};
}

// Users who order, one after the other in small steps, so that the log grows faster than what it means.
class Sale {
 public:
  explicit Sale(Address address) : address_(address), thread_([this] { run(); }) {}
  ~Sale() { stop(); }
  Sale(const Sale&) = delete;

  // Ends it; everything that was acknowledged.
  std::vector<Outcome> stop() {
    is_over_ = true;
    if (thread_.joinable()) thread_.join();
    return std::exchange(outcomes_, {});
  }

 private:
  void run() {
    for (int round = 0; !is_over_; ++round)
      append(outcomes_, rush(address_, crowd(200, "more" + std::to_string(round) + "-"),
                             {.connections = 2, .pipeline = 1}));
  }

  const Address address_;
  std::atomic<bool> is_over_{false};
  std::vector<Outcome> outcomes_;
  std::thread thread_;
};

std::set<std::string> ids_of(const std::vector<Outcome>& outcomes) {
  std::set<std::string> ids;
  for (const Outcome& outcome : outcomes)
    if (outcome.status == 201) ids.insert(outcome.order_id);
  return ids;
}

size_t count_missing(Server& server, const std::vector<Outcome>& outcomes) {
  size_t missing = 0;
  Http http = server.client();
  for (const Outcome& outcome : outcomes)
    if (outcome.status == 201 &&
        http.get("/v1/orders/" + outcome.order_id, {{"X-User-Id", outcome.ask.user}}).status != 200)
      ++missing;
  return missing;
}

// A server that sold something and has stopped, with some segments and a snapshot.
struct Sold {
  Server server{busy_options(1)};
  std::vector<Outcome> orders;

  Sold() {
    REQUIRE(wait_until(
        [&] {
          append(orders, rush(server.address(), crowd(500, std::to_string(orders.size()) + "-"),
                              {.connections = 2, .pipeline = 1}));
          return !fs::exists(server.data() + "/log/g1/s0/0000000001.log");
        },
        3 * kPatience));
    REQUIRE(server.terminate() == 0);
  }
  std::string path(const char* name) const { return server.scratch().path(name); }
};

// Straight to the Redis that the nodes share.
std::string ledger_of(Cluster& cluster) {
  return "redis://127.0.0.1:" + std::to_string(cluster.redis().port()) + "/0";
}

TEST_SUITE("e2e/backup") {
  TEST_CASE("a backup beside a busy server holds every order that was acknowledged before") {
    for (const int shards : {1, 2}) {
      CAPTURE(shards);
      Server server(busy_options(shards));
      const std::vector<Outcome> before =
          rush(server.address(), crowd(3'000), {.connections = 4, .pipeline = 1});
      Sale sale(server.address());
      std::vector<std::string> copies;
      for (const char* name : {"first", "second", "third"}) {
        copies.push_back(server.scratch().path(name));
        const Finished made = backup(server.data(), copies.back());
        REQUIRE_MESSAGE(made.exit_code == 0, made.err);
        CHECK_FALSE(fs::exists(copies.back() + ".unfinished"));
        const Finished verified = run_stampede({"log", "verify", "--data", copies.back()});
        CHECK_MESSAGE(verified.exit_code == 0, verified.err);
      }
      std::set<std::string> ids = ids_of(sale.stop());
      ids.merge(ids_of(before));
      CHECK(server.books().ok);
      REQUIRE(server.terminate() == 0);
      for (const std::string& copy : copies) {
        CAPTURE(copy);
        const std::string data = copy + "-restored";
        const Finished restored = restore(copy, data);
        REQUIRE_MESSAGE(restored.exit_code == 0, restored.err);
        server.options().data = data;
        server.start();
        CHECK(count_missing(server, before) == 0);
        CHECK(server.books().ok);
        CHECK(server.order({.user = "hasty"}).code() == "sale_paused");
        REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
        for (int i = 0; i < 6; ++i)
          CHECK_FALSE(ids.contains(server.buy({.user = "new" + std::to_string(i)})));
        server.check_books();
        REQUIRE(server.terminate() == 0);
      }
    }
  }

  TEST_CASE("a restored sale says what it is and is an ordinary one after its first start") {
    Server server({.catalog = catalog({{.stock = 10}}), .shards = 1});
    const std::string id = server.buy({.user = "alice"});
    REQUIRE(server.wait_drained());
    const std::string copy = server.scratch().path("copy"), data = server.scratch().path("again");
    REQUIRE(backup(server.data(), copy).exit_code == 0);
    REQUIRE(server.terminate() == 0);
    REQUIRE(restore(copy, data).exit_code == 0);
    server.options().data = data;
    server.start();
    CHECK(server.says("lost: what was acknowledged since "));
    CHECK(server.state_of("alice", id) == "reserved");
    CHECK(Database(server.database_path())
              .text("SELECT state FROM orders WHERE order_id = '" + id + "'") == "reserved");
    REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
    server.restart();
    CHECK(server.said().find("lost:") == std::string::npos);
    server.buy({.user = "bob"});
    REQUIRE(server.wait_drained());
    CHECK(run_stampede({"audit", "--data", data}).exit_code == 0);
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a start on the backup itself gives no number again either") {
    Server server({.catalog = catalog({{.stock = 10}}), .shards = 1});
    server.buy({.user = "alice"});
    const std::string copy = server.scratch().path("copy");
    REQUIRE(backup(server.data(), copy).exit_code == 0);
    const std::string later = server.buy({.user = "bob"});
    REQUIRE(server.terminate() == 0);
    server.options().data = copy;
    server.start();
    CHECK(server.order({.user = "hasty"}).code() == "sale_paused");
    REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
    CHECK(server.buy({.user = "bob"}) != later);
    REQUIRE(server.terminate() == 0);
  }

  // The users are the same, so the homes in their orders' ids are too: only the numbers can differ. The second ground is one that a
  // loss has been accepted on already.
  TEST_CASE("one copy restored twice gives each of its starts numbers of its own") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 1});
    server.buy({.user = "alice"});
    std::set<std::string> ids;
    size_t bought = 0;
    for (const std::string ground : {"first", "second"}) {
      const std::string copy = server.scratch().path(ground.c_str());
      const Finished made = backup(server.data(), copy);
      REQUIRE_MESSAGE(made.exit_code == 0, made.err);
      for (const char* name : {"-one", "-two"}) {
        CAPTURE(copy + name);
        REQUIRE(server.terminate() == 0);
        const Finished restored = restore(copy, copy + name);
        REQUIRE_MESSAGE(restored.exit_code == 0, restored.err);
        server.options().data = copy + name;
        server.start();
        REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
        for (int i = 0; i < 6; ++i, ++bought)
          ids.insert(server.buy({.user = ground + std::to_string(i)}));
        CHECK(ids.size() == bought);
        server.check_books();
      }
    }
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a database that knows more than the backup is asked before and again at the start") {
    Server server({.catalog = catalog({{.stock = 10}}), .shards = 1});
    const std::string copy = server.scratch().path("copy"), data = server.scratch().path("again");
    server.buy({.user = "alice"});
    REQUIRE(backup(server.data(), copy).exit_code == 0);
    server.buy({.user = "bob"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const std::string database = "sqlite:" + server.database_path();
    const Finished refused = restore(copy, data, {"--db", database});
    CHECK(refused.exit_code == 78);
    CHECK_MESSAGE(refused.err.find("--accept-loss") != std::string::npos, refused.err);
    CHECK_FALSE(fs::exists(data));
    const Finished accepted = restore(copy, data, {"--db", database, "--accept-loss"});
    REQUIRE_MESSAGE(accepted.exit_code == 0, accepted.err);
    CHECK(accepted.out.find("stampede serve --accept-loss") != std::string::npos);
    server.options().data = data;
    server.options().flags.emplace_back("--db", database);
    CHECK(server.start_and_fail() == 78);
    server.options().flags.emplace_back("--accept-loss", "");
    server.start();
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a ledger that knows more than the backup refuses it and its start") {
    Cluster cluster({.catalog = catalog({{.stock = 100}}), .flags = {{"--lease-max", "2"}}});
    Server& first = cluster.node(0);
    const std::string copy = first.scratch().path("copy"), data = first.scratch().path("again");
    first.buy({.user = "u"});
    REQUIRE(backup(first.data(), copy).exit_code == 0);
    for (int i = 0; i < 10; ++i) first.buy({.user = "more" + std::to_string(i)});
    REQUIRE(first.wait_drained());
    first.kill9();
    const Arguments ledger = {"--ledger", ledger_of(cluster)}, accepted = {"--accept-loss"},
                    database = {"--db", cluster.database_url()};
    const auto restore_with = [&](const std::vector<Arguments>& parts) {
      Arguments more;
      for (const Arguments& part : parts) more.insert(more.end(), part.begin(), part.end());
      return restore(copy, data, more);
    };
    for (const auto& parts :
         {std::vector<Arguments>{ledger}, {ledger, accepted}, {database, ledger, accepted}}) {
      const Finished refused = restore_with(parts);
      CAPTURE(refused.err);
      CHECK(refused.exit_code == 78);
      CHECK(refused.err.find("item ticket: the ledger has granted ") != std::string::npos);
      CHECK(refused.err.find("`stampede ledger reclaim --node 0`") != std::string::npos);
      CHECK_FALSE(fs::exists(data));
    }
    const Finished by_database = restore_with({database, ledger});
    CHECK(by_database.exit_code == 78);
    CHECK(by_database.err.find("--accept-loss") != std::string::npos);
    // Nobody asked the ledger: the node itself hears of it.
    REQUIRE(restore_with({database, accepted}).exit_code == 0);
    first.options().data = data;
    first.options().flags.emplace_back("--accept-loss", "");
    (void)first.try_start();
    CHECK(first.process().wait(kPatience) == 78);
    CHECK(first.says("it was restored from an old copy"));
    // What the line says is the way on: the others sell, and the node's units come back when its orders cannot be paid any more.
    CHECK(cluster.ledger("reclaim", {"--node", "0"}).exit_code == 75);
    cluster.node(1).buy({.user = "v"});
  }

  TEST_CASE("a ledger that knows no more than the backup lets its node go on") {
    Cluster cluster({.catalog = catalog({{.stock = 100}})});
    Server& first = cluster.node(0);
    const std::string copy = first.scratch().path("copy"), data = first.scratch().path("again");
    const std::string id = first.buy({.user = "u"});
    REQUIRE(first.wait_drained());
    first.kill9();
    REQUIRE(backup(first.data(), copy).exit_code == 0);
    CHECK(restore(copy, data, {"--ledger", "redis://127.0.0.1:1/0"}).exit_code == 1);
    CHECK(restore(copy, data, {"--ledger", "nonsense"}).exit_code == 2);
    CHECK_FALSE(fs::exists(data));
    const Finished restored =
        restore(copy, data, {"--db", cluster.database_url(), "--ledger", ledger_of(cluster)});
    REQUIRE_MESSAGE(restored.exit_code == 0, restored.err);
    first.options().data = data;
    first.start();
    CHECK(first.order({.user = "hasty"}).code() == "sale_paused");
    cluster.node(1).buy({.user = "v"});  // a pause is each node's own
    CHECK(first.state_of("u", id) == "reserved");
    REQUIRE(first.admin().post("/admin/items/ticket/resume").status == 200);
    cluster.await_open();
    CHECK(first.buy({.user = "w"}) != id);
    for (size_t index : {0, 1}) REQUIRE(cluster.node(index).wait_drained());
    const Finished audit =
        run_stampede({"audit", "--ledger", ledger_of(cluster), "--db", cluster.database_url(),
                      "--data", data, "--data", cluster.node(1).data()});
    CHECK_MESSAGE(audit.exit_code == 0, audit.out);
  }

  TEST_CASE("nothing is put over a directory that is not empty") {
    Server server({.catalog = catalog({{.stock = 10}}), .shards = 1});
    server.buy({.user = "alice"});
    const std::string copy = server.scratch().path("copy"), full = server.scratch().path("full");
    fs::create_directory(full);
    write_file(full + "/mine", "");
    CHECK(backup(server.data(), full).exit_code == 2);
    CHECK(backup(server.scratch().path("none"), copy).exit_code == 2);
    fs::create_directory(copy);
    REQUIRE(backup(server.data(), copy).exit_code == 0);
    CHECK(backup(server.data(), copy).exit_code == 2);
    REQUIRE(server.terminate() == 0);
    CHECK(restore(copy, server.data()).exit_code == 2);
    fs::remove(server.data() + "/manifest");
    CHECK(restore(copy, server.data()).exit_code == 2);
  }

  TEST_CASE("a copy is not made in what is copied") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u1"});
    const std::string link = server.scratch().path("link"), good = server.scratch().path("good");
    fs::create_directory_symlink(server.data(), link);
    for (const std::string& to : {server.data() + "/backup", link + "/backups/today",
                                  server.data() + "/log/../x", server.data()}) {
      CAPTURE(to);
      const Finished finished = backup(server.data(), to);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find("--to") != std::string::npos);
      CHECK_FALSE(fs::exists(to + ".unfinished"));
    }
    CHECK_FALSE(fs::exists(server.data() + "/backups"));
    CHECK(backup(server.data(), server.data() + "-backup").exit_code == 0);
    REQUIRE(backup(server.data(), good).exit_code == 0);
    CHECK(restore(good, good + "/data").exit_code == 2);
    CHECK_FALSE(fs::exists(good + "/data"));
  }

  TEST_CASE("the directory that is to be copied is never cleared away for its copy") {
    Server server({.catalog = catalog({{}}), .shards = 1, .starts = false});
    const std::string to = server.scratch().path("sale"), link = server.scratch().path("link");
    server.options().data = to + ".unfinished";
    server.start();
    const std::string id = server.buy({.user = "alice"});
    REQUIRE(server.terminate() == 0);
    fs::create_directory_symlink(server.data(), link + ".unfinished");
    for (const std::string& place : {to, link}) {
      CAPTURE(place);
      const Finished finished = backup(server.data(), place);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find("--to " + place) != std::string::npos);
    }
    CHECK(backup(server.scratch().path("another"), to).exit_code == 2);
    server.start();
    CHECK(server.state_of("alice", id) == "reserved");
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a place that cannot get the name is refused before anything is copied") {
    const Sold sold;
    const std::string disk = sold.path("disk"), link = sold.path("link");
    fs::create_directory(disk);
    fs::create_directory_symlink(disk, link);
    const auto check_refused = [&](const std::string& to) {
      CAPTURE(to);
      const Finished finished = backup(sold.server.data(), to);
      CHECK(finished.exit_code == 2);
      CHECK_FALSE(fs::exists(to + ".unfinished"));
      CHECK(fs::is_empty(disk));
    };
    for (const std::string& to : {link, link + "/", disk + "/.", disk + "/.."}) check_refused(to);
    if (geteuid() != 0 || run({"mount", "-t", "tmpfs", "tmpfs", disk}).exit_code != 0) {
      MESSAGE("no root: skipped");
      return;
    }
    check_refused(disk);
    CHECK(backup(sold.server.data(), disk + "/copy").exit_code == 0);
    CHECK(run({"umount", disk}).exit_code == 0);
  }

  TEST_CASE("a path that leads nowhere is one line") {
    const Scratch scratch;
    const std::string gone = scratch.path("gone"), there = scratch.path("there");
    fs::create_directory(there);
    write_file(there + "/manifest", "");
    const std::vector<std::string> commands{"backup --data here --to there",
                                            "backup --data '' --to x",
                                            "backup --data x --to ''",
                                            "restore --from '' --data x",
                                            "restore --from " + there + " --data ''",
                                            "restore --from " + there + " --data here",
                                            "serve --demo --check",
                                            "serve --demo --check --data ''"};
    for (const std::string& command : commands) {
      CAPTURE(command);
      fs::create_directory(gone);
      const Finished finished =
          run({"sh", "-c",
               "cd " + gone + " && rmdir " + gone + " && exec " + stampede_path() + " " + command});
      CAPTURE(finished.err);
      CHECK((finished.exit_code == 1 || finished.exit_code == 2));
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    }
  }

  TEST_CASE("a directory whose server runs is no backup") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u1"});
    const std::string to = server.scratch().path("restored");
    const Finished finished = restore(server.data(), to);
    CHECK(finished.exit_code == 73);
    CHECK(finished.err.find("stampede backup") != std::string::npos);
    CHECK_FALSE(fs::exists(to));
    server.buy({.user = "u2"});
    REQUIRE(server.terminate() == 0);
    CHECK(restore(server.data(), to).exit_code == 0);
  }

  TEST_CASE("damage in the source is refused with the file's name") {
    const Sold sold;
    std::string damaged = files_below(sold.server.data(), ".log").front();
    SUBCASE("a segment") {
      flip_bit(damaged, 3 * 4096 + 40, 2);
    }
    SUBCASE("a segment that is gone") {
      const auto segments = files_below(sold.server.data(), ".log");
      damaged = segments[segments.size() - 2];
      fs::remove(damaged);
    }
    SUBCASE("a snapshot") {
      for (const fs::directory_entry& entry :
           fs::directory_iterator(sold.server.data() + "/log/g1/s0"))
        if (entry.path().filename().string().starts_with("snapshot-")) damaged = entry.path();
      flip_bit(damaged, 5'000, 1);
    }
    SUBCASE("the manifest") {
      damaged = sold.server.data() + "/manifest";
      flip_bit(damaged, 200, 0);
    }
    SUBCASE("the database") {
      damaged = sold.server.database_path();
      for (uint64_t at = 4096; at < fs::file_size(damaged); at += 512) flip_bit(damaged, at, 4);
    }
    const Finished made = backup(sold.server.data(), sold.path("copy"));
    CAPTURE(made.err);
    CHECK(made.exit_code == 78);
    CHECK(made.err.find(damaged) != std::string::npos);
    CHECK_FALSE(fs::exists(sold.path("copy")));
    CHECK_FALSE(fs::exists(sold.path("copy.unfinished")));
  }

  TEST_CASE("damage in the backup is refused with the file's name and leaves nothing to start") {
    const Sold sold;
    const std::string copy = sold.path("copy");
    REQUIRE(backup(sold.server.data(), copy).exit_code == 0);
    std::string damaged = files_below(copy, ".log").front();
    SUBCASE("a segment") {
      flip_bit(damaged, 3 * 4096 + 40, 2);
    }
    SUBCASE("the last segment, emptied") {
      damaged = files_below(copy, ".log").back();
      const auto bytes = fs::file_size(damaged);
      fs::resize_file(damaged, 0);
      fs::resize_file(damaged, bytes);
      damaged = copy + "/log/g1/s0";
    }
    SUBCASE("a segment that is gone") {
      damaged = files_below(copy, ".log").back();
      fs::remove(damaged);
    }
    SUBCASE("the manifest") {
      damaged = copy + "/manifest";
      flip_bit(damaged, 200, 0);
    }
    const std::string data = sold.path("again");
    const Finished restored = restore(copy, data);
    CAPTURE(restored.err);
    CHECK(restored.exit_code == 78);
    CHECK(restored.err.find(damaged) != std::string::npos);
    CHECK_FALSE(fs::exists(data + "/manifest"));
  }

  TEST_CASE("a backup that is killed is not taken for one and does not stand in the way") {
    const Sold sold;
    const std::string copy = sold.path("copy"), unfinished = copy + ".unfinished";
    for (int round = 0; round < 5; ++round) {
      {
        Process making({stampede_path(), "backup", "--data", sold.server.data(), "--to", copy},
                       sold.path("stderr"));
        REQUIRE(wait_until([&] { return fs::exists(unfinished + "/log") || fs::exists(copy); }));
        making.signal(9);
        REQUIRE(making.wait(kPatience));
      }
      if (!fs::exists(copy)) continue;
      CHECK(run_stampede({"log", "verify", "--data", copy}).exit_code == 0);
      fs::remove_all(copy);
    }
    const Finished made = backup(sold.server.data(), copy);
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    CHECK_FALSE(fs::exists(unfinished));
    REQUIRE(restore(copy, sold.path("again")).exit_code == 0);
  }

  TEST_CASE("a restore that is killed leaves a directory that no start accepts") {
    Sold sold;
    const std::string copy = sold.path("copy"), data = sold.path("again");
    REQUIRE(backup(sold.server.data(), copy).exit_code == 0);
    {
      Process restoring({stampede_path(), "restore", "--from", copy, "--data", data},
                        sold.path("stderr"));
      REQUIRE(wait_until([&] { return fs::exists(data + "/log/g1/s0"); }));
      restoring.signal(9);
      REQUIRE(restoring.wait(kPatience));
    }
    if (fs::exists(data + "/manifest")) return;  // it was quicker
    sold.server.options().data = data;
    CHECK(sold.server.start_and_fail() == 78);
  }

  TEST_CASE("a backup to a full disk is refused and gives back what it took") {
    const Sold sold;
    const std::string disk = sold.path("disk");
    fs::create_directory(disk);
    if (geteuid() != 0 ||
        run({"mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk}).exit_code != 0) {
      MESSAGE("no root: skipped");
      return;
    }
    const Finished made = backup(sold.server.data(), disk + "/copy");
    CAPTURE(made.err);
    CHECK(made.exit_code == 1);
    CHECK(made.err.find("No space left") + made.err.find("full") != 2 * std::string::npos);
    CHECK(fs::is_empty(disk));
    CHECK(run({"umount", disk}).exit_code == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
