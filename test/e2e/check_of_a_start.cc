// `serve --check` says what a start would say, and changes nothing.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "../servers/postgres_server.h"
#include "harness/server.h"

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
}

}  // namespace
}  // namespace stampede::e2e
