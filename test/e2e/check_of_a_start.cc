// `serve --check` says what a start would say, and changes nothing.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>

#include "../servers/postgres_server.h"
#include "harness/cluster.h"

namespace stampede::e2e {
namespace {

using servers::PostgresServer;

// Each file below the directory with its bytes, and each directory.
std::map<std::string, std::string> contents(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
    files[entry.path()] = entry.is_regular_file() ? read_file(entry.path()) : "";
  return files;
}

Finished check(const Arguments& command) {
  Arguments arguments(command.begin() + 1, command.end());
  arguments.emplace_back("--check");
  return run_stampede(arguments, kPatience);
}

// What the nodes of a cluster have agreed on.
std::string agreed(Cluster& cluster) {
  std::string rows;
  for (const char* table : {"members", "supply", "epochs", "restocks", "frozen"})
    rows += cluster.database().text(
                "SELECT coalesce(string_agg(t::text, ' ' ORDER BY t::text), '') FROM " +
                std::string(table) + " t") +
            "\n";
  return rows;
}

// A further node of the cluster, which has not started yet.
ServerOptions newcomer(Cluster& cluster, const std::string& node) {
  ServerOptions options{.catalog = catalog({{}}), .starts = false};
  options.flags = {
      {"--node", node},
      {"--db", cluster.database_url()},
      {"--ledger", "redis://127.0.0.1:" + std::to_string(cluster.redis().port()) + "/0"}};
  return options;
}

// The check of what the server would be started with.
Finished check_of(Server& server) {
  write_file(server.scratch().path("catalog.json"), server.options().catalog);
  return check(server.command());
}

TEST_SUITE("e2e/check_of_a_start") {
  TEST_CASE("a fresh directory is not made") {
    Scratch scratch;
    const Finished finished =
        run_stampede({"serve", "--demo", "--data", scratch.path("a/b/data"), "--check"}, kPatience);
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(finished.out == "ok\n");
    CHECK_FALSE(std::filesystem::exists(scratch.path("a")));
  }

  TEST_CASE("a directory with orders is sound, and stays as it is to the byte") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    CHECK(check(server.command()).out == "ok\n");  // beside the server, which holds the lock
    REQUIRE(server.terminate() == 0);
    const auto before = contents(server.data());
    const Finished finished = check(server.command());
    CAPTURE(finished.err);
    CHECK(finished.out == "ok\n");
    CHECK(contents(server.data()) == before);
  }

  TEST_CASE("what would refuse a start is said as the start says it") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    server.options().flags.emplace_back("--node", "7");
    const auto refused_alike = [&](int exit_code) {
      CHECK(server.start_and_fail() == exit_code);
      const auto before = contents(server.data());
      const Finished checked = check(server.command());
      CHECK(checked.exit_code == exit_code);
      CHECK(checked.out.empty());
      CHECK(checked.err == server.complaint());
      CHECK(contents(server.data()) == before);
    };
    refused_alike(2);  // another node's
    server.options().flags.pop_back();
    server.options().catalog = "{\"items\":[{}]}";
    refused_alike(2);
    server.options().catalog = catalog({{}});
    const std::string manifest = server.data() + "/manifest";
    write_file(manifest, read_file(manifest) + "x = 1\n");
    refused_alike(78);
  }

  TEST_CASE("a place where it could not listen or write is refused as the start refuses it") {
    Server server({.catalog = catalog({{}})});
    REQUIRE(server.terminate() == 0);
    write_file(server.scratch().path("no-socket"), "");
    const std::string link = server.scratch().path("link");
    std::filesystem::create_symlink("/nowhere/b", link);
    const std::string fifo = server.scratch().path("fifo");
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    const struct {
      const char* flag;
      std::string value;
      int exit_code;
    } refused[] = {{"--access-log", "/nowhere/a", 2},
                   {"--access-log", server.data(), 2},
                   {"--access-log", link, 2},
                   {"--access-log", fifo, 2},
                   {"--listen", "unix:/nowhere/s", 1},
                   {"--listen", "unix:" + server.scratch().path("no-socket"), 1},
                   {"--listen", "unix:" + server.scratch().path("no-socket/s"), 1},
                   {"--listen", "127.1.2.3:80000", 2},
                   {"--admin", "192.0.2.1:8081", 2},
                   {"--admin", "unix:/nowhere/s", 1}};
    for (const auto& [flag, value, exit_code] : refused) {
      CAPTURE(flag);
      CAPTURE(value);
      server.options().flags = {{flag, value}};
      const auto before = contents(server.data());
      const Finished checked = check_of(server);
      CHECK(contents(server.data()) == before);
      CHECK(checked.exit_code == exit_code);
      CHECK(server.start_and_fail() == exit_code);
      CHECK(checked.err == server.complaint());
    }
  }

  TEST_CASE("an address that is no machine's own is refused and a port in use is not") {
    Server server({.catalog = catalog({{}})});
    const std::string address = "127.0.0.1:" + std::to_string(server.address().port);
    const std::string socket = server.scratch().path("s"), log = server.scratch().path("log");
    Server other({.catalog = catalog({{}}), .starts = false});
    other.options().flags = {{"--listen", address}, {"--access-log", log}};
    CHECK(check_of(other).out == "ok\n");
    CHECK_FALSE(std::filesystem::exists(log));
    other.options().flags = {{"--listen", "unix:" + socket}};
    CHECK(check_of(other).out == "ok\n");
    CHECK_FALSE(std::filesystem::exists(socket));
    other.options().flags = {{"--listen", "192.0.2.1:0"}, {"--trust-gateway", ""}};
    const Finished checked = check_of(other);
    CHECK(checked.exit_code == 1);
    CHECK(other.start_and_fail() == 1);
    CHECK(checked.err == other.complaint());
  }

