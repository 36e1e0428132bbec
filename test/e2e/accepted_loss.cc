// After a start with --accept-loss no id of a lost order is given again, by that start or any later one, with a database or
// without; and nothing is sold before an operator has resumed it.

#include <doctest/doctest.h>
#include <filesystem>
#include <set>

#include "harness/database.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

constexpr uint64_t kBlock = 4096;

void check_no_id_is_given_again(const ServerOptions& options) {
  Server server(options);
  std::set<std::string> ids;
  for (int i = 0; i < 6; ++i) ids.insert(server.buy({.user = "u" + std::to_string(i)}));
  REQUIRE(server.terminate() == 0);
  flip_bit(files_below(server.data(), ".log")[0], 4 * kBlock + 40, 3);
  CHECK(server.start_and_fail() == 78);
  server.options().flags.emplace_back("--accept-loss", "");
  server.start();
  CHECK(server.order({.user = "hasty"}).code() == "sale_paused");
  REQUIRE(server.terminate() == 0);
  server.options().flags.pop_back();
  server.start();
  CHECK(server.order({.user = "hasty-still"}).code() == "sale_paused");
  REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
  for (int i = 0; i < 6; ++i)
    CHECK_FALSE(ids.contains(server.buy({.user = "new" + std::to_string(i)})));
  CHECK(server.books().ok);
}

TEST_SUITE("e2e/accepted_loss") {
  TEST_CASE("with a database no id of a lost order is given again") {
    check_no_id_is_given_again({.catalog = catalog({{.stock = 100}}), .shards = 1});
  }

  TEST_CASE("without a database no id of a lost order is given again") {
    check_no_id_is_given_again(
        {.catalog = catalog({{.stock = 100}}), .shards = 1, .flags = {{"--db", "none"}}});
  }

  // Its position has to move over the lost records before anything is sold: what is written at their place would never be a row.
  TEST_CASE("a loss is not accepted while the database cannot be written") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1});
    for (int i = 0; i < 6; ++i) server.buy({.user = "u" + std::to_string(i)});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    flip_bit(files_below(server.data(), ".log")[0], 4 * kBlock + 40, 3);
    server.options().flags.emplace_back("--accept-loss", "");
    {
      Database writer(server.database_path(), true);
      REQUIRE(writer.execute("BEGIN IMMEDIATE"));
      CHECK(server.start_and_fail() == 1);
      CHECK(server.says("database is locked"));
      CHECK(read_file(server.data() + "/manifest").find("is_loss_pending = 1") !=
            std::string::npos);
      REQUIRE(writer.execute("ROLLBACK"));
    }
    server.start();
    REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
    std::set<std::string> ids;
    for (int i = 0; i < 6; ++i) ids.insert(server.buy({.user = "new" + std::to_string(i)}));
    server.kill9();
    server.options().flags.pop_back();
    server.start();
    REQUIRE(server.wait_drained());
    Database database(server.database_path());
    for (const std::string& id : ids)
      CHECK(database.text("SELECT state FROM orders WHERE order_id = '" + id + "'") == "reserved");
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a loss is accepted with a new database too") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1});
    for (int i = 0; i < 6; ++i) server.buy({.user = "u" + std::to_string(i)});
    REQUIRE(server.terminate() == 0);
    flip_bit(files_below(server.data(), ".log")[0], 4 * kBlock + 40, 3);
    for (const char* beside : {"", "-wal", "-shm"})
      std::filesystem::remove(server.database_path() + beside);
    CHECK(server.start_and_fail() == 78);
    server.options().flags.emplace_back("--accept-loss", "");
    server.start();
    REQUIRE(server.admin().post("/admin/items/ticket/resume").status == 200);
    const std::string id = server.buy({.user = "new"});
    REQUIRE(server.wait_drained());
    CHECK(Database(server.database_path())
              .text("SELECT state FROM orders WHERE order_id = '" + id + "'") == "reserved");
    REQUIRE(server.terminate() == 0);
  }

  TEST_CASE("a directory that another version of the manifest described is taken over") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 1});
    const std::string id = server.buy({.user = "u1"});
    REQUIRE(server.terminate() == 0);
    const std::string path = server.data() + "/manifest", text = read_file(path);
    // As version 1 wrote it.
    std::string old;
    for (size_t at = 0; at < text.size();) {
      const size_t end = text.find('\n', at) + 1;
      std::string line = text.substr(at, end - at);
      at = end;
      if (line.starts_with("format_version")) line = "format_version = 1\n";
      if (line.starts_with("machine_id")) line = line.substr(0, line.rfind(' ')) + "\n";
      const bool is_new = line.starts_with("stream_") || line.starts_with("is_at_rest") ||
                          line.starts_with("checksum");
      if (!is_new) old += line;
    }
    write_file(path, old);
    server.start();
    CHECK(server.state_of("u1", id) == "reserved");
    CHECK(read_file(path).find("format_version = 2") != std::string::npos);
    REQUIRE(server.terminate() == 0);
    write_file(path, old.substr(0, old.size() / 2));
    CHECK(server.start_and_fail() == 78);
    CHECK(read_file(path) == old.substr(0, old.size() / 2));
  }
}

}  // namespace
}  // namespace stampede::e2e