  TEST_CASE("a database that does not answer is named, and one that does is not changed") {
    PostgresServer& postgres = PostgresServer::shared();
    const std::string name = postgres.create_database();
    Scratch scratch;
    const auto check_with = [&](const std::string& url) {
      return run_stampede(
          {"serve", "--demo", "--data", scratch.path("data"), "--db", url, "--check"}, kPatience);
    };
    CHECK(check_with(postgres.url(name)).out == "ok\n");
    servers::PostgresClient client(postgres.socket_url(name));
    CHECK(client.number("SELECT count(*) FROM pg_tables WHERE schemaname='public'") == 0);
    const Finished away = check_with("postgres://nobody@127.0.0.1:1/none");
    CHECK(away.exit_code == 1);
    CHECK(away.err.find("--db: ") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(scratch.path("data")));
  }

  TEST_CASE("a node that would join others is compared with them and tells nobody") {
    Cluster cluster({.catalog = catalog({{}})});
    Server third(newcomer(cluster, "2"));
    const std::string before = agreed(cluster);
    Finished checked = check_of(third);
    CAPTURE(checked.err);
    CHECK(checked.out == "ok\n");
    // New items, and a stock that is not the catalog's to say.
    third.options().catalog = catalog({{.stock = 7}, {.code = "own"}});
    checked = check_of(third);
    CHECK(checked.out == "ok\n");
    CHECK(checked.err.find("item ticket: stock is 10, as the ledger has it") != std::string::npos);
    for (size_t index : {0, 1}) CHECK(check(cluster.node(index).command()).out == "ok\n");
    CHECK(agreed(cluster) == before);
    CHECK_FALSE(std::filesystem::exists(third.data()));
  }

  TEST_CASE("what contradicts the other nodes is refused as the start refuses it") {
    Cluster cluster({.catalog = catalog({{}})});
    Server third(newcomer(cluster, "2"));
    const auto refused_alike = [&](Server& server, const std::string& reason) {
      const std::string before = agreed(cluster);
      const Finished checked = check_of(server);
      CHECK(checked.exit_code == 2);
      CHECK(checked.out.empty());
      CHECK_MESSAGE(checked.err.find(reason) != std::string::npos, checked.err);
      CHECK(agreed(cluster) == before);
      CHECK(server.start_and_fail() == 2);
      CHECK_MESSAGE(server.complaint().find(reason) != std::string::npos, server.complaint());
    };
    third.options().catalog = catalog({{.price = 1}});
    refused_alike(third,
                  "item ticket: price is 1 here and 55350 in the ledger: correct the catalog");
    Server second(newcomer(cluster, "1"));
    refused_alike(second, "--node 1 is another data directory of this ledger");
    // A catalog that changed on a node that was in step is a change of terms.
    Server& first = cluster.node(0);
    first.options().catalog = catalog({{.price = 1}});
    CHECK(check_of(first).out == "ok\n");
    CHECK(agreed(cluster).find("55350") != std::string::npos);
    first.restart();
    CHECK(wait_until([&] { return agreed(cluster).find("55350") == std::string::npos; }));
    cluster.node(1).options().catalog = catalog({{.price = 2}});
    REQUIRE(cluster.node(1).terminate() == 0);
    cluster.node(1).options().shards = 3;  // nor are its orders dealt out anew before that is said
    const auto before = contents(cluster.node(1).data());
    refused_alike(cluster.node(1), "price is 2 here and 1 in the ledger");
    auto after = contents(cluster.node(1).data());
    const std::string lock = cluster.node(1).data() + "/lock";  // holds the pid
    after[lock] = before.at(lock);
    CHECK(after == before);
    cluster.node(1).options().shards = 1;
    // What it has sold by until now it would go on to sell by, with a warning.
    cluster.node(1).options().catalog = catalog({{}});
    const Finished checked = check_of(cluster.node(1));
    CHECK(checked.out == "ok\n");
    CHECK(checked.err.find("nodes sell on different terms") != std::string::npos);
  }

  TEST_CASE("a ledger that nobody has used is sound and one that does not answer is named") {
    PostgresServer& postgres = PostgresServer::shared();
    servers::RedisServer redis;
    const std::string name = postgres.create_database();
    Scratch scratch;
    const auto check_with = [&](uint16_t port) {
      return run_stampede(
          {"serve", "--demo", "--data", scratch.path("data"), "--db", postgres.url(name),
           "--ledger", "redis://127.0.0.1:" + std::to_string(port) + "/0", "--check"},
          kPatience);
    };
    const Finished checked = check_with(redis.port());
    CAPTURE(checked.err);
    CHECK(checked.out == "ok\n");
    CHECK(checked.err.find("later") == std::string::npos);
    servers::PostgresClient client(postgres.socket_url(name));
    CHECK(client.number("SELECT count(*) FROM pg_tables WHERE schemaname='public'") == 0);
    const Finished away = check_with(1);
    CHECK(away.exit_code == 1);
    CHECK(away.err.find("--ledger: ") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::e2e
